// Credentials and calls for tests of upstreams.
import { type Config, configSchema } from '../../src/config/index.ts';
import type { Credential } from '../../src/credentials/credential.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import type { Upstream, UpstreamCall } from '../../src/providers/provider.ts';
import { Secret } from '../../src/secret.ts';

export const now = Date.parse('2026-01-01T00:00:00Z');

export function configOf(fields: object = {}): Config {
  return configSchema.parse(fields) as Config;
}

export function credentialOf(over: Partial<Credential> = {}): Credential {
  return {
    id: 'test',
    provider: 'claude',
    providerKey: over.provider ?? 'claude',
    kind: 'api-key',
    source: 'config',
    authIndex: '0000000000000000',
    label: 'test',
    disabled: false,
    status: 'active',
    priority: 0,
    weight: 1,
    headers: {},
    excludedModels: [],
    fields: new Secret({}),
    ...over,
  };
}

export function callOf(over: Partial<UpstreamCall> = {}): UpstreamCall {
  return {
    operation: 'generate',
    client: 'openai-chat',
    stream: false,
    model: 'model-1',
    info: undefined,
    headers: {},
    clientKey: '',
    credential: credentialOf(),
    token: 'key-of-upstream',
    config: configOf(),
    now: () => now,
    variant: {},
    ...over,
  };
}

/** What goes over the wire for a native body: adapt, finish, request. */
export function sent(upstream: Upstream, body: JsonObject, call: UpstreamCall) {
  const adapted = upstream.adapt(structuredClone(body), call);
  const finished = upstream.finish?.(adapted, call) ?? adapted;
  const request = upstream.request(finished, call);
  return { ...request, json: JSON.parse(request.body.toString()) as JsonObject };
}
