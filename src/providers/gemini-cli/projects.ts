// Which Google Cloud projects a Gemini CLI login is for (auth.md §3.6): read from Google, chosen by the user.
import { loginError } from '../../oauth/errors.ts';
import type { LoginContext, RemoteContext } from '../../oauth/flow.ts';
import { sendForJson } from '../../oauth/token-request.ts';
import { endpoint } from '../endpoints.ts';
import { arrayOf, objectOf, textOf } from '../fields.ts';

export interface Project {
  id: string;
  name: string;
}

/** `auto`: Google names the project. */
export type Choice = { kind: 'projects'; ids: string[]; auto?: boolean } | { kind: 'auto' };

const mostPages = 20;

export async function listProjects(context: RemoteContext, accessToken: string): Promise<Project[]> {
  const found: Project[] = [];
  let pageToken = '';
  for (let page = 0; page < mostPages; page++) {
    const query = pageToken === '' ? '' : `?pageToken=${encodeURIComponent(pageToken)}`;
    const reply = await sendForJson(context, `${endpoint(context.config, 'gemini-cli', 'projects')}${query}`, {
      step: 'project_required',
      prefix: 'gemini projects',
      headers: { authorization: `Bearer ${accessToken}` },
    });
    for (const entry of arrayOf(reply.projects)) {
      const project = objectOf(entry);
      const id = textOf(project?.projectId);
      const state = textOf(project?.lifecycleState);
      if (id !== '' && (state === '' || state === 'ACTIVE')) found.push({ id, name: textOf(project?.name) });
    }
    pageToken = textOf(reply.nextPageToken);
    if (pageToken === '') break;
  }
  return found;
}

/**
 * `preset`, `-project_id` or the answer at the prompt: `ALL`, one id or number, or several with commas.
 * Throws `LoginError` naming the first project that is not listed.
 */
export function selectProjects(preset: string, listed: readonly Project[]): string[] {
  if (/^all$/i.test(preset.trim())) return listed.map((project) => project.id);
  const wanted = preset
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const ids = wanted.map((part) => {
    const known =
      listed.find((project) => project.id === part) ?? (/^\d+$/.test(part) ? listed[Number(part) - 1] : undefined);
    if (known === undefined) {
      throw loginError(
        'project_required',
        `Invalid project selection: project ${part} not found in available projects`,
      );
    }
    return known.id;
  });
  return [...new Set(ids)];
}

/** The dialogue of the command line. */
export async function chooseProjects(
  context: LoginContext,
  accessToken: string,
  preset: string | undefined,
): Promise<Choice> {
  const { terminal } = context;
  const given = preset?.trim() ?? '';
  if (given === '' && (await askForMode(context)) === 'google-one') return { kind: 'auto' };
  let listed: Project[];
  try {
    listed = await listProjects(context, accessToken);
  } catch (error) {
    // The list needs a permission of its own; an id given by hand does not.
    if (given === '' || /^all$/i.test(given)) throw error;
    terminal.warn(`The project list cannot be read (${(error as Error).message}); going on with ${given}.`);
    return { kind: 'projects', ids: given.split(',').map((id) => id.trim()) };
  }
  if (listed.length === 0 && given === '') return { kind: 'auto' };
  if (given !== '') {
    try {
      const ids = selectProjects(given, listed);
      if (ids.length > 0) return { kind: 'projects', ids };
    } catch (error) {
      if (!terminal.interactive || given.includes(',')) throw error;
      terminal.warn((error as Error).message);
    }
  }
  return { kind: 'projects', ids: await askForProjects(context, listed) };
}

async function askForMode({ terminal, signal }: LoginContext): Promise<'code-assist' | 'google-one'> {
  terminal.print('Select login mode:');
  terminal.print('  1. Code Assist (a Google Cloud project of yours)');
  terminal.print('  2. Google One (Google picks the project)');
  const answer = await terminal.ask('Enter choice [1/2] (default: 1): ', { signal });
  return answer?.trim() === '2' ? 'google-one' : 'code-assist';
}

async function askForProjects({ terminal, signal }: LoginContext, listed: readonly Project[]): Promise<string[]> {
  const [first] = listed;
  if (first === undefined) throw loginError('project_required', 'No project selected; aborting login.');
  terminal.print('Available Google Cloud projects:');
  for (const [index, project] of listed.entries()) terminal.print(`[${index + 1}] ${project.id} (${project.name})`);
  terminal.print("Type 'ALL' to onboard every listed project.");
  for (let attempt = 0; attempt < 3; attempt++) {
    const answer = await terminal.ask(`Enter project ID [${first.id}] or ALL: `, { signal });
    if (signal.aborted) throw loginError('aborted', 'cancelled');
    if (answer === undefined || answer.trim() === '') return [first.id];
    try {
      return selectProjects(answer, listed);
    } catch (error) {
      terminal.warn((error as Error).message);
    }
  }
  throw loginError('project_required', 'No project selected; aborting login.');
}
