// Gemini CLI: Google accounts using Cloud Code Assist, one credential per Google Cloud project.
import { readExpiry, readLastRefresh } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { optionalText, textOf } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { refresh, tokenObject } from './refresh.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'gemini-cli',
  displayName: 'Gemini CLI',
  fileTypes: ['gemini', 'gemini-cli'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  refresh,
  upstream,
  models,
  loginCommand: './cliproxy -login',
};

/** `project_id` may list several projects: each is a credential of its own, all sharing the file's token. */
function readCredential(fields: JsonObject): CredentialFacts | CredentialFacts[] {
  const token = tokenObject(fields);
  const email = optionalText(fields.email);
  const shared: CredentialFacts = {
    kind: 'oauth',
    label: email,
    email,
    token: optionalText(token.access_token),
    refreshToken: optionalText(token.refresh_token),
    expiresAt: readExpiry(fields),
    lastRefreshAt: readLastRefresh(fields),
    baseUrl: optionalText(fields.base_url),
  };
  const projects = projectsOf(textOf(fields.project_id));
  if (projects.length <= 1) return { ...shared, projectId: projects[0] };
  return projects.map((project) => ({
    ...shared,
    child: project,
    projectId: project,
    label: email === undefined ? project : `${email} (${project})`,
  }));
}

function projectsOf(list: string): string[] {
  const names = list.split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}
