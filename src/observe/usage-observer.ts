// Every upstream attempt becomes one usage record, however it ended (spec/config.md §12, spec/routing.md §13).
import type { Config } from '../config/index.ts';
import type { Credential } from '../credentials/credential.ts';
import type { Usage } from '../protocols/neutral.ts';
import type { ClientRequest } from '../routing/client-request.ts';
import type { AttemptRecord, Observer } from '../routing/dispatch.ts';
import { mask } from '../secret.ts';
import type { UsageStore, UsageTokens } from './usage.ts';

export interface UsageObserverOptions {
  store: UsageStore;
  config(): Config;
  /** Digest under which a client key travels. */
  digestOf(key: string): string;
}

export function usageObserver({ store, config, digestOf }: UsageObserverOptions): Observer {
  const keyOf = clientKeys(config, digestOf);
  return {
    attempt(client, record) {
      if (!config()['usage-statistics-enabled']) return;
      store.record({
        api: apiOf(client, record, keyOf),
        model: record.upstreamModel,
        alias: client.model,
        at: record.startedAt,
        latencyMs: record.tookMs,
        source: sourceOf(record.credential),
        authIndex: record.credential.authIndex,
        tokens: record.usage === undefined ? {} : tokensOf(record.usage),
        failed: record.failure !== undefined,
      });
    },
  };
}

/**
 * The client key, masked and told apart from keys that look alike by the start of its digest: statistics are shown,
 * exported and kept on disk, so no key belongs in them (management-api.md R10). Without keys `METHOD /path`, else the
 * provider.
 */
function apiOf(client: ClientRequest, record: AttemptRecord, keyOf: (digest: string) => string | undefined): string {
  if (client.clientKey !== '') return keyOf(client.clientKey) ?? `key-${client.clientKey.slice(0, 8)}`;
  return client.endpoint === '' ? record.provider : client.endpoint;
}

/** `sk-a...1234 (0f1e2d3c)` */
export function keyLabel(key: string, digest: string): string {
  return `${mask(key)} (${digest.slice(0, 8)})`;
}

/** Requests carry the digest of their key only; the configuration knows which key that is. */
function clientKeys(config: () => Config, digestOf: (key: string) => string): (digest: string) => string | undefined {
  let from: readonly string[] | undefined;
  let known = new Map<string, string>();
  return (digest) => {
    const keys = config()['api-keys'];
    if (keys !== from) {
      from = keys;
      known = new Map(keys.map((key) => [digestOf(key), keyLabel(key, digestOf(key))]));
    }
    return known.get(digest);
  };
}

/** Who answered, in words that hold no secret; the stable join field is `auth_index`. */
export function sourceOf(credential: Credential): string {
  if (credential.provider === 'gemini-cli') return credential.id;
  if (credential.provider === 'vertex' && credential.projectId !== undefined) return credential.projectId;
  if (credential.email !== undefined && credential.email !== '') return credential.email;
  if (credential.kind === 'api-key' && credential.token !== undefined) return mask(credential.token.reveal());
  return credential.label;
}

function tokensOf(usage: Usage): Partial<UsageTokens> {
  const tokens: Partial<UsageTokens> = { input_tokens: usage.input, output_tokens: usage.output };
  if (usage.reasoning !== undefined) tokens.reasoning_tokens = usage.reasoning;
  if (usage.cacheRead !== undefined) tokens.cached_tokens = usage.cacheRead;
  if (usage.total !== undefined) tokens.total_tokens = usage.total;
  return tokens;
}
