// All credentials in one list: those of the auth folder and those of the config.
import type { JsonObject } from '../protocols/neutral.ts';
import type { Credential, CredentialChange, CredentialStore } from './credential.ts';

/** Credentials made from config entries: re-made as a whole at each reload, with stable ids. */
export interface ConfigCredentialSource {
  list(): readonly Credential[];
  onChange(listener: () => void): () => void;
}

/**
 * The store with the config's credentials added. Files are changed through it as through the store itself; entries of the
 * config cannot be: `update` resolves undefined for them, `remove` false.
 */
export function credentialPool(store: CredentialStore, config: ConfigCredentialSource): CredentialStore {
  const listeners = new Set<(change: CredentialChange) => void>();
  const statuses = new Map<string, Pick<Credential, 'status' | 'statusMessage'>>();
  let configured = index(config.list());
  let list: readonly Credential[] | undefined;

  const tell = (change: CredentialChange) => {
    list = undefined;
    for (const listener of listeners) listener(change);
  };
  const unsubscribe = [
    store.onChange(tell),
    config.onChange(() => {
      const before = configured;
      configured = new Map();
      const added: Credential[] = [];
      const changed: CredentialChange['changed'][number][] = [];
      for (const after of index(config.list()).values()) {
        const old = before.get(after.id);
        const kept = old !== undefined && sameCredential(old, after) ? old : after;
        configured.set(after.id, kept);
        if (kept === old) continue;
        statuses.delete(after.id);
        if (old === undefined) added.push(after);
        else changed.push({ before: old, after });
      }
      const removed = [...before.values()].filter(({ id }) => !configured.has(id));
      for (const { id } of removed) statuses.delete(id);
      if (added.length + changed.length + removed.length > 0) tell({ added, changed, removed });
    }),
  ];
  const withStatus = (credential: Credential): Credential => {
    const told = statuses.get(credential.id);
    return told === undefined ? credential : { ...credential, ...told };
  };

  return {
    list() {
      list ??= [...store.list(), ...[...configured.values()].map(withStatus)].sort((a, b) => (a.id < b.id ? -1 : 1));
      return list;
    },
    get(id) {
      const own = configured.get(id);
      return own === undefined ? store.get(id) : withStatus(own);
    },
    invalid: () => store.invalid(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    save: (name, fields, options) => store.save(name, fields, options),
    update: async (id, change) => (configured.has(id) ? undefined : store.update(id, change)),
    withLock: (id, work) => (configured.has(id) ? work(undefined, async () => {}) : store.withLock(id, work)),
    read: async (id) => (configured.has(id) ? undefined : store.read?.(id)),
    remove: async (id) => !configured.has(id) && store.remove(id),
    setStatus(id, status, statusMessage) {
      const own = configured.get(id);
      if (own === undefined) {
        store.setStatus(id, status, statusMessage);
        return;
      }
      const before = withStatus(own);
      if (status === own.status && statusMessage === undefined) statuses.delete(id);
      else statuses.set(id, statusMessage === undefined ? { status } : { status, statusMessage });
      tell({ added: [], changed: [{ before, after: withStatus(own) }], removed: [] });
    },
    async close() {
      for (const stop of unsubscribe) stop();
      listeners.clear();
      await store.close();
    },
  };
}

function index(credentials: readonly Credential[]): Map<string, Credential> {
  return new Map(credentials.map((credential) => [credential.id, credential]));
}

/** Same values, secrets included: a reload that did not touch an entry must not reset its state. */
export function sameCredential(left: Credential, right: Credential): boolean {
  return plain(left) === plain(right);
}

function plain({ fields, token, refreshToken, ...rest }: Credential): string {
  const secrets: JsonObject = fields.reveal();
  return JSON.stringify([rest, secrets, token?.reveal() ?? null, refreshToken?.reveal() ?? null]);
}
