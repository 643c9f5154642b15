// What differs between two configurations, in the user's words: dotted key names.
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { type Config, configSchema } from './schema.ts';
import type { Settings } from './settings.ts';
import { bare } from './yaml.ts';

export interface ConfigChange {
  readonly before: Config;
  readonly after: Config;
  /** `debug`, `routing.strategy`, `gemini-api-key`. */
  readonly changedKeys: readonly string[];
  /** Keys whose value is not the one the program started with and that only a restart applies. */
  readonly restartRequired: readonly string[];
  readonly settings: Settings;
}

/** Keys of different value: members of groups one by one, lists and maps as a whole. */
export function changedKeys(before: Config, after: Config): string[] {
  return differing(configSchema, before, after);
}

function differing(schema: z.ZodObject, before: object, after: object): string[] {
  return Object.entries(schema.shape).flatMap(([name, member]) => {
    const [a, b] = [Reflect.get(before, name), Reflect.get(after, name)];
    if (a === b || isDeepStrictEqual(a, b)) return [];
    const kind = bare(member);
    if (!(kind instanceof z.ZodObject) || typeof a !== 'object' || typeof b !== 'object') return [name];
    return differing(kind, a, b).map((inner) => `${name}.${inner}`);
  });
}

/** All keys that need a restart, dotted. */
export function restartKeys(schema: z.ZodObject = configSchema, prefix = ''): string[] {
  return Object.entries(schema.shape).flatMap(([name, member]) => {
    if (z.globalRegistry.get(member as z.ZodType)?.reload === 'restart') return [`${prefix}${name}`];
    const kind = bare(member);
    return kind instanceof z.ZodObject ? restartKeys(kind, `${prefix}${name}.`) : [];
  });
}

/** Of these keys the ones that wait for a restart; a value that a flag or the environment gives does not count. */
export function waitingForRestart(changed: readonly string[], origins: Settings['origins']): string[] {
  const restart = new Set(restartKeys());
  const overridden = (name: 'host' | 'port') => origins[name] === 'flag' || origins[name] === 'environment';
  return changed.filter(
    (key) => restart.has(key) && !(key === 'host' && overridden('host')) && !(key === 'port' && overridden('port')),
  );
}
