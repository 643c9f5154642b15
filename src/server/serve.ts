// Server mode: puts the rooms together, listens, and takes them down again. Source: spec/config.md §1, §10, §14.
import path from 'node:path';
import type { Dispatcher } from 'undici';
import { ConfigError, type ConfigOptions, type ConfigSource, openConfig, type SettingFlags } from '../config/index.ts';
import { openAuthFolder } from '../credentials/auth-folder.ts';
import type { CredentialStore } from '../credentials/credential.ts';
import { configCredentials } from '../credentials/from-config.ts';
import { credentialPool } from '../credentials/pool.ts';
import { createRefresher } from '../credentials/refresh.ts';
import { sealerFromEnvironment } from '../credentials/sealing.ts';
import { createHttpClient } from '../net/client.ts';
import { createDispatchers } from '../net/dispatchers.ts';
import { trustExtraAuthorities } from '../net/trust.ts';
import { createEventFeed } from '../observe/event-feed.ts';
import { createLog, type Log } from '../observe/log.ts';
import { observe } from '../observe/observation.ts';
import { createUsageStore, openUsageStore } from '../observe/usage.ts';
import { protocols } from '../protocols/index.ts';
import { providers } from '../providers/index.ts';
import { type DispatchDeps, DispatchLoop } from '../routing/dispatch.ts';
import { finishedRequests } from '../routing/examples.ts';
import { Router } from '../routing/router.ts';
import { openStateFile } from '../routing/state-file.ts';
import { buildDate, commit, version } from '../version.ts';
import { keyRing } from './access.ts';
import { buildApp } from './app.ts';
import { ClientLimiter } from './client-route.ts';
import { optimizeEarly } from './engine.ts';
import { idleMemory } from './idle-memory.ts';
import { catchTheRest } from './last-resort.ts';
import type { TlsFiles } from './listener.ts';
import { logCredentials } from './loaded-credentials.ts';
import { answerLocally } from './local-answers.ts';
import { managementGate } from './management-gate.ts';
import { watchOwner } from './owner.ts';
import { requestEvent, requestLine } from './request-line.ts';
import { listenError, refuseFileAsFolder } from './start-error.ts';
import { tokenSource } from './token-source.ts';

export interface ServeOptions {
  flags: SettingFlags;
  /** With `.env` merged in. */
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** `-local-model`: accepted for scripts of the reference; the catalog is always the built-in one. */
  localModel?: boolean;
  /** `-password`: management from loopback only; the process ends when its owner goes silent. */
  password?: string;
}

/** Runs until a signal ends it; resolves with the exit code. Rejects with `ConfigError` for a config that cannot be used. */
export async function serve(options: ServeOptions): Promise<number> {
  const started = performance.now();
  const early: [level: 'error' | 'warn' | 'info', line: string][] = [];
  let log: Log | undefined;
  const report = (level: 'error' | 'warn' | 'info', line: string): void => {
    if (log) log[level](line, { scope: 'config' });
    else early.push([level, line]);
  };
  const source = await openOrStandBy({ flags: options.flags, env: options.env, cwd: options.cwd, report });
  if (source === undefined) return 0;
  log = createLog(logOptions(source));
  log.info(`cliproxy Version: ${version}, Commit: ${commit}, BuiltAt: ${buildDate}`);
  for (const [level, line] of early) log[level](line, { scope: 'config' });
  catchTheRest(log, () => process.exit(1));
  trustExtraAuthorities(options.env, (line) => log.warn(line));
  const running = await start(options, source, log);
  log.info(
    `listening on ${running.url} (started in ${Math.round(performance.now() - started)} ms); point clients at ${running.url}/v1`,
    { scope: 'server' },
  );
  await untilSignal(() => void source.reload().catch((error: Error) => log.error(error.message, { scope: 'config' })));
  log.info('shutting down: open requests may finish', { scope: 'server' });
  await running.stop(source.current()['shutdown-timeout-seconds'] * 1000);
  log.info('stopped', { scope: 'server' });
  log.flush();
  return 0;
}

/** Undefined when a signal ended the stand-by of `DEPLOY=cloud`. */
async function openOrStandBy(options: ConfigOptions): Promise<ConfigSource | undefined> {
  try {
    const source = await openConfig(options);
    if (!source.settings.standby || source.settings.configExists) return source;
    await source.close();
    throw new ConfigError(
      source.settings.configPath,
      [{ line: 1, column: 1, path: '', reason: 'there is no such file yet' }],
      'unreadable',
    );
  } catch (error) {
    if (options.env?.DEPLOY !== 'cloud' || !(error instanceof ConfigError)) throw error;
    const { standBy } = await import('./standby.ts');
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    // There is no log before there is a config: who waits must see why.
    const ready = await standBy(options, error, stop.signal, (line) => process.stderr.write(`cliproxy: ${line}\n`));
    return ready ? openConfig(options) : undefined;
  }
}

function logOptions(source: ConfigSource): Parameters<typeof createLog>[0] {
  const config = source.current();
  return {
    debug: config.debug,
    toFile: config['logging-to-file'],
    folder: source.settings.logDir,
    maxTotalBytes: config['logs-max-total-size-mb'] * 1024 * 1024,
  };
}

/** ms; the life of a login session. */
const leftoverCallbackMs = 600_000;

/** Totals of at most this many ms are lost by a kill -9 (spec/routing.md D20). */
const usageFlushMs = 5_000;

interface Running {
  url: string;
  stop(graceMs: number): Promise<void>;
}

async function start(options: ServeOptions, source: ConfigSource, log: Log): Promise<Running> {
  const config = () => source.current();
  const dispatchers = createDispatchers({
    globalProxy: () => config()['proxy-url'],
    env: options.env,
    connectTimeoutMs: () => config()['connect-timeout-seconds'] * 1000,
  });
  const http = createHttpClient({ dispatchers });
  const sealer = sealerFromEnvironment(options.env);
  const folderLog = {
    info: (line: string) => log.info(line, { scope: 'auth' }),
    warn: (line: string) => log.warn(line, { scope: 'auth' }),
  };
  const openFolder = (folder: string) =>
    openAuthFolder({
      folder,
      providers: providers.values(),
      log: folderLog,
      strictPermissions: () => config()['strict-perms'],
      sealer,
    });
  refuseFileAsFolder(source.settings.authDir);
  const folder = await openFolder(source.settings.authDir);
  const store: CredentialStore = credentialPool(folder, {
    list: () => configCredentials(config()),
    onChange: (listener) => source.onChange(() => listener()),
  });

  let touch = (): void => {};
  const router = new Router({ source: store, config, onStateChange: () => touch() });
  store.onChange((change) => router.credentialsChanged(change));
  const stateFile = stateFileOf(source);
  const state =
    stateFile === undefined ? undefined : openStateFile({ file: stateFile, router, warn: (line) => log.warn(line) });
  if (state) touch = state.touch;

  const retentionDays = () => config()['usage-retention-days'];
  const usage =
    stateFile === undefined
      ? createUsageStore({ retentionDays })
      : await openUsageStore({ retentionDays, file: path.join(path.dirname(stateFile), '.usage-state.json') });
  const flushing = setInterval(() => void usage.flush(), usageFlushMs);
  flushing.unref();
  const limiter = new ClientLimiter();
  const observation = observe({
    config,
    store,
    router,
    usage,
    logDir: () => source.settings.logDir,
    keys: () => keys,
    requestsInFlight: () => limiter.running,
    warn: (line) => log.warn(line),
  });

  const refresher = createRefresher({
    store,
    providers,
    config,
    http,
    log: folderLog,
    onRefresh: observation.refreshed,
  });
  /** Which dispatcher serves which proxy and origin: worked out once per config. */
  const ways = new Map<string, Dispatcher>();
  const loopDeps: DispatchDeps = {
    router,
    config,
    tokens: tokenSource({ refresher, http, config }),
    dispatcherFor: (proxyUrl, origin) => {
      const way = `${proxyUrl ?? ''} ${origin}`;
      let dispatcher = ways.get(way);
      if (dispatcher === undefined) {
        dispatcher = dispatchers.dispatcherFor(proxyUrl, origin);
        ways.set(way, dispatcher);
      }
      return dispatcher;
    },
    now: Date.now,
    random: Math.random,
    observe: observation.observer,
  };
  const loop = new DispatchLoop(loopDeps);

  let keys = keyRing(config()['api-keys']);
  source.onChange(() => {
    keys = keyRing(config()['api-keys']);
    if (source.settings.authDir !== folder.folder) folder.moveTo(source.settings.authDir);
    router.configChanged();
    ways.clear();
    dispatchers.closeUnused();
    log.configure(logOptions(source));
    observation.followConfig();
  });

  let url: string | undefined;
  const events = createEventFeed();
  const gate = managementGate({
    events,
    source,
    store,
    router,
    refresher,
    http,
    dispatchers,
    usage,
    env: options.env,
    localPassword: options.password,
    serverUrl: () => url,
    warn: (line) => log.warn(line, { scope: 'management' }),
  });

  let draining = false;
  let unwatchOwner: (() => void) | undefined;
  const app = await buildApp({
    config,
    keys: () => keys,
    loop,
    socketLoop: (compose) =>
      new DispatchLoop({
        ...loopDeps,
        dispatcherFor: (proxyUrl, origin) => compose(loopDeps.dispatcherFor(proxyUrl, origin)),
      }),
    registry: router.registry,
    draining: () => draining,
    notReady: () => undefined,
    limiter,
    requestLog: observation.requestLog,
    answerLocally: (client) => answerLocally(client, router, protocols),
    finished(summary) {
      requestLine(log, summary);
      if (events.followed) events.publish('request', requestEvent(summary));
      observation.finished(summary);
    },
    tls: tlsFiles(source),
    warn: (line) => log.warn(line, { scope: 'server' }),
    register(instance) {
      if (options.password !== undefined) {
        unwatchOwner = watchOwner(instance, options.password, () => process.kill(process.pid, 'SIGTERM'));
      }
      observation.register(instance);
      return gate.register(instance);
    },
  });
  const { host, port } = source.settings;
  const scheme = source.current().tls.enable ? 'https' : 'http';
  await app.listen({ host: host === '' ? '::' : host, port, backlog: 4096 }).catch((error: NodeJS.ErrnoException) => {
    throw listenError(error, host, port);
  });
  logCredentials(log, store, folder.folder);
  // Callbacks of logins that nobody waits for any more (spec/auth.md §5.5).
  void import('../oauth/callback-file.ts').then((files) => files.purgeCallbackFiles(folder.folder, leftoverCallbackMs));
  observation.followConfig();
  refresher.start();
  let served = 0;
  app.server.on('request', () => {
    served += 1;
  });
  optimizeEarly();
  const memory = idleMemory({
    load: () => ({ served, running: limiter.running }),
    busy: () => finishedRequests.renew(),
  });
  const address = app.server.address();
  const shownPort = typeof address === 'object' && address !== null ? address.port : port;
  url = `${scheme}://${shownHost(host)}:${shownPort}`;
  return {
    url,
    async stop(graceMs) {
      draining = true;
      memory.stop();
      unwatchOwner?.();
      await closeServer(app.server, graceMs);
      await app.close();
      await gate.close();
      await observation.close();
      await refresher.stop();
      clearInterval(flushing);
      await Promise.all([state?.flush(), usage.flush()]);
      await store.close();
      await source.close();
      await dispatchers.close().catch(() => {});
    },
  };
}

function tlsFiles(source: ConfigSource): TlsFiles | undefined {
  const { enable, cert, key } = source.current().tls;
  if (!enable) return undefined;
  if (cert.trim() === '' || key.trim() === '') throw new Error('tls.enable needs tls.cert and tls.key (PEM files)');
  return { cert: cert.trim(), key: key.trim() };
}

function shownHost(host: string): string {
  if (host === '' || host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

/** Undefined when state is kept in memory only. */
function stateFileOf(source: ConfigSource): string | undefined {
  const configured = source.current()['state-file'];
  if (configured === 'none') return undefined;
  return configured === '' ? path.join(source.settings.authDir, '.routing-state.json') : path.resolve(configured);
}

/** Refuses new connections, lets open requests finish within `graceMs`, then cuts what is left. */
async function closeServer(server: import('node:http').Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. SIGHUP reloads. */
function untilSignal(reload: () => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    if (process.platform !== 'win32') process.on('SIGHUP', reload);
  });
}
