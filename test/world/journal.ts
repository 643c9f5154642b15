// What happened in the world: one entry per request, and a way to wait for it without sleeping.
import type { JsonObject } from '../../src/protocols/neutral.ts';
import type { CallKind, FakeProviderId } from './types.ts';

export interface Entry {
  readonly id: number;
  readonly provider: FakeProviderId | '';
  kind: CallKind;
  method: string;
  /** With the provider's prefix. */
  path: string;
  query: Record<string, string>;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** As text. */
  body: string;
  json?: JsonObject;
  form?: Record<string, string>;
  /** Whose credential it carried; `''` when unknown. */
  account: string;
  /** The token or key itself. */
  credential: string;
  model: string;
  stream: boolean;
  /** Of the answer; 0 while there is none. */
  status: number;
  /** Stream events written so far. */
  events: number;
  /** `aborted`: the caller left; `cut`: a script broke the connection. */
  state: 'open' | 'done' | 'aborted' | 'cut';
  /** Everything that the real service would not have liked. */
  problems: string[];
  /** Facts of one provider, e.g. iFlow's `signature`. */
  notes: Record<string, string>;
}

export type EntryFilter = Partial<Pick<Entry, 'provider' | 'kind' | 'account' | 'model' | 'state' | 'status'>>;

/** Longest wait before a test fails instead of hanging, in ms. */
const patienceMs = 10_000;

export class Journal {
  readonly entries: Entry[] = [];
  readonly #watchers = new Set<() => void>();

  add(entry: Omit<Entry, 'id'>): Entry {
    const added = { ...entry, id: this.entries.length + 1 };
    this.entries.push(added);
    this.changed();
    return added;
  }

  /** To be called after any change of an entry. */
  changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  select(filter: EntryFilter = {}): Entry[] {
    return this.entries.filter((entry) =>
      (Object.keys(filter) as (keyof EntryFilter)[]).every((key) => entry[key] === filter[key]),
    );
  }

  /** Resolves when `condition` holds; asked now and after every change. */
  until(condition: () => boolean, what = 'a condition of the world'): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const watcher = (): void => {
        if (condition()) finish(resolve);
      };
      const timer = setTimeout(() => finish(() => reject(new Error(`${what} did not come true`))), patienceMs);
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        settle();
      };
      this.#watchers.add(watcher);
    });
  }
}
