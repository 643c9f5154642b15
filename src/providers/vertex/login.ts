// Importing a Google Cloud service account for Vertex AI (auth.md §3.10): nothing is asked and nobody is called.
import { readFile } from 'node:fs/promises';
import type { Credential } from '../../credentials/credential.ts';
import { vertexFileName } from '../../oauth/file-name.ts';
import { type LoginContext, LoginError, type LoginRequest, type LoginResult } from '../../oauth/flow.ts';
import { pathOf, saveLogin } from '../../oauth/save.ts';
import type { Json, JsonObject } from '../../protocols/neutral.ts';
import { objectOf, textOf } from '../fields.ts';
import type { ProviderLogins } from '../provider.ts';
import { repairPrivateKey } from './private-key.ts';

export const logins: ProviderLogins = { cli: { 'vertex-import': importFile } };

export const defaultLocation = 'us-central1';

async function importFile(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const prefix = readPrefix(request.prefix);
  const account = parseServiceAccount(await readKeyFile(request.file ?? ''));
  const { credential, email } = await importServiceAccount(context.store, account, {
    location: defaultLocation,
    ...(prefix === undefined ? {} : { prefix }),
  });
  if (email === '') context.terminal.warn('vertex-import: the service account has no client_email');
  context.terminal.print(`Vertex credentials imported: ${pathOf(credential)}`);
  return { path: pathOf(credential) };
}

export interface ImportedServiceAccount {
  credential: Credential;
  projectId: string;
  email: string;
  location: string;
}

/**
 * Checks, repairs and saves a service account, as parsed from its JSON. Rejects with `LoginError`; `code` is
 * `invalid_service_account`, `project_missing` or `save_failed`.
 */
export async function importServiceAccount(
  store: LoginContext['store'],
  account: unknown,
  options: { location?: string; prefix?: string } = {},
): Promise<ImportedServiceAccount> {
  const fields = objectOf(account as Json);
  if (fields === undefined) throw invalid('invalid_service_account', 'invalid service account json: not an object');
  if (textOf(fields.private_key) === '')
    throw invalid('invalid_service_account', 'service account missing private_key');
  const projectId = textOf(fields.project_id);
  if (projectId === '') throw invalid('project_missing', 'project_id missing in the service account');
  const email = textOf(fields.client_email);
  const location = options.location?.trim() || defaultLocation;
  const saved: JsonObject = {
    disabled: false,
    email,
    location,
    ...(options.prefix ? { prefix: options.prefix } : {}),
    project_id: projectId,
    service_account: { ...fields, private_key: repaired(textOf(fields.private_key)) },
    type: 'vertex',
  };
  const credential = await saveLogin(store, vertexFileName(projectId, options.prefix), saved);
  return { credential, projectId, email, location };
}

/** One path segment: blanks and slashes around it go, a slash inside is an error. Undefined when empty. */
export function readPrefix(prefix: string | undefined): string | undefined {
  const segment = (prefix ?? '').trim().replace(/^\/+|\/+$/g, '');
  if (segment.includes('/'))
    throw invalid('invalid_prefix', 'vertex-import: prefix must be a single segment without "/"');
  return segment === '' ? undefined : segment;
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw invalid('file_unreadable', `vertex-import: read file failed: ${file}: ${code}`, error);
  }
}

function parseServiceAccount(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    // The parser's own words quote the file, and the file is a key.
    throw invalid('invalid_service_account', 'vertex-import: invalid service account json: the file is not JSON');
  }
}

function repaired(privateKey: string): string {
  try {
    return repairPrivateKey(privateKey);
  } catch (error) {
    throw invalid('invalid_service_account', `vertex-import: ${(error as Error).message}`);
  }
}

function invalid(code: string, message: string, cause?: unknown): LoginError {
  return new LoginError(message, { code, cause });
}
