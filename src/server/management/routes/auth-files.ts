// Credential files: list, download, delete (management-api.md §12.1, §12.2).
import { constants, type Stats } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import type { Credential, InvalidCredential } from '../../../credentials/credential.ts';
import { authEntry } from '../auth-entry.ts';
import { ApiError } from '../errors.ts';
import { attachment, credentialFileName, fileNamePattern } from '../file-names.ts';
import { flagParam, intParam, mainParam, manyParam, otherParam, textParam } from '../query.ts';
import { type Answer, type Call, type Route, route } from '../route.ts';

const tag = 'Credential files';

const filters = z.object({
  name: textParam.optional(),
  auth_index: textParam.optional(),
  provider: textParam.optional(),
  status: textParam.optional(),
  q: textParam.optional(),
  page: intParam({ min: 1, max: 1_000_000 }).optional(),
  page_size: intParam({ min: 1, max: 1_000 }).optional(),
  redact: flagParam.optional(),
});

const entryBody = z.looseObject({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  provider: z.string(),
  auth_index: z.string(),
  status: z.string(),
  status_message: z.string(),
  disabled: z.boolean(),
  unavailable: z.boolean(),
  runtime_only: z.boolean(),
});

/** File name of a credential; project children share the file of their parent. */
export const nameOf = (credential: Credential): string => credential.id.split('::', 1)[0] as string;

export function findCredential(call: Call, name: string): Credential | undefined {
  const { store } = call.deps;
  const exact = store.get(name);
  if (exact?.source === 'file') return exact;
  return store.list().find((credential) => credential.source === 'file' && nameOf(credential) === name);
}

interface Row {
  name: string;
  credential?: Credential;
  invalid?: InvalidCredential;
}

/** Sorted by lower-cased name; one row per file, children of a Gemini login as rows of their own id. */
function rows(call: Call): Row[] {
  const files = call.deps.store.list().filter((credential) => credential.source === 'file');
  const list: Row[] = [
    ...files.map((credential) => ({ name: nameOf(credential), credential })),
    ...call.deps.store.invalid().map((invalid) => ({ name: invalid.name, invalid })),
  ];
  return list.sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}

function wanted(query: z.output<typeof filters>): (row: Row) => boolean {
  const text = query.q?.toLowerCase();
  return ({ name, credential, invalid }) => {
    if (query.name !== undefined && name !== query.name && credential?.id !== query.name) return false;
    if (query.auth_index !== undefined && credential?.authIndex !== query.auth_index) return false;
    if (query.provider !== undefined && credential?.providerKey !== query.provider.toLowerCase()) return false;
    if (text && ![name, credential?.label, credential?.note].some((part) => part?.toLowerCase().includes(text))) {
      return false;
    }
    if (query.status === undefined) return true;
    if (invalid) return query.status === invalid.status || query.status === 'error';
    return query.status === (credential?.disabled ? 'disabled' : credential?.status);
  };
}

async function entryOf(call: Call, { name, credential, invalid }: Row): Promise<Record<string, unknown>> {
  const file = credential?.path ?? path.join(call.deps.authDir(), name);
  const facts: Stats | undefined = await lstat(file).catch(() => undefined);
  if (credential) return authEntry(credential, facts, call.deps.router.health(credential.id), call.deps.now());
  const modified = new Date(facts?.mtimeMs ?? call.deps.now()).toISOString();
  return {
    id: name,
    name,
    type: 'unknown',
    provider: 'unknown',
    auth_index: '',
    label: 'unknown',
    status: 'error',
    status_message: invalid?.message ?? '',
    health: invalid?.status,
    disabled: false,
    unavailable: true,
    runtime_only: false,
    path: file,
    source: 'file',
    size: facts?.size ?? 0,
    created_at: modified,
    updated_at: modified,
    modtime: modified,
  };
}

const list = route({
  method: 'GET',
  path: 'auth-files',
  tag,
  summary: 'Credential files with their state',
  description: 'Sorted by name. `page` and `page_size` cut the list; `total` counts all that fit the filters.',
  scope: 'viewer',
  query: filters,
  responses: {
    200: { description: 'The credentials.', schema: z.looseObject({ files: z.array(entryBody), total: z.int() }) },
  },
  async answer(call) {
    const { page, page_size } = call.query;
    const found = rows(call).filter(wanted(call.query));
    const size = page_size ?? (page === undefined ? found.length : 50);
    const start = ((page ?? 1) - 1) * size;
    const files = await Promise.all(found.slice(start, start + size).map((row) => entryOf(call, row)));
    if (call.redact) for (const file of files) delete file.path;
    return {
      json: { files, total: found.length, ...(page === undefined ? {} : { page, page_size: size }) },
    };
  },
});

const download = route({
  method: 'GET',
  path: 'auth-files/download',
  tag,
  summary: 'One credential file, secrets included',
  scope: 'admin',
  query: z.object({ name: mainParam(fileNamePattern) }),
  responses: {
    200: { description: 'The file.', contentType: 'application/json', schema: z.unknown() },
    404: { description: 'No such file.' },
  },
  errors: { 400: 'A name that no credential file may have.' },
  async answer(call) {
    const name = credentialFileName(call.query.name);
    const headers = { 'content-disposition': attachment(name) };
    const credential = findCredential(call, name);
    const bytes = await readPlainFile(path.join(call.deps.authDir(), name));
    if (bytes && !(credential && isSealed(bytes))) return { bytes, type: 'application/json', headers };
    if (!credential || (credential.path !== undefined && !bytes)) throw new ApiError(404, 'file not found');
    return { text: JSON.stringify(credential.fields.reveal()), type: 'application/json', headers };
  },
});

/** A file sealed at rest is given open, or nobody could edit and send it back. */
function isSealed(bytes: Buffer): boolean {
  try {
    const content: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof content === 'object' && content !== null && 'sealed' in content;
  } catch {
    return false;
  }
}

/** Never follows a link out of the folder. */
async function readPlainFile(file: string): Promise<Buffer | undefined> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const handle = await open(file, flags).catch(() => undefined);
  if (!handle) return undefined;
  try {
    const facts = await handle.stat();
    return facts.isFile() && facts.size <= 8 * 1024 * 1024 ? await handle.readFile() : undefined;
  } finally {
    await handle.close();
  }
}

const name = z.string().max(512);
const deleteBody = z.union([z.array(name), z.object({ name: name.nullish(), names: z.array(name).nullish() })]);

const remove = route({
  method: 'DELETE',
  path: 'auth-files',
  tag,
  summary: 'Delete credential files',
  description:
    'One name in the body, or several (`{names}`, a list); or names as `?name=`, or all with `?all=true`. ' +
    'Of several names each is tried.',
  scope: 'admin',
  query: z.object({ name: otherParam(manyParam), all: otherParam(textParam) }),
  body: {
    kind: 'json',
    optional: true,
    invalid: 'invalid request body',
    schema: deleteBody,
    documented: z.object({ name: z.string().max(100).regex(new RegExp(fileNamePattern)) }),
  },
  responses: {
    200: {
      description: 'All deleted.',
      schema: z.looseObject({ status: z.literal('ok'), deleted: z.int().optional() }),
    },
    207: {
      description: 'Some could not be deleted.',
      schema: z.looseObject({
        status: z.literal('partial'),
        deleted: z.int(),
        files: z.array(z.string()),
        failed: z.array(z.object({ name: z.string(), error: z.string() })),
      }),
    },
    404: { description: 'No such file.' },
  },
  errors: { 400: 'No name, or a name that no credential file may have.' },
  async answer(call) {
    if (['true', '1', '*'].includes(call.query.all ?? '')) {
      const names = new Set(rows(call).map((row) => row.name));
      let deleted = 0;
      for (const each of names) if (await deleteFile(call, each)) deleted += 1;
      return { json: { status: 'ok', deleted } };
    }
    const names = namesOf(call);
    if (names.length === 0) throw new ApiError(400, 'invalid name');
    return names.length === 1 ? deleteOne(call, names[0] as string) : deleteSeveral(call, names);
  },
});

function namesOf(call: Call<{ name?: string[] }, z.output<typeof deleteBody> | undefined>): string[] {
  const { body, query } = call;
  const fromBody = Array.isArray(body) ? body : [...(body?.names ?? []), ...(body?.name ? [body.name] : [])];
  return [...new Set([...(query.name ?? []), ...fromBody])];
}

async function deleteFile(call: Call, file: string): Promise<boolean> {
  const credential = findCredential(call, file);
  const removed = await call.deps.store.remove(credential ? nameOf(credential) : file);
  if (removed) {
    call.note({ changed: [`auth-files/${file}`] });
    call.deps.events.publish('credential', { change: 'removed', name: file });
  }
  return removed;
}

async function deleteOne(call: Call, file: string): Promise<Answer> {
  if (!(await deleteFile(call, credentialFileName(file, 'invalid name'))))
    throw new ApiError(404, 'auth file not found');
  return { json: { status: 'ok', deleted: 1, files: [file] } };
}

async function deleteSeveral(call: Call, names: readonly string[]): Promise<Answer> {
  const files: string[] = [];
  const failed: { name: string; error: string }[] = [];
  for (const file of names) {
    try {
      await deleteOne(call, file);
      files.push(file);
    } catch (error) {
      failed.push({ name: file, error: error instanceof ApiError ? error.text : 'failed to remove file' });
    }
  }
  if (failed.length === 0) return { json: { status: 'ok', deleted: files.length, files } };
  return { status: 207, json: { status: 'partial', deleted: files.length, files, failed } };
}

export const authFileRoutes: readonly Route[] = [list, download, remove];
