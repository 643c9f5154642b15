// Keeps the result of a login: writes the file, says where, tells of older files of the same account (auth.md R8).
import type { Credential, ProviderId } from '../credentials/credential.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { loginError } from './errors.ts';
import type { LoginContext, RemoteDone, Terminal } from './flow.ts';

type Store = LoginContext['store'];

/** Rejects with `LoginError` exit 6. */
export async function saveLogin(store: Store, name: string, fields: JsonObject): Promise<Credential> {
  try {
    return await store.save(name, fields);
  } catch (error) {
    throw notSaved(error);
  }
}

/** Tries `nameOf(1)`, `nameOf(2)`, … until one is free: a login never overwrites another account's file. */
export async function saveUnderFreeName(
  store: Store,
  nameOf: (attempt: number) => string,
  fields: JsonObject,
): Promise<Credential> {
  const taken = new Set(store.invalid().map((file) => file.name));
  for (let attempt = 1; attempt < 1_000; attempt++) {
    const name = nameOf(attempt);
    if (taken.has(name) || fileNames(store).has(name)) continue;
    try {
      return await store.save(name, fields, { ifAbsent: true });
    } catch (error) {
      // Another process took the name between the look and the write.
      if (!isTaken(error)) throw notSaved(error);
    }
  }
  throw notSaved(new Error('no free file name'));
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

function notSaved(error: unknown): Error {
  const cause = error instanceof Error ? error.message : 'unknown error';
  return loginError('save_failed', `could not save the credential: ${cause}`, error);
}

/** Names of the files that hold credentials; a Gemini child `<file>::<project>` counts as its file. */
export function fileNames(store: Store): ReadonlySet<string> {
  return new Set(store.list().flatMap((credential) => (credential.source === 'file' ? [fileOf(credential)] : [])));
}

export function fileOf(credential: Credential): string {
  return credential.id.split('::')[0] as string;
}

/** The credential files of one provider with their fields, one entry per file. */
export function filesOf(store: Store, provider: ProviderId): { name: string; fields: JsonObject }[] {
  const found = new Map<string, JsonObject>();
  for (const credential of store.list()) {
    if (credential.source === 'file' && credential.provider === provider) {
      found.set(fileOf(credential), credential.fields.reveal());
    }
  }
  return [...found].map(([name, fields]) => ({ name, fields }));
}

/** Says which other files hold the same account; removing them is the user's choice. */
export function listOlderFiles(terminal: Terminal, names: readonly string[]): void {
  if (names.length === 0) return;
  terminal.warn(`Older files of the same account, no longer needed when the new one works: ${names.join(', ')}`);
}

export function pathOf(credential: Credential): string {
  return credential.path ?? credential.id;
}

export function doneWith(credential: Credential, email?: string): RemoteDone {
  const done: RemoteDone = { file: fileOf(credential), path: pathOf(credential) };
  return email === undefined ? done : { ...done, email };
}
