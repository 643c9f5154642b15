// Our whole server, in process, pointed at the mock upstream as the vectors assume (protocols.md §6, "Mock and config").
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { type Config, configSchema } from '../../src/config/index.ts';
import type { Credential } from '../../src/credentials/credential.ts';
import { configCredentials } from '../../src/credentials/from-config.ts';
import { parseCredentialFile } from '../../src/credentials/parse.ts';
import { protocols } from '../../src/protocols/index.ts';
import { providers } from '../../src/providers/index.ts';
import { type DispatchDeps, DispatchLoop } from '../../src/routing/dispatch.ts';
import { Router } from '../../src/routing/router.ts';
import { keyRing } from '../../src/server/access.ts';
import { buildApp } from '../../src/server/app.ts';
import { ClientLimiter } from '../../src/server/client-route.ts';
import { answerLocally } from '../../src/server/local-answers.ts';

export interface System {
  url: string;
  close(): Promise<void>;
}

/** `over`: members of the config that replace those of the vectors. */
export async function startSystem(mockPort: number, over: object = {}): Promise<System> {
  const mock = `http://127.0.0.1:${mockPort}`;
  const config = configSchema.parse({ ...configFor(mock), ...over }) as Config;
  const credentials = [...configCredentials(config), ...fileCredentials(mock)];
  const router = new Router({
    source: { list: () => credentials, get: (id) => credentials.find((credential) => credential.id === id) },
    config: () => config,
  });
  const dispatcher = new Agent({ keepAliveTimeout: 60_000 });
  const loopDeps: DispatchDeps = {
    router,
    config: () => config,
    tokens: {
      // Nothing can be refreshed here, so that a 401 stands.
      ensureFresh: async (credential, { force }) => {
        if (force) throw new Error('no refresh in the vectors');
        return credential;
      },
      mint: async (_, credential) => credential.token?.reveal() ?? '',
    },
    dispatcherFor: () => dispatcher,
    now: Date.now,
    random: Math.random,
  };
  const keys = keyRing(config['api-keys']);
  const app = await buildApp({
    config: () => config,
    keys: () => keys,
    loop: new DispatchLoop(loopDeps),
    socketLoop: (compose) => new DispatchLoop({ ...loopDeps, dispatcherFor: () => compose(dispatcher) }),
    registry: router.registry,
    draining: () => false,
    notReady: () => undefined,
    limiter: new ClientLimiter(),
    answerLocally: (client) => answerLocally(client, router, protocols),
    finished: () => {},
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    async close() {
      app.server.closeAllConnections();
      await app.close();
      await dispatcher.close();
    },
  };
}

function configFor(mock: string): object {
  return {
    'api-keys': ['sk-client-test'],
    'force-model-prefix': true,
    'request-retry': 0,
    'max-retry-credentials': 1,
    'disable-cooling': true,
    'openai-compatibility': [
      {
        name: 'mock',
        'base-url': `${mock}/oai/v1`,
        'api-key-entries': [{ 'api-key': 'up-oai-key' }],
        models: [{ name: 'mock-chat' }, { name: 'vendor/mock-large:free', alias: 'mock-large' }],
      },
    ],
    'claude-api-key': [{ 'api-key': 'up-claude-key', 'base-url': `${mock}/claude`, cloak: { mode: 'never' } }],
    'codex-api-key': [{ 'api-key': 'up-codex-key', 'base-url': `${mock}/codex` }],
    'gemini-api-key': [{ 'api-key': 'up-gemini-key', 'base-url': `${mock}/gemini` }],
    'vertex-api-key': [
      {
        'api-key': 'up-vertex-key',
        'base-url': `${mock}/vertex`,
        prefix: 'vx',
        models: [
          { name: 'gemini-2.5-pro', alias: 'vertex-pro' },
          { name: 'gemini-2.5-flash', alias: 'vertex-flash' },
        ],
      },
    ],
    endpoints: { 'gemini-cli': { api: `${mock}/gcli` } },
  };
}

/** The two logins of the vectors; their tokens outlive any test. */
function fileCredentials(mock: string): readonly Credential[] {
  const later = new Date(Date.now() + 864e5).toISOString();
  const files = {
    'antigravity-test.json': {
      type: 'antigravity',
      email: 'ag@example.com',
      access_token: 'at-antigravity',
      refresh_token: 'rt',
      expired: later,
      project_id: 'proj-ag',
      prefix: 'ag',
      base_url: `${mock}/antigravity`,
    },
    'gemini-test.json': {
      type: 'gemini',
      email: 'gc@example.com',
      token: { access_token: 'at-gcli', refresh_token: 'rt', expiry: later },
      project_id: 'proj-gc',
      prefix: 'gc',
    },
  };
  return Object.entries(files).flatMap(([name, fields]) => {
    const read = parseCredentialFile(name, `/auth/${name}`, JSON.stringify(fields), {
      providerOf: (type) => [...providers.values()].find((provider) => provider.fileTypes.includes(type)),
      sealer: undefined,
      now: Date.now,
    });
    if (!read.ok) throw new Error(`${name}: ${read.invalid.message}`);
    return read.credentials;
  });
}
