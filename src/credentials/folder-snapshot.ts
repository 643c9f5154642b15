// What is known of the files of the auth folder: the credentials they gave, the ones that are none, and who is told.
import { hash } from 'node:crypto';
import type { JsonObject } from '../protocols/neutral.ts';
import type { Credential, CredentialChange, CredentialStatus, InvalidCredential } from './credential.ts';
import type { Signature } from './folder-files.ts';
import { sameJson } from './merge.ts';
import type { Clock } from './watch.ts';

interface Entry {
  signature: Signature;
  /** Of the text last read: a touched file with the same content is no change. */
  digest: string;
  fields?: JsonObject;
  /** As read from the file, before a run-time status. */
  credentials: readonly Credential[];
  invalid?: InvalidCredential;
  cancelStale?: () => void;
}

interface RunTimeStatus {
  status: CredentialStatus;
  message?: string;
}

export class FolderSnapshot {
  readonly #clock: Clock;
  readonly #warn: (line: string) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #signatures = new Map<string, Signature>();
  readonly #statuses = new Map<string, RunTimeStatus>();
  readonly #listeners = new Set<(change: CredentialChange) => void>();
  /** What listeners were told last. */
  #published = new Map<string, Credential>();
  readonly #touched = new Set<string>();
  #list: readonly Credential[] | undefined;

  constructor(options: { clock: Clock; warn: (line: string) => void }) {
    this.#clock = options.clock;
    this.#warn = options.warn;
  }

  list(): readonly Credential[] {
    this.#list ??= [...this.#published.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return this.#list;
  }

  get(id: string): Credential | undefined {
    return this.#published.get(id);
  }

  invalid(): readonly InvalidCredential[] {
    return [...this.#entries.values()].flatMap((entry) => entry.invalid ?? []);
  }

  reasonFor(name: string): string | undefined {
    return this.#entries.get(name)?.invalid?.message;
  }

  ofFile(name: string): readonly Credential[] {
    const ids = this.#entries.get(name)?.credentials ?? [];
    return ids.flatMap(({ id }) => this.#published.get(id) ?? []);
  }

  signatures(): ReadonlyMap<string, Signature> {
    return this.#signatures;
  }

  onChange(listener: (change: CredentialChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** True when this text is what is known already; the new signature is noted. */
  isCurrent(name: string, text: string, signature: Signature): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.digest !== digestOf(text)) return false;
    entry.signature = signature;
    this.#signatures.set(name, signature);
    return true;
  }

  accept(
    name: string,
    text: string,
    signature: Signature,
    fields: JsonObject,
    credentials: readonly Credential[],
  ): void {
    const before = this.#entries.get(name);
    before?.cancelStale?.();
    const same = before?.fields !== undefined && before.invalid === undefined && sameJson(before.fields, fields);
    const entry: Entry = {
      signature,
      digest: digestOf(text),
      fields,
      credentials: same ? before.credentials : credentials,
    };
    this.#put(name, entry);
    if (same) return;
    // A run-time status speaks of the old content.
    for (const { id } of [...(before?.credentials ?? []), ...credentials]) this.#statuses.delete(id);
    this.#touch(before, entry);
  }

  /** The file is no credential (any more). What it was before stays usable until its token ends. */
  reject(invalid: InvalidCredential, signature: Signature, text: string): void {
    const { name } = invalid;
    const before = this.#entries.get(name);
    const digest = digestOf(text);
    if (before?.invalid?.message === invalid.message && before.digest === digest) {
      before.signature = signature;
      this.#signatures.set(name, signature);
      return;
    }
    before?.cancelStale?.();
    const entry: Entry = { signature, digest, credentials: before?.credentials ?? [], invalid };
    if (before?.fields !== undefined) entry.fields = before.fields;
    this.#put(name, entry);
    const kept = entry.credentials.length > 0;
    this.#warn(
      `credential file ${name} is ${invalid.status}: ${invalid.message}${kept ? '; its last good content stays in use' : ''}`,
    );
    if (!kept) return;
    const ends = Math.min(...entry.credentials.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY));
    if (ends !== Number.POSITIVE_INFINITY) {
      entry.cancelStale = this.#clock.after(Math.max(ends - this.#clock.now(), 0), () => this.#drop(name, entry));
    }
    for (const { id } of entry.credentials)
      this.#statuses.set(id, { status: 'active', message: `stale: ${invalid.message}` });
    this.#touch(entry);
  }

  remove(name: string): void {
    const before = this.#entries.get(name);
    if (before === undefined) return;
    before.cancelStale?.();
    this.#entries.delete(name);
    this.#signatures.delete(name);
    for (const { id } of before.credentials) this.#statuses.delete(id);
    this.#touch(before);
  }

  setStatus(id: string, status: CredentialStatus, message?: string): void {
    if (!this.#published.has(id)) return;
    if (status === 'active' && message === undefined) this.#statuses.delete(id);
    else this.#statuses.set(id, message === undefined ? { status } : { status, message });
    this.#touched.add(id);
  }

  /** Tells the listeners what changed since the last time. */
  publish(): void {
    if (this.#touched.size === 0) return;
    const change = {
      added: [] as Credential[],
      changed: [] as CredentialChange['changed'][number][],
      removed: [] as Credential[],
    };
    for (const id of this.#touched) {
      const before = this.#published.get(id);
      const entry = this.#entries.get(fileOf(id));
      const credential = entry?.credentials.find((one) => one.id === id);
      if (credential === undefined) {
        this.#published.delete(id);
        if (before !== undefined) change.removed.push(before);
        continue;
      }
      const after = this.#withStatus(credential);
      this.#published.set(id, after);
      if (before === undefined) change.added.push(after);
      else change.changed.push({ before, after });
    }
    this.#touched.clear();
    this.#list = undefined;
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#warn(`a listener of credential changes failed: ${(error as Error).message}`);
      }
    }
  }

  close(): void {
    for (const entry of this.#entries.values()) entry.cancelStale?.();
    this.#listeners.clear();
  }

  #put(name: string, entry: Entry): void {
    this.#entries.set(name, entry);
    this.#signatures.set(name, entry.signature);
  }

  #drop(name: string, entry: Entry): void {
    if (this.#entries.get(name) !== entry) return;
    const gone = { ...entry };
    entry.credentials = [];
    delete entry.fields;
    this.#touch(gone);
    this.publish();
  }

  #touch(...entries: readonly (Entry | undefined)[]): void {
    for (const entry of entries) for (const { id } of entry?.credentials ?? []) this.#touched.add(id);
  }

  #withStatus(credential: Credential): Credential {
    const told = this.#statuses.get(credential.id);
    if (told === undefined || (credential.disabled && told.status !== 'disabled')) return credential;
    const { statusMessage: _, ...rest } = credential;
    return { ...rest, status: told.status, ...(told.message === undefined ? {} : { statusMessage: told.message }) };
  }
}

/** The file a credential came from: the projects of a Gemini login share one. */
export function fileOf(id: string): string {
  return id.split('::', 1)[0] as string;
}

function digestOf(text: string): string {
  return hash('sha256', text);
}
