// The management API over the real parts of a running server.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { ConfigSource } from '../../config/index.ts';
import type { Credential, CredentialStore } from '../../credentials/credential.ts';
import type { Refresher } from '../../credentials/refresh.ts';
import type { Dispatchers } from '../../net/dispatchers.ts';
import type { HttpClient } from '../../net/http.ts';
import { LoginError, type RemoteLogin } from '../../oauth/flow.ts';
import { createRemoteLogins } from '../../oauth/remote.ts';
import { createOAuthSessions, sessionTtlMs } from '../../oauth/sessions.ts';
import { createAuditLog } from '../../observe/audit.ts';
import { createEventFeed, type EventFeed } from '../../observe/event-feed.ts';
import { createLogFolder } from '../../observe/log-folder.ts';
import type { UsageStore } from '../../observe/usage.ts';
import { catalogFor } from '../../providers/catalog.ts';
import { providers } from '../../providers/index.ts';
import type { Router } from '../../routing/router.ts';
import { createConfigPort } from './config-port.ts';
import { cookieLogin } from './cookie-login.ts';
import { type CredentialHealth, ImportError, type ManagementDeps, type RouterView } from './deps.ts';
import { createRelayNetwork } from './relay-network.ts';
import { endpointHosts } from './token-hosts.ts';

export interface ManagementParts {
  source: ConfigSource;
  store: CredentialStore;
  router: Router;
  refresher: Refresher;
  http: HttpClient;
  dispatchers: Dispatchers;
  usage: UsageStore;
  env: NodeJS.ProcessEnv;
  /** `-password` */
  localPassword?: string | undefined;
  /** `http://127.0.0.1:8080`, once listening. */
  serverUrl(): string | undefined;
  warn(line: string): void;
  /** Shared with whoever publishes requests. */
  events?: EventFeed;
  now?: () => number;
}

export interface WiredManagement {
  deps: ManagementDeps;
  events: EventFeed;
  /** Ends sessions and forwarders, writes what is pending. */
  close(): Promise<void>;
}

export function wireManagement(parts: ManagementParts): WiredManagement {
  const { source, store, http } = parts;
  const now = parts.now ?? Date.now;
  const config = () => source.current();
  const authDir = (): string => source.settings.authDir;
  const events = parts.events ?? createEventFeed(now);
  const audit = createAuditLog(path.join(source.settings.logDir, 'audit.log'), {
    warn: parts.warn,
    mayCreate: () => config()['logging-to-file'] || source.settings.origins.logDir !== 'default',
  });
  const sessions = createOAuthSessions({ now, ttlMs: sessionTtlMs(parts.env) });
  // The snapshot of the moment: a reload may move an endpoint between two logins.
  const context = {
    get config() {
      return config();
    },
    store,
    http,
    now,
  };
  const remote = createRemoteLogins({ sessions, context, authDir });
  const deps: ManagementDeps = {
    config: createConfigPort(source),
    store,
    authDir,
    router: routerView(parts.router, store, now),
    logins: remoteLogins,
    cookieLogin: (cookie, email) =>
      cookieLogin({ ...context, config: config(), signal: AbortSignal.timeout(60_000) }, cookie, email),
    remote,
    refresh: (credential) => parts.refresher.ensureFresh(credential, { force: true }),
    importVertex: (account, location) => importVertex(store, account, location),
    catalog: (channel) => catalogFor(channel === 'codex' ? 'codex-pro' : channel),
    http,
    relay: createRelayNetwork(parts.dispatchers),
    usage: parts.usage,
    logs: createLogFolder(() => source.settings.logDir),
    audit,
    events,
    tokenHosts: (credential) => endpointHosts(config(), credential),
    latestVersion: async () => undefined,
    envPassword: parts.env.MANAGEMENT_PASSWORD,
    localPassword: parts.localPassword,
    serverUrl: parts.serverUrl,
    bindHost: () => source.settings.host,
    now,
    newId: () => randomBytes(8).toString('hex'),
  };
  return {
    deps,
    events,
    async close() {
      remote.close();
      await Promise.all([audit.flush(), parts.usage.flush()]);
    },
  };
}

export async function remoteLogins(): Promise<RemoteLogin[]> {
  const loaded = await Promise.all([...providers.values()].map((provider) => provider.logins?.()));
  return loaded.map((logins) => logins?.remote).filter((login) => login !== undefined);
}

export async function importVertex(store: CredentialStore, account: unknown, location: string) {
  const { importServiceAccount } = await import('../../providers/vertex/login.ts');
  try {
    const stored = await importServiceAccount(store, account, { location });
    const { projectId, email } = stored;
    return { path: stored.credential.path ?? stored.credential.id, email, projectId, location: stored.location };
  } catch (error) {
    if (!(error instanceof LoginError)) throw error;
    if (error.code === 'project_missing') throw new ImportError('project_id missing', error.message);
    if (error.code === 'save_failed') throw new ImportError('save_failed', 'The file could not be stored.');
    throw new ImportError(
      'invalid service account',
      error.message.replace(/^.*?: (?=service account|private_key)/, ''),
    );
  }
}

export function routerView(router: Router, store: CredentialStore, now: () => number): RouterView {
  return {
    health(id) {
      const state = router.stateOf(id);
      const cooldowns = [...state.cooldowns.windows]
        .filter(([, window]) => window.until > now())
        .map(([model, window]) => ({ model, reason: window.kind, until: window.until, attempts: window.level + 1 }));
      const health: CredentialHealth = {
        success: state.success,
        failed: state.failed,
        cooldowns,
        lastError: state.lastError?.message ?? '',
        lastErrorAt: state.lastError?.at,
        recent: state.recent.map(({ from, success, failed }) => ({ start: from, success, failed })),
      };
      return state.quota ? { ...health, quota: state.quota } : health;
    },
    reset: (id, model) => router.reset(id, model),
    modelsFor(id) {
      const credential: Credential | undefined = store.get(id);
      if (!credential || credential.disabled) return [];
      const routes = [...router.registry.routes(credential).values()].flat();
      return routes.map((route) => ({ ...route.info, id: route.id }));
    },
  };
}
