// Where things are, read once: for everything on the command line but the server, which keeps watching.
import { readFileSync } from 'node:fs';
import {
  ConfigError,
  type LoadedConfig,
  locateConfig,
  parseConfig,
  resolveSettings,
  type Settings,
} from '../config/index.ts';
import type { SettingFlags } from '../config/settings.ts';
import type { FlagValue } from './arguments.ts';

/** A flag beats everything (config.md §15). */
export function settingFlags(values: ReadonlyMap<string, FlagValue>): SettingFlags {
  const text = (name: string) => {
    const value = values.get(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const port = values.get('port');
  return {
    config: text('config'),
    authDir: text('auth-dir'),
    host: text('host'),
    port: typeof port === 'number' ? port : undefined,
    logDir: text('log-dir'),
  };
}

export interface LoadedOnce {
  /** Absolute. */
  path: string;
  exists: boolean;
  loaded: LoadedConfig;
  settings: Settings;
}

/** Reads and changes nothing. Throws `ConfigError`, or `RangeError` for an environment value that cannot be used. */
export function loadOnce(flags: SettingFlags, where: { env: NodeJS.ProcessEnv; cwd: string }): LoadedOnce {
  const { path, origin } = locateConfig({ flags, ...where });
  const text = readText(path, origin !== 'default');
  const loaded = parseConfig(text ?? '', path);
  const settings = resolveSettings({ flags, ...where, file: text === undefined ? undefined : loaded });
  return { path, exists: text !== undefined, loaded, settings };
}

/** Undefined when there is no file and none was asked for. */
function readText(path: string, required: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT' && !required) return undefined;
    const reason = code === 'ENOENT' ? 'no such file' : `not readable (${code})`;
    throw new ConfigError(path, [{ line: 1, column: 1, path: '', reason }], 'unreadable');
  }
}
