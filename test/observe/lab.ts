// A whole server in one process, from the config file to the listening socket, before an upstream that does what the
// model name says: `ok`, `limit`, `quote` (a 401 that repeats every secret it was sent), `hang` (half a stream).
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openConfig } from '../../src/config/index.ts';
import { openAuthFolder } from '../../src/credentials/auth-folder.ts';
import { configCredentials } from '../../src/credentials/from-config.ts';
import { credentialPool } from '../../src/credentials/pool.ts';
import { createRefresher } from '../../src/credentials/refresh.ts';
import { createHttpClient } from '../../src/net/client.ts';
import { createDispatchers } from '../../src/net/dispatchers.ts';
import { createLog } from '../../src/observe/log.ts';
import { observe } from '../../src/observe/observation.ts';
import { createUsageStore } from '../../src/observe/usage.ts';
import { protocols } from '../../src/protocols/index.ts';
import { providers } from '../../src/providers/index.ts';
import { DispatchLoop } from '../../src/routing/dispatch.ts';
import { Router } from '../../src/routing/router.ts';
import { keyRing } from '../../src/server/access.ts';
import { buildApp } from '../../src/server/app.ts';
import { ClientLimiter } from '../../src/server/client-route.ts';
import { logCredentials } from '../../src/server/loaded-credentials.ts';
import { answerLocally } from '../../src/server/local-answers.ts';
import { requestLine } from '../../src/server/request-line.ts';
import { tokenSource } from '../../src/server/token-source.ts';

export const clientKey = 'client-canary-5up3rs3cr3t';
export const upstreamKey = 'sk-canary-upstream-0123456789';
export const answerCookie = 'session=canary-answer-cookie-42; Path=/; HttpOnly';

const message = { role: 'assistant', content: 'hello' };
const usage = {
  prompt_tokens: 11,
  completion_tokens: 7,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 3 },
};

export interface LabOptions {
  /** Appended to the config. */
  config?: string;
  files?: Record<string, unknown>;
  /** No `api-keys`. */
  keyless?: boolean;
}

export async function openLab(options: LabOptions = {}) {
  const upstream = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const dir = mkdtempSync(path.join(tmpdir(), 'observe-'));
  const authDir = path.join(dir, 'auths');
  const logDir = path.join(dir, 'logs');
  mkdirSync(authDir);
  for (const [name, fields] of Object.entries(options.files ?? {})) {
    writeFileSync(path.join(authDir, name), JSON.stringify(fields).replaceAll('<upstream>', upstreamUrl), {
      mode: 0o600,
    });
  }
  const configFile = path.join(dir, 'config.yaml');
  writeFileSync(
    configFile,
    `host: 127.0.0.1
api-keys: [${options.keyless ? '' : JSON.stringify(clientKey)}]
debug: true
logging-to-file: true
request-retry: 0
max-retry-interval: 0
openai-compatibility:
  - name: fakeup
    base-url: "${upstreamUrl}/v1"
    api-key-entries: [{ api-key: "${upstreamKey}" }]
    models:
${['ok', 'limit', 'quote', 'hang'].map((name) => `      - { name: "up-${name}", alias: "m-${name}" }`).join('\n')}
${(options.config ?? '').replaceAll('<upstream>', upstreamUrl)}
`,
  );
  const source = await openConfig({ flags: { config: configFile, authDir, logDir }, env: {}, cwd: dir, watch: false });
  const config = () => source.current();
  const log = createLog({
    debug: config().debug,
    toFile: config()['logging-to-file'],
    folder: logDir,
    maxTotalBytes: 0,
  });
  const folderLog = { info: (line: string) => log.info(line), warn: (line: string) => log.warn(line) };
  const folder = await openAuthFolder({ folder: authDir, providers: providers.values(), log: folderLog, watch: false });
  const store = credentialPool(folder, {
    list: () => configCredentials(config()),
    onChange: (listener) => source.onChange(() => listener()),
  });
  const router = new Router({ source: store, config });
  store.onChange((change) => router.credentialsChanged(change));
  const dispatchers = createDispatchers({ globalProxy: () => '', env: {} });
  const http = createHttpClient({ dispatchers });
  const usageStore = createUsageStore();
  const limiter = new ClientLimiter();
  const keys = keyRing(config()['api-keys']);
  const observation = observe({
    config,
    store,
    router,
    usage: usageStore,
    logDir: () => logDir,
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
  const loop = new DispatchLoop({
    router,
    config,
    tokens: tokenSource({ refresher, http, config }),
    dispatcherFor: (proxyUrl, origin) => dispatchers.dispatcherFor(proxyUrl, origin),
    now: Date.now,
    random: Math.random,
    observe: observation.observer,
  });
  let over = 0;
  const app = await buildApp({
    config,
    keys: () => keys,
    loop,
    registry: router.registry,
    draining: () => false,
    notReady: () => undefined,
    limiter,
    requestLog: observation.requestLog,
    answerLocally: (client) => answerLocally(client, router, protocols),
    finished(summary) {
      requestLine(log, summary);
      observation.finished(summary);
      over += 1;
    },
    register: (instance) => observation.register(instance),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  logCredentials(log, store, authDir);
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' };

  return {
    url,
    dir,
    logDir,
    store,
    router,
    refresher,
    usage: usageStore,
    observation,
    /** Requests that are over. */
    over: () => over,
    chat: (model: string, more: Record<string, unknown> = {}, init: RequestInit = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], ...more }),
        ...init,
      }),
    metrics: async () => (await fetch(`${url}/metrics`, { headers })).text(),
    /** Names of the log files, without `main.log`. */
    logs: async (): Promise<string[]> => {
      await observation.requestLog.flush();
      return existing(logDir).filter((name) => name !== 'main.log');
    },
    /** `main.log` has every line written so far. */
    settled: async () => {
      log.debug('end of the run');
      const main = path.join(logDir, 'main.log');
      await until(() => existsSync(main) && readFileSync(main, 'utf8').includes('end of the run'), 'the last line');
    },
    read: (name: string) => readFileSync(path.join(logDir, name), 'utf8'),
    mode: (name: string) => statSync(path.join(logDir, name)).mode & 0o777,
    async close() {
      await observation.close();
      app.server.closeAllConnections();
      await app.close();
      await refresher.stop();
      await store.close();
      await source.close();
      await dispatchers.close().catch(() => {});
      log.configure({ debug: false, toFile: false, folder: logDir, maxTotalBytes: 0 });
      upstream.closeAllConnections();
      await new Promise((resolve) => upstream.close(resolve));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export type Lab = Awaited<ReturnType<typeof openLab>>;

/** Every file below a folder, as text. */
export function textsBelow(folder: string): { file: string; text: string }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ file, text: readFileSync(file, 'latin1') }));
}

/** Waits for what another task of this process is about to do. */
export async function until(met: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let n = 0; n < 500; n++) {
    if (await met()) return;
    await pause(5);
  }
  throw new Error(`never came: ${what}`);
}

function existing(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const json = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'set-cookie': answerCookie });
    response.end(JSON.stringify(body));
  };
  if (!text.startsWith('{')) {
    json(400, { error: 'invalid_grant', error_description: `you sent ${text}` });
    return;
  }
  const { model, stream } = JSON.parse(text) as { model: string; stream?: boolean };
  if (model === 'up-limit') return json(429, { error: { message: 'slow down', type: 'rate_limit' } });
  if (model === 'up-quote') {
    return json(401, { error: { message: `bad key: ${request.headers.authorization}`, headers: request.rawHeaders } });
  }
  if (stream !== true) {
    json(200, {
      id: 'c1',
      object: 'chat.completion',
      created: 1,
      model,
      choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage,
    });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'set-cookie': answerCookie });
  const event = (more: Record<string, unknown>): void => {
    response.write(
      `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model, ...more })}\n\n`,
    );
  };
  event({ choices: [{ index: 0, delta: message, finish_reason: null }] });
  if (model === 'up-hang') return;
  event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  event({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}
