// A provider, a clock and a folder for the tests of the credential store.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AuthFolder, type AuthFolderOptions, openAuthFolder } from '../../src/credentials/auth-folder.ts';
import type { CredentialChange } from '../../src/credentials/credential.ts';
import { readExpiry, readLastRefresh } from '../../src/credentials/expiry.ts';
import type { Clock } from '../../src/credentials/watch.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import type { Provider, RefreshPolicy } from '../../src/providers/provider.ts';

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);

/** `type: "claude"`; with `projects` one child each. Extras of a provider that no test here needs are left out. */
export function fakeProvider(refresh?: Partial<RefreshPolicy>, more: Partial<Provider> = {}): Provider {
  const policy: RefreshPolicy = {
    leadMs: 4 * 3_600_000,
    canRefresh: (fields) => text(fields.refresh_token) !== undefined,
    refresh: async () => ({}),
    ...refresh,
  };
  return {
    id: 'claude',
    displayName: 'Claude',
    fileTypes: ['claude'],
    loginCommand: './cliproxy -claude-login',
    readCredential(fields: JsonObject) {
      if (fields.explode === true) throw new Error('bad shape');
      const facts = {
        kind: 'oauth' as const,
        email: text(fields.email),
        token: text(fields.access_token),
        refreshToken: text(fields.refresh_token),
        expiresAt: readExpiry(fields),
        lastRefreshAt: readLastRefresh(fields),
      };
      const projects = Array.isArray(fields.projects) ? fields.projects : [];
      if (projects.length === 0) return facts;
      return projects.map((project) => ({ ...facts, child: String(project), projectId: String(project) }));
    },
    ...(refresh === undefined ? {} : { refresh: policy }),
    upstream: {} as Provider['upstream'],
    models: () => [],
    ...more,
  };
}

/** Time that moves only when told. */
export class FakeClock implements Clock {
  time = Date.UTC(2026, 0, 1);
  #timers = new Set<{ at: number; run: () => void }>();
  now = () => this.time;

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + Math.max(ms, 0), run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Runs what is due, in order, with the promises it started, up to `ms` from now. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.run();
      await settle();
    }
    this.time = end;
    await settle();
  }

  get pending(): number[] {
    return [...this.#timers].map(({ at }) => at - this.time).sort((a, b) => a - b);
  }
}

/** Lets promises and short file operations that are under way come to rest. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class Folder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'cliproxy-auth-'));
  readonly warnings: string[] = [];
  readonly changes: CredentialChange[] = [];
  readonly stores: AuthFolder[] = [];

  file(name: string): string {
    return path.join(this.path, name);
  }

  put(name: string, content: unknown, mode = 0o600): void {
    writeFileSync(this.file(name), typeof content === 'string' ? content : JSON.stringify(content), { mode });
    chmodSync(this.file(name), mode);
  }

  text(name: string): string {
    return readFileSync(this.file(name), 'utf8');
  }

  json(name: string): JsonObject {
    return JSON.parse(this.text(name));
  }

  async open(options: Partial<AuthFolderOptions> = {}): Promise<AuthFolder> {
    const store = await openAuthFolder({
      folder: this.path,
      providers: [fakeProvider({})],
      log: { info: () => {}, warn: (line) => this.warnings.push(line) },
      watch: false,
      ...options,
    });
    store.onChange((change) => this.changes.push(change));
    this.stores.push(store);
    return store;
  }

  /** What listeners were told since the last call: `+id`, `~id`, `-id`. */
  told(): string[] {
    return this.changes
      .splice(0)
      .flatMap(({ added, changed, removed }) => [
        ...added.map(({ id }) => `+${id}`),
        ...changed.map(({ after }) => `~${after.id}`),
        ...removed.map(({ id }) => `-${id}`),
      ]);
  }

  async close(): Promise<void> {
    for (const store of this.stores) await store.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}

export const good = (email: string, more: JsonObject = {}): JsonObject => ({
  type: 'claude',
  email,
  access_token: `at-${email}`,
  refresh_token: `rt-${email}`,
  expired: '2099-01-01T00:00:00Z',
  ...more,
});
