// Checks an uploaded credential file and merges it with what is stored (R13).
import * as z from 'zod';
import type { JsonObject } from '../../protocols/neutral.ts';
import { ApiError } from './errors.ts';

/** By `type` of the file: groups of texts, each needing at least one that is not empty (auth.md §6). */
const needed: Readonly<Record<string, readonly (readonly string[])[]>> = {
  claude: [['access_token', 'refresh_token']],
  codex: [['access_token', 'refresh_token']],
  gemini: [['token.refresh_token', 'token.access_token', 'access_token', 'refresh_token']],
  'gemini-cli': [['token.refresh_token', 'token.access_token', 'access_token', 'refresh_token']],
  antigravity: [['access_token', 'refresh_token']],
  qwen: [['access_token', 'refresh_token']],
  kimi: [['access_token', 'refresh_token']],
  iflow: [['api_key', 'access_token', 'refresh_token', 'cookie']],
  vertex: [['service_account.private_key']],
};

/** Fields that a refresh rewrites: they belong together. */
const tokenFields = [
  'access_token',
  'refresh_token',
  'id_token',
  'token',
  'token_type',
  'api_key',
  'expired',
  'expiry',
  'expires_in',
  'timestamp',
  'last_refresh',
  'resource_url',
];

const filled = z.string().regex(/\S/);

/** For OpenAPI: one shape per type, with the first field that makes it complete. */
export const credentialFile = z.union(
  Object.entries(needed).map(([type, groups]) => {
    const field = groups[0]?.[0] as string;
    const [outer = '', inner] = field.split('.');
    return z.object({ type: z.literal(type), [outer]: inner === undefined ? filled : z.object({ [inner]: filled }) });
  }),
);

export function parseCredential(bytes: Buffer): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    throw invalid('not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not a JSON object');
  if (Object.hasOwn(value, '__proto__')) throw invalid('the name __proto__ is not accepted');
  return value as JsonObject;
}

function invalid(reason: string): ApiError {
  return new ApiError(400, `invalid auth file: ${reason}`, { code: 'invalid_auth_file' });
}

/** Throws 422 naming what is missing. */
export function checkCredential(fields: JsonObject): void {
  const type = typeof fields.type === 'string' ? fields.type.trim().toLowerCase() : '';
  const groups = Object.hasOwn(needed, type) ? needed[type] : undefined;
  if (!groups) {
    const issue = type === '' ? 'missing' : `must be one of ${Object.keys(needed).join(', ')}`;
    throw incomplete([{ path: 'type', issue }]);
  }
  const details = groups
    .filter((names) => names.every((name) => isEmpty(fields, name)))
    .map((names) => ({ path: names.join(' | '), issue: 'missing' }));
  if (details.length > 0) throw incomplete(details);
}

/** `name` may lead one level down: `token.access_token`. */
function isEmpty(fields: JsonObject, name: string): boolean {
  const value = name
    .split('.')
    .reduce<unknown>(
      (node, part) => (typeof node === 'object' && node !== null ? (node as JsonObject)[part] : undefined),
      fields,
    );
  return typeof value !== 'string' || value.trim() === '';
}

function incomplete(details: { path: string; issue: string }[]): ApiError {
  const missing = details.map((detail) => detail.path).join(', ');
  return new ApiError(422, 'incomplete auth file', { message: `Missing or wrong: ${missing}.`, details });
}

/** Unix ms of the last refresh a file tells, 0 when it tells none. */
function refreshedAt(fields: JsonObject): number {
  const at = typeof fields.last_refresh === 'string' ? Date.parse(fields.last_refresh) : Number.NaN;
  return Number.isNaN(at) ? 0 : at;
}

/**
 * What is stored after an upload over an existing file: the sent fields, but when the stored tokens were refreshed
 * meanwhile they win. A panel that saves an edit by re-uploading must not bring back a used refresh token.
 */
export function mergedUpload(sent: JsonObject, stored: JsonObject | undefined): JsonObject {
  if (!stored || stored.type !== sent.type) return sent;
  const otherAccount =
    typeof sent.email === 'string' && typeof stored.email === 'string' && sent.email !== stored.email;
  if (otherAccount || refreshedAt(stored) <= refreshedAt(sent)) return sent;
  const merged: JsonObject = { ...sent };
  for (const name of tokenFields) {
    const value = stored[name];
    if (value !== undefined) merged[name] = value;
  }
  return merged;
}
