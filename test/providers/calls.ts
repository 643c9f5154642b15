// Calls and credentials for tests of providers, written short.
import { defaultConfig } from '../../src/config/index.ts';
import type { Credential, ProviderId } from '../../src/credentials/credential.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { providers } from '../../src/providers/index.ts';
import type { CredentialFacts, UpstreamCall } from '../../src/providers/provider.ts';
import { Secret } from '../../src/secret.ts';

export const testNow = Date.parse('2026-01-01T00:00:00Z');

/** A credential as the store would make it of this file. */
export function credentialOf(provider: ProviderId, fields: JsonObject, more: Partial<Credential> = {}): Credential {
  const read = providers.get(provider)?.readCredential(fields) ?? { kind: 'oauth' };
  const facts: CredentialFacts = (Array.isArray(read) ? read[0] : read) ?? { kind: 'oauth' };
  return {
    id: `${provider}-a.json`,
    provider,
    providerKey: provider,
    kind: facts.kind,
    source: 'file',
    authIndex: '0123456789abcdef',
    label: facts.label ?? '',
    disabled: false,
    status: 'active',
    priority: 0,
    weight: 1,
    headers: {},
    excludedModels: [],
    fields: new Secret(fields),
    ...(facts.token === undefined ? {} : { token: new Secret(facts.token) }),
    ...(facts.projectId === undefined ? {} : { projectId: facts.projectId }),
    ...(facts.baseUrl === undefined ? {} : { baseUrl: facts.baseUrl }),
    ...more,
  };
}

export function callOf(credential: Credential, more: Partial<UpstreamCall> = {}): UpstreamCall {
  return {
    operation: 'generate',
    client: 'openai-chat',
    stream: false,
    model: 'm',
    info: undefined,
    headers: {},
    clientKey: '',
    credential,
    token: credential.token?.reveal() ?? '',
    config: defaultConfig(),
    now: () => testNow,
    variant: {},
    ...more,
  };
}

export function jsonBody(request: { body: string | Buffer }): JsonObject {
  return JSON.parse(request.body.toString()) as JsonObject;
}
