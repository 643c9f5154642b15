// Keys that rename, hide and rewrite: OAuth model maps, payload rules, fallback chains, ampcode (spec/config.md §6).
import * as z from 'zod';
import { bool, key, patterns, text, trimmed, words } from './kinds.ts';

function mapKeys<T>(map: Record<string, T>, keep: (value: T) => boolean): Record<string, T> {
  return Object.fromEntries(
    Object.entries(map)
      .map(([name, value]): [string, T] => [name.trim().toLowerCase(), value])
      .filter(([name, value]) => name !== '' && keep(value)),
  );
}

const alias = z.object({
  name: key(trimmed(), 'model name of the provider'),
  alias: key(trimmed(), 'name for clients'),
  fork: key(bool(), 'keep the original name too'),
});

function usableAliases<T extends { name: string; alias: string }>(list: readonly T[]): T[] {
  const seen = new Set<string>();
  return list.filter(({ name, alias: other }) => {
    const id = other.toLowerCase();
    if (name === '' || other === '' || name.toLowerCase() === id || seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}

export const oauthModelMaps = {
  'oauth-excluded-models': key(
    z
      .record(z.string(), patterns())
      .overwrite((map) => mapKeys(map, (list) => list.length > 0))
      .default({}),
    'models to hide, per login channel (`gemini-cli` `vertex` `aistudio` `antigravity` `claude` `codex` `qwen` `iflow` `kimi`)',
  ),
  'oauth-model-alias': key(
    z
      .record(z.string(), z.array(alias).overwrite(usableAliases))
      .overwrite((map) => mapKeys(map, (list) => list.length > 0))
      .default({}),
    'other names for models, per login channel',
  ),
};

const ruleModels = key(
  z
    .array(
      z.object({
        name: key(text(), 'model name, `*` stands for anything, case matters'),
        protocol: key(text(), 'only for this upstream protocol; empty = any'),
      }),
    )
    .default([]),
  'which requests the rule is for',
);
const params = key(z.record(z.string(), z.unknown()).default({}), 'JSON path → value, in file order');

const rules = (description: string) => key(z.array(z.object({ models: ruleModels, params })).default([]), description);

/** Values are JSON texts; a rule with an invalid one is dropped, see `load.ts` for the warning. */
const rawRules = (description: string) =>
  key(
    z
      .array(z.object({ models: ruleModels, params }))
      .overwrite((list) => list.filter((rule) => Object.values(rule.params).every(isRawJson)))
      .default([]),
    description,
  );

/** True for every value a raw rule may hold: JSON text, or something that is not a text. */
export function isRawJson(value: unknown): boolean {
  if (typeof value !== 'string') return true;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

const withParams = <T extends { params: object }>(list: T[]) =>
  list.filter((rule) => Object.keys(rule.params).length > 0);

export const payload = z.object({
  default: key(rules('').unwrap().overwrite(withParams).default([]), 'set where the client said nothing'),
  'default-raw': key(rawRules('').unwrap().overwrite(withParams).default([]), 'the same, values are JSON texts'),
  override: key(rules('').unwrap().overwrite(withParams).default([]), 'set always'),
  'override-raw': key(rawRules('').unwrap().overwrite(withParams).default([]), 'the same, values are JSON texts'),
  filter: key(
    z
      .array(z.object({ models: ruleModels, params: key(words(), 'JSON paths to remove') }))
      .overwrite(withParams)
      .default([]),
    'removed always',
  ),
});

export const ampcode = z.object({
  'upstream-url': key(trimmed(), "Amp's own server", { effect: 'none' }),
  'upstream-api-key': key(trimmed(), 'key for it', { effect: 'none', secret: true }),
  'upstream-api-keys': key(
    z
      .array(
        z.object({
          'upstream-api-key': key(trimmed(), 'key at the upstream', { secret: true, effect: 'none' }),
          'api-keys': key(words(), 'client keys that use it', { secret: true, effect: 'none' }),
        }),
      )
      .default([]),
    'key per client key',
    { effect: 'none' },
  ),
  'restrict-management-to-localhost': key(bool(), 'loopback only', { effect: 'none' }),
  'model-mappings': key(
    z
      .array(
        z.object({
          from: key(trimmed(), 'model asked for'),
          to: key(trimmed(), 'model used'),
          regex: key(bool(), '`from` is a regular expression'),
        }),
      )
      .default([]),
    'model names',
    { effect: 'none' },
  ),
  'force-model-mappings': key(bool(), 'mappings before own models', { effect: 'none' }),
});

/** Declared chains across models and providers (spec/routing.md D17). */
export const modelFallback = z
  .array(
    z.object({
      from: key(z.string().trim().min(1), 'model asked for; `*` stands for anything'),
      to: key(words(), 'models to try after it, in order'),
      on: key(
        z
          .array(z.enum(['quota', 'unavailable', 'overloaded', 'auth', 'not-found']))
          .default(['quota', 'unavailable', 'overloaded']),
        'kinds of failure that lead on',
      ),
    }),
  )
  .default([]);
