// Credential files: upload, switch, edit fields, refresh, end cooldowns (management-api.md §12.2–12.4, R13, R18).
import * as z from 'zod';
import type { Credential } from '../../../credentials/credential.ts';
import type { JsonObject } from '../../../protocols/neutral.ts';
import { RefreshError } from '../../../providers/provider.ts';
import { tidyPatterns } from '../credential-entry.ts';
import { checkCredential, credentialFile, mergedUpload, parseCredential } from '../credential-upload.ts';
import { ApiError } from '../errors.ts';
import { credentialFileName, fileNamePattern } from '../file-names.ts';
import { mainParam } from '../query.ts';
import { limits } from '../request-body.ts';
import { type Answer, type Call, type Route, route, type UploadBody } from '../route.ts';
import { okResponse } from '../schemas.ts';
import { findCredential, nameOf } from './auth-files.ts';

const tag = 'Credential files';
const uploadBody = z.looseObject({
  status: z.enum(['ok', 'partial']),
  uploaded: z.int(),
  files: z.array(z.string()),
  details: z.array(z.looseObject({ name: z.string(), provider: z.string() })),
  failed: z.array(z.object({ name: z.string(), error: z.string() })).optional(),
});

interface Stored {
  name: string;
  provider: string;
  account: string;
}

async function storeFile(call: Call, name: string, bytes: Buffer): Promise<Stored> {
  if (bytes.length > limits.json) throw new ApiError(413, 'file too large', { code: 'payload_too_large' });
  const sent = parseCredential(bytes);
  checkCredential(sent);
  const existing = findCredential(call, name);
  if (existing && call.headers['if-none-match']?.trim() === '*') {
    throw new ApiError(412, 'precondition failed', { message: 'A file of this name exists.' });
  }
  const fields = mergedUpload(sent, existing?.fields.reveal());
  const credential = await call.deps.store.save(name, fields, { replace: true });
  call.note({ changed: [`auth-files/${name}`] });
  call.deps.events.publish('credential', { change: existing ? 'changed' : 'added', name });
  return { name, provider: credential.providerKey, account: credential.label };
}

async function storeParts(call: Call, parts: NonNullable<UploadBody['parts']>): Promise<Answer> {
  const files = parts.filter((part) => part.filename !== undefined && part.filename !== '');
  if (files.length === 0) throw new ApiError(400, 'no files uploaded');
  const details: Stored[] = [];
  const failed: { name: string; error: string }[] = [];
  let first: unknown;
  for (const part of files) {
    const name = part.filename as string;
    try {
      details.push(await storeFile(call, credentialFileName(name, 'file must be .json'), part.data));
    } catch (error) {
      first ??= error;
      failed.push({ name, error: error instanceof ApiError ? error.text : 'failed to save file' });
    }
  }
  if (details.length === 0 && files.length === 1) throw first;
  return uploaded(details, failed);
}

function uploaded(details: readonly Stored[], failed: readonly { name: string; error: string }[]): Answer {
  const json = { status: 'ok', uploaded: details.length, files: details.map(({ name }) => name), details };
  return failed.length === 0 ? { json } : { status: 207, json: { ...json, status: 'partial', failed } };
}

const upload = route({
  method: 'POST',
  path: 'auth-files',
  tag,
  summary: 'Store credential files',
  description:
    'Either one file as the body with `?name=`, or multipart/form-data with one or more files. ' +
    'Tokens that were refreshed since the sent copy was read are kept. `If-None-Match: *` refuses to overwrite.',
  scope: 'admin',
  query: z.object({ name: mainParam(fileNamePattern) }),
  body: { kind: 'upload', documented: credentialFile, description: 'A credential file, or a form with files.' },
  responses: {
    200: { description: 'All stored.', schema: uploadBody },
    207: { description: 'Some were refused.', schema: uploadBody },
    412: { description: 'The file exists and must not be overwritten.' },
  },
  errors: { 400: 'A wrong name, not JSON, or no file.', 422: 'Fields are missing for this provider.' },
  async answer(call) {
    const { parts, raw } = call.body as UploadBody;
    if (parts) return storeParts(call, parts);
    return uploaded([await storeFile(call, credentialFileName(call.query.name), raw ?? Buffer.alloc(0))], []);
  },
});

/** By name or id, or by `auth_index`. */
function found(call: Call, body: { name?: string | null; auth_index?: string | null }): Credential {
  const byIndex = body.auth_index
    ? call.deps.store.list().find((candidate) => candidate.authIndex === body.auth_index)
    : undefined;
  const credential = byIndex ?? findCredential(call, body.name ?? '');
  if (credential?.source !== 'file') throw new ApiError(404, 'auth file not found');
  return credential;
}

async function update(call: Call, credential: Credential, change: (fresh: JsonObject) => JsonObject | undefined) {
  const name = nameOf(credential);
  const stored = await call.deps.store.update(name, change);
  if (!stored) throw new ApiError(404, 'auth file not found');
  call.note({ changed: [`auth-files/${name}`] });
  call.deps.events.publish('credential', { change: 'changed', name });
}

const status = route({
  method: 'PATCH',
  path: 'auth-files/status',
  tag,
  summary: 'Switch a credential on or off',
  scope: 'admin',
  body: {
    kind: 'json',
    invalid: 'invalid request body',
    schema: z.object({ name: z.string().max(512), disabled: z.boolean() }).partial(),
    documented: z.object({ name: z.string().max(512).regex(/\S/), disabled: z.boolean() }),
  },
  responses: {
    200: { description: 'Switched.', schema: z.looseObject({ status: z.literal('ok'), disabled: z.boolean() }) },
    404: { description: 'No such credential.' },
  },
  errors: { 400: 'No name, or no `disabled`.' },
  async answer(call) {
    const { name, disabled } = call.body;
    if (!name?.trim()) throw new ApiError(400, 'name is required');
    if (disabled === undefined) throw new ApiError(400, 'disabled is required');
    await update(call, found(call, { name: name.trim() }), (fresh) => ({ ...fresh, disabled }));
    return { json: { status: 'ok', disabled } };
  },
});

const fieldsBody = z.object({
  name: z.string().max(512).nullish(),
  auth_index: z.string().max(64).nullish(),
  prefix: z.string().max(512).nullish(),
  proxy_url: z.string().max(2048).nullish(),
  headers: z.record(z.string().max(256), z.string().max(4096)).nullish(),
  priority: z.int().min(-1_000_000).max(1_000_000).nullish(),
  weight: z.int().min(-1_000_000).max(1_000_000).nullish(),
  note: z.string().max(4096).nullish(),
  disable_cooling: z.boolean().nullish(),
  websockets: z.boolean().nullish(),
  excluded_models: z.array(z.string().max(512)).nullish(),
  expired: z.string().max(64).nullish(),
});
/** At least one change, each of them told. */
const toldFields = z
  .object({
    name: z.string().max(512).regex(/\S/),
    prefix: z.string().max(512).optional(),
    proxy_url: z.string().max(2048).optional(),
    priority: z.int().min(-1_000_000).max(1_000_000).optional(),
    weight: z.int().min(-1_000_000).max(1_000_000).optional(),
    note: z.string().max(4096).optional(),
    disable_cooling: z.boolean().optional(),
    websockets: z.boolean().optional(),
    excluded_models: z.array(z.string().max(512)).optional(),
    expired: z.string().max(64).optional(),
  })
  .meta({ minProperties: 2 });
type FieldsBody = z.output<typeof fieldsBody>;

/** The file's fields with the changes applied, undefined when nothing would change. */
export function changedFields(fresh: JsonObject, body: FieldsBody): JsonObject | undefined {
  const next: JsonObject = { ...fresh };
  let touched = false;
  const put = (name: string, value: JsonObject[string] | undefined): void => {
    touched = true;
    if (value === undefined) delete next[name];
    else next[name] = value;
  };
  for (const name of ['prefix', 'proxy_url', 'note', 'expired'] as const) {
    const text = body[name]?.trim();
    if (text !== undefined) put(name, text === '' ? undefined : text);
  }
  if (body.priority !== undefined && body.priority !== null) put('priority', body.priority || undefined);
  if (body.weight !== undefined && body.weight !== null) put('weight', body.weight === 1 ? undefined : body.weight);
  for (const name of ['disable_cooling', 'websockets'] as const) {
    if (typeof body[name] === 'boolean') put(name, body[name]);
  }
  if (body.excluded_models) {
    const patterns = tidyPatterns(body.excluded_models);
    put('excluded_models', patterns.length > 0 ? patterns : undefined);
  }
  const headers = changedHeaders(fresh.headers, body.headers);
  if (headers) put('headers', Object.keys(headers).length > 0 ? headers : undefined);
  return touched ? next : undefined;
}

/** `""` removes a header, the others stay. Undefined when nothing changes. */
function changedHeaders(stored: unknown, changes: FieldsBody['headers']): Record<string, string> | undefined {
  const next = { ...((typeof stored === 'object' && stored !== null ? stored : {}) as Record<string, string>) };
  let touched = false;
  for (const [given, text] of Object.entries(changes ?? {})) {
    const [name, value] = [given.trim(), text.trim()];
    if (name === '') continue;
    if (value !== '') next[name] = value;
    else if (name in next) delete next[name];
    else continue;
    touched = true;
  }
  return touched ? next : undefined;
}

const fields = route({
  method: 'PATCH',
  path: 'auth-files/fields',
  tag,
  summary: 'Change settings of a credential',
  description: 'An empty text or 0 removes a field; an empty header removes that header.',
  scope: 'admin',
  body: {
    kind: 'json',
    invalid: 'invalid request body',
    schema: fieldsBody,
    documented: toldFields,
  },
  responses: { ...okResponse, 404: { description: 'No such credential.' } },
  errors: { 400: 'No name, or nothing to change.' },
  async answer(call) {
    const name = call.body.name?.trim();
    if (!name && !call.body.auth_index) throw new ApiError(400, 'name is required');
    const { name: _name, auth_index: _index, ...changes } = call.body;
    const given = Object.values(changes).some((value) => value !== undefined && value !== null);
    const credential = found(call, { ...call.body, name });
    if (!given || !changedFields(credential.fields.reveal(), call.body)) throw new ApiError(400, 'no fields to update');
    await update(call, credential, (fresh) => changedFields(fresh, call.body));
    return { json: { status: 'ok' } };
  },
});

const refresh = route({
  method: 'POST',
  path: 'auth-files/refresh',
  tag,
  summary: "Refresh a credential's token now",
  scope: 'admin',
  body: {
    kind: 'json',
    invalid: 'invalid request body',
    schema: z.union([
      z.object({ name: z.string().min(1).max(512) }),
      z.object({ auth_index: z.string().min(1).max(64) }),
    ]),
    documented: z.object({ auth_index: z.string().min(1).max(64) }),
  },
  responses: {
    200: {
      description: 'Refreshed.',
      schema: z.looseObject({ status: z.literal('ok'), name: z.string(), expires_at: z.string().optional() }),
    },
    404: { description: 'No such credential.' },
    409: { description: 'Only a new login helps.' },
    502: { description: 'The provider could not be reached, or failed.' },
  },
  async answer(call) {
    const credential = found(call, call.body);
    try {
      const fresh = await call.deps.refresh(credential);
      const name = nameOf(credential);
      call.note({ changed: [`auth-files/${name}`] });
      call.deps.events.publish('credential', { change: 'refreshed', name });
      const expires = fresh.expiresAt === undefined ? {} : { expires_at: new Date(fresh.expiresAt).toISOString() };
      return { json: { status: 'ok', name, auth_index: credential.authIndex, ...expires } };
    } catch (error) {
      const message = error instanceof Error ? error.message.slice(0, 300) : 'refresh failed';
      const dead = error instanceof RefreshError && error.permanent;
      throw new ApiError(dead ? 409 : 502, 'refresh failed', { message, code: dead ? 'reauth_required' : undefined });
    }
  },
});

const resetQuota = route({
  method: 'POST',
  path: 'reset-quota',
  tag,
  summary: 'End the cooldowns of a credential',
  scope: 'admin',
  body: {
    kind: 'json',
    schema: z.object({ auth_index: z.string().min(1).max(64), model: z.string().max(512).nullish() }),
  },
  responses: {
    200: {
      description: 'Ended; `models` were cooling.',
      schema: z.looseObject({ status: z.literal('ok'), auth_index: z.string(), models: z.array(z.string()) }),
    },
    404: { description: 'No such credential.' },
  },
  answer(call) {
    const { auth_index, model } = call.body;
    const credentials = call.deps.store.list().filter((candidate) => candidate.authIndex === auth_index);
    if (credentials.length === 0) throw new ApiError(404, 'auth file not found');
    const models = credentials.flatMap((credential) => [...call.deps.router.reset(credential.id, model ?? undefined)]);
    call.note({ changed: [`cooldowns/${auth_index}`] });
    call.deps.events.publish('credential', { change: 'cooldown-reset', auth_index });
    return { json: { status: 'ok', auth_index, models: [...new Set(models)] } };
  },
});

export const authFileWriteRoutes: readonly Route[] = [upload, status, fields, refresh, resetQuota];
