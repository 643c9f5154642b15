// A CredentialStore without a disk: several stores on one "disk" are several processes.
import type { CredentialStore } from '../../src/credentials/credential.ts';
import { FolderSnapshot, fileOf } from '../../src/credentials/folder-snapshot.ts';
import { LockError } from '../../src/credentials/lock.ts';
import { applyChanges, mergeLogin, serialize } from '../../src/credentials/merge.ts';
import { parseCredentialFile } from '../../src/credentials/parse.ts';
import type { Clock } from '../../src/credentials/watch.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import type { Provider } from '../../src/providers/provider.ts';

export class Disk {
  readonly files = new Map<string, string>();
  readonly locks = new Map<string, Promise<unknown>>();
  /** Set: every write fails with this code. */
  failWith: string | undefined;
  /** Set: every lock fails with this code. */
  failLocksWith: string | undefined;
  writes = 0;

  json(name: string): JsonObject {
    return JSON.parse(this.files.get(name) ?? 'null');
  }
}

export interface MemoryStore extends CredentialStore {
  /** What a watcher would do. */
  rescan(): void;
}

export function memoryStore(disk: Disk, providers: readonly Provider[], clock: Clock): MemoryStore {
  const snapshot = new FolderSnapshot({ clock, warn: () => {} });
  const context = {
    providerOf: (type: string) => providers.find(({ fileTypes }) => fileTypes.includes(type)),
    sealer: undefined,
    now: clock.now,
  };
  const load = (name: string) => {
    const text = disk.files.get(name);
    if (text === undefined) snapshot.remove(name);
    else if (!snapshot.isCurrent(name, text, '')) {
      const parsed = parseCredentialFile(name, `/auth/${name}`, text, context);
      if (parsed.ok) snapshot.accept(name, text, '', parsed.fields, parsed.credentials);
      else snapshot.reject(parsed.invalid, '', text);
    }
  };
  const rescan = () => {
    for (const name of new Set([...disk.files.keys(), ...snapshot.signatures().keys()])) load(name);
    snapshot.publish();
  };
  const fresh = (name: string): JsonObject | undefined => {
    try {
      return JSON.parse(disk.files.get(name) ?? '');
    } catch {
      return undefined;
    }
  };
  const write = (name: string, fields: JsonObject) => {
    if (disk.failWith) throw Object.assign(new Error(disk.failWith), { code: disk.failWith });
    disk.writes += 1;
    disk.files.set(name, serialize(fields));
    load(name);
    snapshot.publish();
  };
  const store: MemoryStore = {
    list: () => snapshot.list(),
    get: (id) => snapshot.get(id),
    invalid: () => snapshot.invalid(),
    onChange: (listener) => snapshot.onChange(listener),
    async save(name, fields) {
      const existing = fresh(name);
      write(name, existing ? mergeLogin(existing, fields) : fields);
      return snapshot.ofFile(name)[0] as NonNullable<ReturnType<typeof snapshot.get>>;
    },
    update: (id, change) =>
      store.withLock(id, async (now, put) => {
        const changed = now && change(now);
        if (changed) await put(changed);
        return snapshot.get(id);
      }),
    async withLock(id, work) {
      if (disk.failLocksWith) throw new LockError('cannot lock', disk.failLocksWith);
      const name = fileOf(id);
      const turn = (disk.locks.get(name) ?? Promise.resolve()).then(async () => {
        const before = fresh(name);
        load(name);
        snapshot.publish();
        return work(before, async (fields) => {
          const current = fresh(name);
          if (current !== undefined) write(name, applyChanges(current, before ?? {}, fields));
        });
      });
      disk.locks.set(
        name,
        turn.catch(() => {}),
      );
      return turn;
    },
    read: async (id) => fresh(fileOf(id)),
    async remove(id) {
      const found = disk.files.delete(fileOf(id));
      rescan();
      return found;
    },
    setStatus(id, status, message) {
      snapshot.setStatus(id, status, message);
      snapshot.publish();
    },
    async close() {},
    rescan,
  };
  rescan();
  return store;
}
