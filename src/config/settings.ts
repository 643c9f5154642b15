// What flags, environment and file say together about where the program lives: config path, credential folder, address,
// port, log folder. A flag beats the environment, the environment the file, the file the default (spec/config.md §15).
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { type Env, variable } from './env.ts';
import type { LoadedConfig } from './load.ts';
import { defaultAuthFolder, defaultPort } from './schema.ts';

export interface SettingFlags {
  config?: string | undefined;
  authDir?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  logDir?: string | undefined;
}

export interface SettingSources {
  flags?: SettingFlags;
  env?: Env;
  /** The loaded file; undefined when there is none. */
  file?: LoadedConfig | undefined;
  cwd?: string;
  home?: string;
  /** True for a folder that exists and can be written. */
  isWritable?: (folder: string) => boolean;
}

export type Origin = 'flag' | 'environment' | 'file' | 'default';

export interface Settings {
  /** Absolute. */
  readonly configPath: string;
  /** The user named it: it has to exist. */
  readonly configExplicit: boolean;
  readonly configExists: boolean;
  /** Absolute. */
  readonly authDir: string;
  /** To listen on; empty = all interfaces, IPv4 and IPv6. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Absolute. */
  readonly logDir: string;
  /** Where each value comes from: a value that is not the file's is never written back and survives reloads. */
  readonly origins: Readonly<Record<'config' | 'authDir' | 'host' | 'port' | 'logDir', Origin>>;
  /** `DEPLOY=cloud`: wait for a valid config instead of failing. */
  readonly standby: boolean;
  /** Base folder for what the program writes beside credentials. */
  readonly writablePath: string | undefined;
  /** True when the address is reachable from other machines. */
  readonly open: boolean;
  /** Lines that the user should see. */
  readonly warnings: readonly string[];
}

/** Throws `RangeError` with one line when an environment value cannot be used. */
export function resolveSettings(sources: SettingSources = {}): Settings {
  const { flags = {}, env = {}, file, cwd = process.cwd(), isWritable = canWrite } = sources;
  const home = sources.home ?? variable(env, 'HOME') ?? homedir();
  const config = locateConfig(sources);
  const folder = first([
    ['flag', flags.authDir],
    ['environment', variable(env, 'CLIPROXY_AUTH_DIR')],
    ['file', given(file, 'auth-dir') === undefined ? undefined : file?.config['auth-dir']],
    ['default', defaultAuthFolder],
  ]);
  const port = first<number>([
    ['flag', flags.port],
    ['environment', portOf(variable(env, 'CLIPROXY_PORT'))],
    ['file', given(file, 'port') === undefined ? undefined : file?.config.port],
    ['default', defaultPort],
  ]);
  const keyless = (file?.config['api-keys'].length ?? 0) === 0;
  const unauthenticated = file?.config['allow-unauthenticated'] === true;
  // `host: ""` stands in many files that were copied and names no address: alone it does not open a door without keys.
  const named = given(file, 'host') === undefined ? undefined : file?.config.host.trim();
  const shut = keyless && !unauthenticated;
  const host = first([
    ['flag', flags.host],
    ['environment', variable(env, 'CLIPROXY_HOST')],
    ['file', named === '' && shut ? undefined : named],
    ['default', keyless ? '127.0.0.1' : ''],
  ]);
  const authDir = path.resolve(cwd, expandHome(folder.value, home));
  const writablePath = variable(env, 'WRITABLE_PATH') ?? variable(env, 'writable_path');
  const log = logFolder({ flags, env, cwd, authDir, writablePath, isWritable });
  const open = !isLoopback(host.value);
  const warnings: string[] = [];
  if (named === '' && shut && host.origin === 'default') {
    warnings.push(
      'listening on 127.0.0.1 only, because there are no api-keys: set `api-keys` to listen on all interfaces (`host: ""`)',
    );
  }
  if (shut && open) {
    const where = host.value === '' ? 'all interfaces' : host.value;
    warnings.push(
      `WARNING: listening on ${where} without api-keys: everyone who reaches this address can use your accounts. Set \`api-keys\`, or \`allow-unauthenticated: true\` if this is intended.`,
    );
  }
  for (const name of ['PGSTORE_DSN', 'OBJECTSTORE_ENDPOINT', 'GITSTORE_GIT_URL']) {
    if ((variable(env, name) ?? variable(env, name.toLowerCase())) !== undefined) {
      warnings.push(`config: ${name} is set, but this store is not yet active; files are used`);
    }
  }
  return {
    configPath: config.path,
    configExplicit: config.origin !== 'default',
    configExists: file !== undefined,
    authDir,
    host: host.value,
    port: port.value,
    logDir: log.value,
    origins: {
      config: config.origin,
      authDir: folder.origin,
      host: host.origin,
      port: port.origin,
      logDir: log.origin,
    },
    standby: env.DEPLOY === 'cloud',
    writablePath,
    open,
    warnings,
  };
}

/** `-config`, `CLIPROXY_CONFIG`, `<cwd>/config.yaml`; no other place is searched. */
export function locateConfig(sources: SettingSources = {}): { path: string; origin: Origin } {
  const { flags = {}, env = {}, cwd = process.cwd() } = sources;
  const { value, origin } = first([
    ['flag', flags.config],
    ['environment', variable(env, 'CLIPROXY_CONFIG')],
    ['default', 'config.yaml'],
  ]);
  return { path: path.resolve(cwd, value), origin };
}

/** Only a leading `~` means the home folder. */
export function expandHome(folder: string, home: string): string {
  const clean = folder.trim();
  return clean.startsWith('~') ? path.join(home, clean.slice(1).replace(/^[/\\]+/, '')) : clean;
}

/** True for an address that other machines cannot reach. */
export function isLoopback(host: string): boolean {
  const bare = host
    .trim()
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:/, '');
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

interface LogSources {
  flags: SettingFlags;
  env: Env;
  cwd: string;
  authDir: string;
  writablePath: string | undefined;
  isWritable: (folder: string) => boolean;
}

/** One folder for all logs (spec/config.md §11.1, C8). */
function logFolder({ flags, env, cwd, authDir, writablePath, isWritable }: LogSources) {
  const chosen = flags.logDir ?? variable(env, 'CLIPROXY_LOG_DIR');
  if (chosen !== undefined) {
    const origin: Origin = flags.logDir === undefined ? 'environment' : 'flag';
    return { value: path.resolve(cwd, chosen), origin };
  }
  if (writablePath !== undefined) {
    return { value: path.resolve(cwd, writablePath, 'logs'), origin: 'environment' as const };
  }
  const local = path.resolve(cwd, 'logs');
  return { value: isWritable(local) ? local : path.join(authDir, 'logs'), origin: 'default' as const };
}

function first<T = string>(candidates: readonly (readonly [Origin, T | undefined])[]): { value: T; origin: Origin } {
  for (const [origin, value] of candidates) {
    if (value !== undefined && (origin === 'file' || value !== '')) return { value, origin };
  }
  return { value: candidates.at(-1)?.[1] as T, origin: 'default' };
}

function given(file: LoadedConfig | undefined, name: string): unknown {
  return file?.given[name];
}

function portOf(source: string | undefined): number | undefined {
  if (source === undefined) return undefined;
  const port = /^\d{1,5}$/.test(source) ? Number(source) : Number.NaN;
  if (!(port <= 65_535)) throw new RangeError('config: CLIPROXY_PORT must be a number from 0 to 65535');
  return port;
}

function canWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}
