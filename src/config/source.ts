// The configuration of a running program: one immutable snapshot, swapped by edits and by changes of the file.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type ConfigChange, changedKeys, waitingForRestart } from './changes.ts';
import { ConfigDraft, ConfigEditError } from './draft.ts';
import { ConfigError, type LoadedConfig, parseConfig, remarkLine } from './load.ts';
import { withLock } from './lock.ts';
import type { Config } from './schema.ts';
import { hashSecretKey } from './secret-key.ts';
import { locateConfig, resolveSettings, type SettingSources, type Settings } from './settings.ts';
import { type WatchOptions, watchFile } from './watch.ts';
import { replaceFile, type WriteCalls } from './write.ts';
import type { Remark } from './yaml.ts';

export interface ConfigOptions extends Omit<SettingSources, 'file'> {
  /** `false`: load once, for a login. */
  watch?: WatchOptions | false;
  /** Gets one line per thing worth telling. */
  report?: (level: 'error' | 'warn' | 'info', line: string) => void;
  /** File system calls that a test may replace. */
  calls?: WriteCalls;
}

export interface EditOptions {
  /** The ETag the change was made for; another one now means `ConfigEditError` `stale`. */
  ifMatch?: string;
  /** Everything but the write. */
  dryRun?: boolean;
  /** The user insists: the last of `api-keys` may go although the address is open. */
  mayOpen?: boolean;
}

export interface EditResult {
  readonly changedKeys: readonly string[];
  readonly restartRequired: readonly string[];
  readonly warnings: readonly Remark[];
  readonly revision: string;
  readonly text: string;
}

export type Listener = (change: ConfigChange) => void | Promise<void>;

export interface ConfigSource {
  /** The snapshot; take it once per request. */
  current(): Config;
  /** Text, ETag and remarks of the file behind it. */
  loaded(): LoadedConfig;
  readonly settings: Settings;
  /** Keys that wait for a restart. */
  readonly restartRequired: readonly string[];
  /** Called after every swap; an edit waits for what the listener returns. Returns the unsubscribe function. */
  onChange(listener: Listener): () => void;
  /**
   * Changes the file and applies the result before it resolves. `change` may run again on fresher text when another
   * writer was faster. Throws `ConfigError`, `ConfigEditError`, or the file system's error: then nothing changed.
   */
  edit(change: (draft: ConfigDraft) => void, options?: EditOptions): Promise<EditResult>;
  /** Looks at the file now (SIGHUP). Resolves undefined when nothing changed; throws `ConfigError` and keeps the last good. */
  reload(): Promise<ConfigChange | undefined>;
  close(): Promise<void>;
}

/** Loads the configuration and keeps it current. Throws `ConfigError` when the file cannot be used. */
export async function openConfig(options: ConfigOptions = {}): Promise<ConfigSource> {
  const source = new FileSource(options);
  await source.start();
  return source;
}

/** Resolves when the config file is there, not blank and valid: for `DEPLOY=cloud`. Rejects when `signal` aborts. */
export function untilConfigured(options: ConfigOptions & { signal: AbortSignal }): Promise<void> {
  const { path } = locateConfig(options);
  return new Promise((resolve, reject) => {
    const look = () => {
      try {
        if (readLoaded(path, true)?.text.trim() === '') return;
      } catch {
        return;
      }
      stop();
      resolve();
    };
    const stop = watchFile(path, look, options.watch === false ? {} : options.watch);
    options.signal.addEventListener('abort', () => {
      stop();
      reject(options.signal.reason);
    });
    look();
  });
}

const mostTries = 5;

class FileSource implements ConfigSource {
  readonly #options: ConfigOptions;
  readonly #path: string;
  readonly #listeners = new Set<Listener>();
  #loaded: LoadedConfig;
  #config: Config;
  #exists: boolean;
  #settings: Settings;
  readonly #startConfig: Config;
  readonly #startSettings: Settings;
  #queue: Promise<unknown> = Promise.resolve();
  #stop: (() => void) | undefined;
  /** The last complaint about the file, told once. */
  #told = '';
  #hashed: { of: string; hash: string } | undefined;

  constructor(options: ConfigOptions) {
    this.#options = options;
    const { path, origin } = locateConfig(options);
    this.#path = path;
    const file = readLoaded(path, origin !== 'default');
    this.#loaded = file ?? parseConfig('', path);
    this.#exists = file !== undefined;
    this.#config = this.#loaded.config;
    this.#settings = resolveSettings({ ...options, file });
    this.#startConfig = this.#config;
    this.#startSettings = this.#settings;
  }

  async start(): Promise<void> {
    for (const warning of this.#loaded.warnings) this.#report('warn', remarkLine(this.#path, warning));
    for (const warning of this.#settings.warnings) this.#report('warn', warning);
    if (this.#loaded.plainSecretKey) await this.#hashAndApply(this.#loaded);
    if (this.#options.watch === false) return;
    this.#stop = watchFile(this.#path, () => void this.reload().catch(() => undefined), this.#options.watch);
  }

  current(): Config {
    return this.#config;
  }

  loaded(): LoadedConfig {
    return this.#loaded;
  }

  get settings(): Settings {
    return this.#settings;
  }

  get restartRequired(): readonly string[] {
    return waitingForRestart(changedKeys(this.#startConfig, this.#config), this.#startSettings.origins);
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  edit(change: (draft: ConfigDraft) => void, options: EditOptions = {}): Promise<EditResult> {
    return this.#inTurn(() => withLock(this.#path, () => this.#edit(change, options)));
  }

  reload(): Promise<ConfigChange | undefined> {
    return this.#inTurn(() => this.#reload());
  }

  async close(): Promise<void> {
    this.#stop?.();
    this.#listeners.clear();
    await this.#queue.catch(() => undefined);
  }

  async #edit(change: (draft: ConfigDraft) => void, options: EditOptions): Promise<EditResult> {
    for (let tries = 0; tries < mostTries; tries++) {
      const base = await textOf(this.#path);
      const draft = this.#draftOf(base);
      if (options.ifMatch !== undefined && options.ifMatch !== draft.loaded.revision) {
        throw new ConfigEditError('stale', 'the configuration was changed meanwhile');
      }
      change(draft);
      const secret = draft.config['remote-management']['secret-key'];
      if (draft.loaded.plainSecretKey) draft.set(['remote-management', 'secret-key'], await this.#hashOf(secret));
      if (!options.mayOpen && this.#wouldOpen(draft.config)) {
        throw new ConfigEditError(
          'would_open',
          'this would let everyone in: the address is open and no api-keys are left',
        );
      }
      const changed = changedKeys(this.#config, draft.config);
      const result = {
        changedKeys: changed,
        restartRequired: waitingForRestart(changed, this.#startSettings.origins),
        warnings: draft.loaded.warnings,
        revision: draft.loaded.revision,
        text: draft.text,
      };
      if (options.dryRun) return result;
      if ((await textOf(this.#path)) !== base) continue;
      if (draft.text !== (base ?? '')) await replaceFile(this.#path, draft.text, this.#options.calls);
      await this.#apply(draft.loaded, draft.config);
      return result;
    }
    throw new ConfigEditError('stale', 'the configuration keeps changing; try again');
  }

  #draftOf(text: string | undefined): ConfigDraft {
    if (text === undefined && this.#loaded.text !== '') {
      // One key in a new file would be all that is left of a file that was deleted.
      return new ConfigDraft(this.#loaded, this.#path, unreadable(this.#path, { code: 'ENOENT' }));
    }
    if (text === undefined || text === this.#loaded.text) return new ConfigDraft(this.#loaded, this.#path);
    try {
      return new ConfigDraft(parseConfig(text, this.#path), this.#path);
    } catch (error) {
      return new ConfigDraft(this.#loaded, this.#path, error as Error);
    }
  }

  async #reload(): Promise<ConfigChange | undefined> {
    const text = await textOf(this.#path).catch((error: NodeJS.ErrnoException) => {
      throw this.#complain(unreadable(this.#path, error), error.code ?? '');
    });
    if (text === undefined) {
      if (this.#exists) this.#tell('warn', `config: ${this.#path} is gone; the last good one stays`, 'gone');
      return undefined;
    }
    if (text === this.#loaded.text && this.#exists) {
      this.#told = '';
      return undefined;
    }
    let loaded: LoadedConfig;
    try {
      loaded = parseConfig(text, this.#path);
    } catch (error) {
      throw this.#complain(error as Error, text);
    }
    // Blank, only comments, `null`: nobody empties a configuration on purpose while it is in use.
    if (saysNothing(loaded) && !saysNothing(this.#loaded)) {
      this.#tell('warn', `config: ${this.#path} is empty; the last good one stays`, 'empty');
      return undefined;
    }
    this.#told = '';
    for (const warning of loaded.warnings) this.#report('warn', remarkLine(this.#path, warning));
    if (loaded.plainSecretKey) return this.#hashAndApply(loaded);
    return this.#apply(loaded, this.#closed(loaded.config));
  }

  /** An emptied key list on an open address is more likely an accident than a wish: the old keys stay. */
  #closed(config: Config): Config {
    if (!this.#wouldOpen(config)) return config;
    this.#report(
      'error',
      'config: `api-keys` is empty now, but the address is open: the old keys stay. Set `allow-unauthenticated: true` if this is intended.',
    );
    return Object.freeze({ ...config, 'api-keys': this.#config['api-keys'] });
  }

  #wouldOpen(config: Config): boolean {
    const vanished = config['api-keys'].length === 0 && this.#config['api-keys'].length > 0;
    return vanished && this.#startSettings.open && !config['allow-unauthenticated'];
  }

  async #apply(loaded: LoadedConfig, config: Config): Promise<ConfigChange | undefined> {
    const before = this.#config;
    this.#loaded = loaded;
    this.#config = config;
    this.#exists = true;
    this.#settings = this.#settingsOf(loaded);
    const changed = changedKeys(before, config);
    if (changed.length === 0) return undefined;
    const change: ConfigChange = {
      before,
      after: config,
      changedKeys: changed,
      restartRequired: this.restartRequired,
      settings: this.#settings,
    };
    const waits = [...this.#listeners].map(async (listener) => listener(change));
    for (const outcome of await Promise.allSettled(waits)) {
      if (outcome.status === 'rejected') this.#report('error', `config: not applied everywhere: ${outcome.reason}`);
    }
    return change;
  }

  /** The address is the one that was bound; everything else follows the file. */
  #settingsOf(file: LoadedConfig): Settings {
    const { host, port, open, origins } = this.#startSettings;
    const fresh = resolveSettings({ ...this.#options, file });
    return { ...fresh, host, port, open, origins: { ...fresh.origins, host: origins.host, port: origins.port } };
  }

  /** Replaces the plain management key in the file. A file that cannot be written keeps it; memory does not. */
  async #hashAndApply(plain: LoadedConfig): Promise<ConfigChange | undefined> {
    const hash = await this.#hashOf(plain.config['remote-management']['secret-key']);
    const path = ['remote-management', 'secret-key'];
    let loaded: LoadedConfig;
    try {
      loaded = new ConfigDraft(plain, this.#path).set(path, hash).loaded;
      await withLock(this.#path, async () => {
        if ((await textOf(this.#path)) !== plain.text) return;
        await replaceFile(this.#path, loaded.text, this.#options.calls);
      });
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      this.#report('warn', `config: the management key in ${this.#path} could not be replaced by its hash: ${reason}`);
      const management = Object.freeze({ ...plain.config['remote-management'], 'secret-key': hash });
      return this.#apply(plain, this.#closed(Object.freeze({ ...plain.config, 'remote-management': management })));
    }
    return this.#apply(loaded, this.#closed(loaded.config));
  }

  async #hashOf(plain: string): Promise<string> {
    const of = createHash('sha256').update(plain).digest('hex');
    if (this.#hashed?.of !== of) this.#hashed = { of, hash: await hashSecretKey(plain) };
    return this.#hashed.hash;
  }

  #complain(error: Error, about: string): Error {
    this.#tell('error', `${error.message}; the last good configuration stays`, about);
    return error;
  }

  #tell(level: 'error' | 'warn', line: string, about: string): void {
    const key = `${line}\0${about}`;
    if (this.#told !== key) this.#report(level, line);
    this.#told = key;
  }

  #report(level: 'error' | 'warn' | 'info', line: string): void {
    this.#options.report?.(level, line);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }
}

function saysNothing(loaded: LoadedConfig): boolean {
  return Object.keys(loaded.given).length === 0;
}

/** The file's text; undefined when there is none. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function readLoaded(path: string, required: boolean): LoadedConfig | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !required) return undefined;
    throw unreadable(path, error as NodeJS.ErrnoException);
  }
  return parseConfig(text, path);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'is a folder, not a file',
  EACCES: 'not readable (permission denied)',
  ELOOP: 'a symbolic link that leads nowhere',
};

function unreadable(path: string, error: { code?: string | undefined }): ConfigError {
  const reason = reasons[error.code ?? ''] ?? `not readable (${error.code ?? 'unknown error'})`;
  return new ConfigError(path, [{ line: 1, column: 1, path: '', reason }], 'unreadable');
}
