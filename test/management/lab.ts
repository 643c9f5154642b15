// A management API in one process: the real configuration, credential store, router and sessions in a temporary
// folder, a clock that stands still, and a network that ends at a loopback echo.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from 'fastify';
import { Agent, buildConnector } from 'undici';
import { type ConfigSource, openConfig } from '../../src/config/index.ts';
import { openAuthFolder } from '../../src/credentials/auth-folder.ts';
import type { CredentialStore } from '../../src/credentials/credential.ts';
import { configCredentials } from '../../src/credentials/from-config.ts';
import { credentialPool } from '../../src/credentials/pool.ts';
import { type HttpClient, HttpError } from '../../src/net/http.ts';
import type { RemoteLogin } from '../../src/oauth/flow.ts';
import { createRemoteLogins, type RemoteLogins } from '../../src/oauth/remote.ts';
import { createOAuthSessions } from '../../src/oauth/sessions.ts';
import { createAuditLog } from '../../src/observe/audit.ts';
import { createEventFeed } from '../../src/observe/event-feed.ts';
import { createLogFolder } from '../../src/observe/log-folder.ts';
import { createUsageStore } from '../../src/observe/usage.ts';
import { catalogFor } from '../../src/providers/catalog.ts';
import { providers } from '../../src/providers/index.ts';
import { Router } from '../../src/routing/router.ts';
import { createConfigPort } from '../../src/server/management/config-port.ts';
import { cookieLogin } from '../../src/server/management/cookie-login.ts';
import type { ManagementDeps, RelayNetwork } from '../../src/server/management/deps.ts';
import { managementRoutes } from '../../src/server/management/index.ts';
import { endpointHosts } from '../../src/server/management/token-hosts.ts';
import { importVertex, remoteLogins, routerView } from '../../src/server/management/wiring.ts';

export const key = 'management-key-of-the-tests';
export const bearer = { authorization: `Bearer ${key}` };

export interface Lab {
  app: FastifyInstance;
  deps: ManagementDeps;
  source: ConfigSource;
  store: CredentialStore;
  router: Router;
  remote: RemoteLogins;
  dir: string;
  authDir: string;
  configFile: string;
  logDir: string;
  clock: { now: number };
  /** With the right key. `path` is under the prefix when it has no leading slash. */
  call(method: string, path: string, options?: Partial<InjectOptions>): Promise<LightMyRequestResponse>;
  close(): Promise<void>;
}

export interface LabOptions {
  config?: string;
  /** Name → fields of credential files. */
  files?: Record<string, unknown>;
  /** More text files, relative to the folder of the lab. */
  more?: Record<string, string>;
  logins?: readonly RemoteLogin[];
  http?: HttpClient;
  deps?: Partial<ManagementDeps>;
  now?: number;
}

export const noNetwork: HttpClient = {
  request: () => Promise.reject(new HttpError('no network in tests', { code: 'ENOTFOUND' })),
};

export const smallConfig = `host: "127.0.0.1"
remote-management:
  secret-key: "${key}"
api-keys:
  - client-key-1
  - client-key-2
logging-to-file: true
usage-statistics-enabled: true
`;

export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const dir = mkdtempSync(path.join(tmpdir(), 'management-'));
  const authDir = path.join(dir, 'auths');
  const logDir = path.join(dir, 'logs');
  for (const folder of [authDir, logDir]) mkdirSync(folder);
  for (const [name, text] of Object.entries(options.more ?? {})) writeFileSync(path.join(dir, name), text);
  for (const [name, fields] of Object.entries(options.files ?? {})) {
    writeFileSync(path.join(authDir, name), JSON.stringify(fields), { mode: 0o600 });
  }
  const configFile = path.join(dir, 'config.yaml');
  writeFileSync(
    configFile,
    (options.config ?? smallConfig).replaceAll('<dir>', dir).replaceAll('<management-key>', key),
  );
  const clock = { now: options.now ?? Date.parse('2026-11-22T12:00:00Z') };
  const now = (): number => clock.now;
  const source = await openConfig({ flags: { config: configFile, authDir, logDir }, env: {}, cwd: dir, watch: false });
  const config = () => source.current();
  const log = { info: () => undefined, warn: () => undefined };
  const folder = await openAuthFolder({ folder: authDir, providers: providers.values(), log, watch: false });
  const store = credentialPool(folder, {
    list: () => configCredentials(config()),
    onChange: (listener) => source.onChange(() => listener()),
  });
  const router = new Router({ source: store, config, now });
  store.onChange((change) => router.credentialsChanged(change));
  source.onChange(() => router.configChanged());
  const http = options.http ?? noNetwork;
  const sessions = createOAuthSessions({ now, monotonic: now, ttlMs: 600_000, purgeEveryMs: 0 });
  const context = { config: config(), store, http, now };
  const remote = createRemoteLogins({ sessions, context, authDir: () => authDir, lookEveryMs: 50 });
  let ids = 0;
  const deps: ManagementDeps = {
    config: createConfigPort(source),
    store,
    authDir: () => authDir,
    router: routerView(router, store, now),
    logins: options.logins ? async () => options.logins ?? [] : remoteLogins,
    cookieLogin: (cookie, email) => cookieLogin({ ...context, signal: AbortSignal.timeout(5_000) }, cookie, email),
    remote,
    refresh: async () => {
      throw new Error('refresh failed here');
    },
    importVertex: (account, location) => importVertex(store, account, location),
    catalog: (channel) => catalogFor(channel === 'codex' ? 'codex-pro' : channel),
    http,
    relay: unreachable,
    usage: createUsageStore({ now }),
    logs: createLogFolder(() => logDir),
    audit: createAuditLog(path.join(logDir, 'audit.log')),
    events: createEventFeed(now),
    tokenHosts: (credential) => endpointHosts(config(), credential),
    latestVersion: async () => undefined,
    serverUrl: () => undefined,
    bindHost: () => source.settings.host,
    now,
    newId: () => (ids++).toString(16).padStart(16, '0'),
    ...options.deps,
  };
  const app = fastify({ logger: false, routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 } });
  await app.register(managementRoutes(deps));
  await app.ready();
  return {
    app,
    deps,
    source,
    store,
    router,
    remote,
    dir,
    authDir,
    configFile,
    logDir,
    clock,
    call: (method, url, more = {}) =>
      app.inject({
        method: method as 'GET',
        url: url.startsWith('/') ? url : `/v0/management/${url}`,
        headers: { host: '127.0.0.1:8080', ...bearer, ...more.headers },
        ...(more.payload === undefined ? {} : { payload: more.payload }),
        ...(more.remoteAddress === undefined ? {} : { remoteAddress: more.remoteAddress }),
      }),
    async close() {
      await app.close();
      remote.close();
      await deps.audit.flush();
      await store.close();
      await source.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const unreachable: RelayNetwork = {
  lookup: () => Promise.reject(new Error('no network in tests')),
  lease: () => ({ dispatcher: new Agent(), release: () => undefined }),
};

/** Plain HTTP that answers with what it got; names of `.test` lead here, everything else where it says. */
export interface Echo {
  server: Server;
  network: RelayNetwork;
  close(): void;
}

export async function openEcho(names: Record<string, string> = {}): Promise<Echo> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://echo.test');
    const to = url.searchParams.get('to');
    if (url.pathname === '/redirect' && to) {
      response.writeHead(302, { location: to }).end();
      return;
    }
    if (url.pathname === '/long') {
      response.end(Buffer.alloc(11 * 1024 * 1024));
      return;
    }
    const { host, authorization = null } = request.headers;
    response.setHeader('content-type', 'application/json');
    response.setHeader('server', 'echo');
    const fields = Object.entries({ method: request.method, path: request.url, authorization, host });
    response.end(`{${fields.map(([name, value]) => `"${name}": ${JSON.stringify(value)}`).join(', ')}}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const connector = buildConnector({});
  const network: RelayNetwork = {
    async lookup(name) {
      const address = names[name] ?? (name.endsWith('.test') ? '127.0.0.1' : undefined);
      if (!address) throw new Error('unknown host');
      return [{ address, family: address.includes(':') ? 6 : 4 }];
    },
    lease({ url }) {
      const agent = new Agent({
        connect: (target, done) =>
          connector(
            url.hostname.endsWith('.test') ? { ...target, hostname: '127.0.0.1', port: String(port) } : target,
            done,
          ),
      });
      return { dispatcher: agent, release: () => void agent.close().catch(() => undefined) };
    },
  };
  return {
    server,
    network,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
