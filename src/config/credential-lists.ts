// The lists of API keys in the config file: shapes and the rules by which entries are dropped (spec/config.md §5).
import * as z from 'zod';
import { bool, headers, int, key, patterns, prefix, text, trimmed, words } from './kinds.ts';

/** v7's rules for errors that concern one request only (spec/routing.md §17). */
export const requestScopedErrors = () =>
  z
    .array(
      z.object({
        status: key(int(), 'HTTP status the rule applies to; 0 = any'),
        match: key(words(), 'texts of which one must occur in the error'),
        'match-regexr': key(words(), 'regular expressions of which one must match the error'),
        action: key(
          z.enum(['stop', 'stop-and-cooldown', 'continue', 'continue-and-cooldown']).default('stop'),
          'what to do with the other credentials and with this one',
        ),
      }),
    )
    .default([]);

const modelName = {
  name: key(trimmed(), 'model name at the upstream'),
  alias: key(trimmed(), 'model name for clients; empty = `name`'),
};

const thinking = z.object({
  min: key(z.int().optional(), 'smallest thinking budget in tokens'),
  max: key(z.int().optional(), 'largest thinking budget in tokens'),
  'zero-allowed': key(bool(), 'thinking may be switched off'),
  'dynamic-allowed': key(bool(), 'the model may choose the budget itself'),
  levels: key(words(), 'effort levels the model knows'),
});

const models = () =>
  z
    .array(z.object(modelName))
    .overwrite((list) => list.filter(({ name, alias }) => name !== '' || alias !== ''))
    .default([]);

/** What every credential of the config may say about its use. */
const tuning = {
  priority: key(int(), 'higher is used first'),
  weight: key(int(1), 'share under `weighted-round-robin`; 0 or less = never picked'),
  prefix: key(prefix(), 'clients reach its models as `prefix/model`'),
  headers: key(headers(), 'extra headers for the upstream'),
  'disable-cooling': key(z.boolean().optional(), 'overrides the global key'),
  'request-retry': key(z.int().optional(), 'overrides the global key'),
  'max-concurrency': key(z.int().optional(), 'overrides the global key'),
  'request-scoped-errors': key(requestScopedErrors(), 'rules for errors that concern one request only', {
    effect: 'planned',
  }),
  disabled: key(bool(), 'keep the entry, do not use it'),
};

const apiKey = (schema = text()) => key(schema, 'the key', { secret: true });
const baseUrl = (schema = trimmed()) => key(schema, "the upstream's base URL; empty = the provider's own");
const proxyUrl = (schema = trimmed()) => key(schema, 'proxy for this credential; empty = the global one');
const excluded = () => key(patterns(), 'models to hide; `*` stands for anything');

const geminiEntry = z.object({
  'api-key': apiKey(trimmed()),
  'base-url': baseUrl(),
  'proxy-url': proxyUrl(),
  models: key(models(), 'names for clients; empty = the catalog'),
  'excluded-models': excluded(),
  ...tuning,
});

const vertexEntry = geminiEntry.extend({
  models: key(
    models()
      .unwrap()
      .overwrite((list) => list.filter(({ name, alias }) => name !== '' && alias !== ''))
      .default([]),
    'names for clients, both parts needed; empty = the catalog',
  ),
});

const codexEntry = z.object({
  'api-key': apiKey(),
  'base-url': baseUrl(),
  'proxy-url': proxyUrl(text()),
  models: key(models(), 'names for clients; empty = the catalog'),
  'excluded-models': excluded(),
  websockets: key(bool(), 'talk to the upstream over WebSocket'),
  ...tuning,
});

const claudeEntry = z.object({
  'api-key': apiKey(),
  'base-url': baseUrl(text()),
  'proxy-url': proxyUrl(text()),
  models: key(models(), 'names for clients; empty = the catalog'),
  'excluded-models': excluded(),
  cloak: key(z.record(z.string(), z.unknown()).optional(), 'accepted and kept', { effect: 'none' }),
  'experimental-cch-signing': key(z.boolean().optional(), 'accepted and kept', { effect: 'none' }),
  ...tuning,
});

const compatEntry = z.object({
  name: key(trimmed(), 'provider name for logs, management and routing'),
  'base-url': baseUrl(),
  'api-key-entries': key(
    z
      .array(
        z.object({
          'api-key': apiKey(trimmed()),
          'proxy-url': proxyUrl(),
          weight: key(z.int().optional(), 'overrides the entry'),
          'max-concurrency': key(z.int().optional(), 'overrides the entry'),
          disabled: key(bool(), 'keep the key, do not use it'),
        }),
      )
      .default([]),
    'its keys, one credential each; none = one credential without a key',
  ),
  models: key(
    z
      .array(z.object({ ...modelName, thinking: key(thinking.optional(), 'absent = levels low, medium, high') }))
      .overwrite((list) => list.filter(({ name, alias }) => name !== '' || alias !== ''))
      .default([]),
    'models; a repeated alias is a pool',
  ),
  'excluded-models': excluded(),
  ...tuning,
});

interface Keyed {
  'api-key': string;
  'base-url': string;
}

/** Entries with a key; of entries with the same key and base URL the first. */
function distinctKeys<T extends Keyed>(list: readonly T[]): T[] {
  const seen = new Set<string>();
  return list.filter((entry) => {
    const id = `${entry['api-key']}\0${entry['base-url']}`;
    if (entry['api-key'] === '' || seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}

const withBase = <T extends { 'base-url': string }>(list: T[]) => list.filter((entry) => entry['base-url'] !== '');

export const credentialLists = {
  'gemini-api-key': key(
    z.array(geminiEntry).overwrite(distinctKeys).default([]),
    'Gemini API keys; entries without a key and repeats (key and base URL) are dropped',
  ),
  'codex-api-key': key(
    z.array(codexEntry).overwrite(withBase).default([]),
    'keys for a Responses upstream; entries without `base-url` are dropped',
  ),
  'claude-api-key': key(z.array(claudeEntry).default([]), 'Anthropic API keys'),
  'vertex-api-key': key(
    z.array(vertexEntry).overwrite(distinctKeys).default([]),
    'Vertex AI API keys; entries without a key and repeats (key and base URL) are dropped',
  ),
  'openai-compatibility': key(
    z.array(compatEntry).overwrite(withBase).default([]),
    'any upstream that speaks OpenAI chat completions; entries without `base-url` are dropped',
  ),
};
