// The flags that say where things are, for the configuration (config.md §15: a flag beats everything).
import type { SettingFlags } from '../config/settings.ts';
import type { FlagValue } from './arguments.ts';

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
