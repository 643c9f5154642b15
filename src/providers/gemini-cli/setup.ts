// Makes Google Cloud projects ready for Gemini CLI: onboarding and API enablement (auth.md §3.6).
import { loginError } from '../../oauth/errors.ts';
import { LoginError, type RemoteContext } from '../../oauth/flow.ts';
import { send } from '../../oauth/token-request.ts';
import { type CodeAssist, loadCodeAssist, onboard } from '../code-assist.ts';
import { endpoint } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import type { Choice } from './projects.ts';

export interface SetUp {
  projects: string[];
  /** The API state was verified for all of them. */
  checked: boolean;
  /** Google picked the project. */
  auto: boolean;
}

export interface SetUpDialogue {
  progress(line: string): void;
  warn(line: string): void;
  /** Which of two project ids to use when Google names another one than asked; backend is recommended. */
  pick?(asked: string, backend: string): Promise<string>;
}

const bounds = { onboardingMs: 300_000, everyMs: 5_000, autoMs: 30_000, autoEveryMs: 2_000 } as const;
const service = 'cloudaicompanion.googleapis.com';

/** Rejects with `LoginError` when not one project could be made ready. */
export async function setUpProjects(
  context: RemoteContext,
  accessToken: string,
  choice: Choice,
  dialogue: SetUpDialogue,
): Promise<SetUp> {
  const account: CodeAssist = {
    base: endpoint(context.config, 'gemini-cli', 'api'),
    accessToken,
    ideType: 'IDE_UNSPECIFIED',
  };
  if (choice.kind === 'auto') return setUpAuto(context, account, dialogue);
  const projects: string[] = [];
  let failure: unknown;
  for (const id of choice.ids) {
    try {
      const project = await onboardProject(context, account, id, dialogue);
      await ensureApi(context, accessToken, project);
      if (!projects.includes(project)) projects.push(project);
    } catch (error) {
      if (!(error instanceof LoginError) || error.code === 'aborted') throw error;
      failure = error;
      if (choice.ids.length > 1) dialogue.warn(`Project ${id} is left out: ${error.message}`);
    }
  }
  if (projects.length === 0) throw failure;
  return { projects, checked: true, auto: choice.auto === true };
}

async function setUpAuto(context: RemoteContext, account: CodeAssist, dialogue: SetUpDialogue): Promise<SetUp> {
  const loaded = await loadCodeAssist(context, account);
  let { project } = loaded;
  if (project === '') {
    dialogue.progress('Onboarding with a project that Google picks...');
    const named = await onboard(context, account, {
      tier: loaded.tier,
      everyMs: bounds.autoEveryMs,
      withinMs: bounds.autoMs,
    });
    project = named ?? '';
  }
  if (project === '') {
    const reason = loaded.ineligible === '' ? '' : ` (${loaded.ineligible})`;
    throw loginError(
      'project_required',
      `Google named no project for this account${reason}; pass one with -project_id`,
    );
  }
  dialogue.progress(`Using project ${project}`);
  try {
    await ensureApi(context, account.accessToken, project);
    return { projects: [project], checked: true, auto: true };
  } catch (error) {
    // A project that Google manages does not let us look; it works all the same.
    if (!(error instanceof LoginError) || error.code === 'aborted') throw error;
    dialogue.warn(`The API state of ${project} could not be verified: ${error.message}`);
    return { projects: [project], checked: false, auto: true };
  }
}

async function onboardProject(
  context: RemoteContext,
  account: CodeAssist,
  id: string,
  dialogue: SetUpDialogue,
): Promise<string> {
  const { tier } = await loadCodeAssist(context, account, id);
  dialogue.progress(`Onboarding project ${id}...`);
  const named = await onboard(context, account, {
    tier,
    project: id,
    everyMs: bounds.everyMs,
    withinMs: bounds.onboardingMs,
    onProgress: (elapsedMs) => dialogue.progress(`Still onboarding ${id} (${Math.round(elapsedMs / 1_000)} s)...`),
  });
  if (named === undefined) throw loginError('onboarding_failed', `onboarding of ${id} was not done within 5 minutes`);
  if (named === '' || named.toLowerCase() === id.toLowerCase()) return id;
  // Free users are given a project of Google's own; for others the asked one is right.
  const free = id.startsWith('gen-lang-client-') || /^(free|legacy)/i.test(tier);
  if (!free) return id;
  return dialogue.pick === undefined ? named : dialogue.pick(id, named);
}

/** Rejects with `LoginError` when the Code Assist API is off and cannot be switched on. */
export async function ensureApi(context: RemoteContext, accessToken: string, project: string): Promise<void> {
  const step = 'api_check_failed';
  const url = `${endpoint(context.config, 'gemini-cli', 'service-usage')}/projects/${encodeURIComponent(project)}/services/${service}`;
  const headers = { authorization: `Bearer ${accessToken}` };
  const state = await send(context, url, { step, prefix: 'api check', headers });
  if (state.status === 200 && textOf(state.json?.state) === 'ENABLED') return;
  const enabled = await send(context, `${url}:enable`, {
    step,
    prefix: 'api check',
    method: 'POST',
    headers,
    json: {},
  });
  if (enabled.status === 200 || enabled.status === 201) return;
  const message = textOf(objectOf(enabled.json?.error)?.message);
  if (enabled.status === 400 && /already enabled/i.test(message)) return;
  const cause = message === '' ? `status ${enabled.status}` : message.slice(0, 300);
  throw loginError(step, `project activation required: ${cause} (project ${project})`);
}
