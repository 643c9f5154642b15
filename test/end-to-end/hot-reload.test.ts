// Keys that the configuration calls hot: written to the file of a running server, each has its effect without a restart
// (config.md §4, §14). Each row writes the base configuration, sees that the effect is not there, and adds to it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { stringify } from 'yaml';
import { freePort, type RunningServer, startProxy } from '../world/binary.ts';
import { type Action, startWorld, type World } from '../world/index.ts';
import { type Answer, type ChatOptions, chat, compat, eventually, upstreamModel } from './lab.ts';

const managementKey = 'management-key-1';
const hash = hashSync(managementKey, 4);

let world: World;
let server: RunningServer;
let base: Record<string, unknown>;
/** An outbound proxy that only counts. */
let outbound: Server;
let proxied = 0;
let profilePort = 0;

before(async () => {
  world = await startWorld();
  profilePort = await freePort();
  outbound = createServer((_, response) => {
    proxied++;
    response.writeHead(502).end();
  }).on('connect', (_, socket) => {
    proxied++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => outbound.listen(0, '127.0.0.1', resolve));
  const iflow = world.file(world.account('iflow', 'ivy'));
  base = {
    'api-keys': ['sk-test'],
    'remote-management': { 'secret-key': hash },
    'trusted-proxies': ['127.0.0.1/32'],
    endpoints: world.endpoints,
    'disable-cooling': true,
    'openai-compatibility': [compat(world, ['ann', 'ben', 'cleo'])],
  };
  server = await startProxy({ config: base, authFiles: { [iflow.name]: iflow.fields } });
  base = { host: '127.0.0.1', port: server.port, 'auth-dir': server.authDir, ...base };
});
after(async () => {
  await world?.close();
  await server?.stop();
  outbound?.close();
});

const ask = (options: ChatOptions = {}): Promise<Answer> => chat(server, { key: 'sk-test', ...options });
const asked = (from: number) => world.log.slice(from).filter(({ kind }) => kind === 'chat');

async function management(route: string, init: { key?: string; headers?: Record<string, string> } = {}) {
  const headers = { authorization: `Bearer ${init.key ?? managementKey}`, ...init.headers };
  const response = await fetch(`${server.url}/v0/management/${route}`, { headers });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function listed(): Promise<string[]> {
  const response = await fetch(`${server.url}/v1/models`, { headers: { authorization: 'Bearer sk-test' } });
  return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
}

/** Answers of the world for the next requests only; what is left of them is used up by nobody else. */
async function scripted<T>(action: Action, work: () => Promise<T>): Promise<{ result: T; calls: number }> {
  const from = world.log.length;
  const script = world.script({ kind: 'chat', provider: 'openai' }, { times: Number.POSITIVE_INFINITY, ...action });
  const result = await work();
  script.action.times = 0;
  script.release();
  return { result, calls: asked(from).length };
}

const logFiles = (pattern: RegExp): string[] => {
  try {
    return readdirSync(path.join(server.authDir, 'logs')).filter((name) => pattern.test(name));
  } catch {
    return [];
  }
};
const logText = (pattern: RegExp): string =>
  logFiles(pattern)
    .map((name) => readFileSync(path.join(server.authDir, 'logs', name), 'utf8'))
    .join('\n');

const entry = (more: Record<string, unknown>) => ({ 'openai-compatibility': [compat(world, ['ann'], more)] });
const remote = { headers: { 'x-forwarded-for': '203.0.113.9' } };
const keyed = (provider: 'anthropic' | 'gemini' | 'codex-key') => [
  {
    'api-key': world.apiKey(provider),
    'base-url': world.url(provider),
    models: [{ name: 'one', alias: `new-${provider}` }],
  },
];

/** Keys → what is added to the file, and what can be seen then and not before. */
type Row = [keys: string, add: () => Record<string, unknown>, seen: () => Promise<boolean>];
const rows: Row[] = [
  [
    'api-keys',
    () => ({ 'api-keys': ['sk-test', 'sk-new'] }),
    async () => (await ask({ key: 'sk-new' })).status === 200,
  ],
  [
    'remote-management.secret-key',
    () => ({ 'remote-management': { 'secret-key': hashSync('another-key-22', 4) } }),
    async () => (await management('debug', { key: 'another-key-22' })).status === 200,
  ],
  [
    'remote-management.allow-remote',
    () => ({ 'remote-management': { 'secret-key': hash, 'allow-remote': true } }),
    async () => (await management('debug', remote)).status === 200,
  ],
  [
    'trusted-proxies',
    () => ({ 'trusted-proxies': [] }),
    async () => (await management('debug', remote)).status === 200,
  ],
  [
    'management-keys',
    () => ({ 'management-keys': [{ name: 'eve', hash: hashSync('viewer-key-333', 4), scope: 'viewer' }] }),
    async () => (await management('debug', { key: 'viewer-key-333' })).status === 200,
  ],
  [
    'metrics.enable',
    () => ({ metrics: { enable: false } }),
    async () => (await fetch(`${server.url}/metrics`, { headers: { authorization: 'Bearer sk-test' } })).status === 404,
  ],
  [
    'pprof.enable, pprof.addr',
    () => ({ pprof: { enable: true, addr: `127.0.0.1:${profilePort}` } }),
    async () => {
      const answer = await fetch(`http://127.0.0.1:${profilePort}/debug/metrics`).catch(() => undefined);
      const text = (await answer?.text()) ?? '';
      return text.includes('process_resident_memory_bytes') && !text.includes('cliproxy_credentials');
    },
  ],
  [
    'logging-to-file',
    () => ({ 'logging-to-file': true }),
    async () => {
      await ask();
      return logFiles(/^main\.log$/).length === 1;
    },
  ],
  [
    'request-log',
    () => ({ 'request-log': true }),
    async () => {
      await ask();
      return logFiles(/^v1-chat-completions-/).length > 0;
    },
  ],
  [
    'request-log-bodies',
    () => ({ 'request-log': true, 'request-log-bodies': false }),
    async () => {
      const files = new Set(logFiles(/^v1-/));
      await ask();
      const fresh = logFiles(/^v1-/).filter((name) => !files.has(name));
      return fresh.length > 0 && fresh.every((name) => !logText(new RegExp(name)).includes('"hello"'));
    },
  ],
  [
    'error-logs-max-files',
    () => ({ 'error-logs-max-files': 1 }),
    async () => {
      await ask({ model: 'nobody' });
      await ask({ model: 'nobody' });
      return logFiles(/^error-/).length === 1;
    },
  ],
  [
    'usage-statistics-enabled',
    () => ({ 'usage-statistics-enabled': true }),
    async () => {
      await ask();
      return /"total_requests":\s*[1-9]/.test((await management('usage')).text);
    },
  ],
  [
    'proxy-url',
    () => ({ 'proxy-url': `http://127.0.0.1:${(outbound.address() as AddressInfo).port}` }),
    async () => {
      await ask();
      return proxied > 0;
    },
  ],
  [
    'endpoints',
    () => ({ endpoints: {} }),
    async () => !/iflow/.test((await management('config')).text.match(/"endpoints":\{[^}]*\}/)?.[0] ?? ''),
  ],
  [
    'force-model-prefix',
    () => ({ 'force-model-prefix': true, ...entry({ prefix: 'p' }) }),
    async () => (await ask()).status === 404,
  ],
  [
    'passthrough-headers',
    () => ({ 'passthrough-headers': true }),
    async () => {
      const { result } = await scripted({ status: 400, body: '{"error":{}}', headers: { 'x-note': 'n' } }, () => ask());
      return result.headers.get('x-note') === 'n' || (await passedOn());
    },
  ],
  [
    'max-retry-credentials',
    () => ({ 'max-retry-credentials': 1 }),
    async () => (await scripted({ error: 'server-error' }, () => ask())).calls === 1,
  ],
  [
    'request-retry, max-retry-interval',
    () => ({ 'request-retry': 1, 'max-retry-interval': 3, ...entry({}) }),
    async () => (await scripted({ error: 'server-error', times: 1 }, () => ask())).result.status === 200,
  ],
  [
    'disable-cooling',
    () => ({ 'disable-cooling': false, ...entry({ name: 'cooled' }) }),
    async () =>
      (await scripted({ error: 'rate-limit', retryAfter: 1 }, async () => [await ask(), await ask()])).calls === 1,
  ],
  [
    'not-found-cooldown-seconds',
    () => ({ 'disable-cooling': false, 'not-found-cooldown-seconds': 1, ...entry({ name: 'lost' }) }),
    async () =>
      (await scripted({ error: 'not-found' }, async () => [await ask(), await ask()])).result[1]?.headers.get(
        'retry-after',
      ) === '1',
  ],
  [
    'max-cooldown',
    () => ({ 'disable-cooling': false, 'max-cooldown': '1s', ...entry({ name: 'capped' }) }),
    async () =>
      (
        await scripted({ error: 'rate-limit', retryAfter: 600 }, async () => [await ask(), await ask()])
      ).result[1]?.headers.get('retry-after') === '1',
  ],
  [
    'routing.strategy',
    () => ({ routing: { strategy: 'fill-first' } }),
    async () => {
      const from = world.log.length;
      for (let i = 0; i < 3; i++) await ask();
      return new Set(asked(from).map(({ account }) => account)).size === 1;
    },
  ],
  [
    'routing.session-affinity',
    () => ({ routing: { 'session-affinity': true } }),
    async () => {
      const from = world.log.length;
      for (let i = 0; i < 3; i++) await ask({ headers: { 'x-session-id': 's1' } });
      return new Set(asked(from).map(({ account }) => account)).size === 1;
    },
  ],
  [
    'routing.session-affinity-hash',
    () => ({ routing: { 'session-affinity': true, 'session-affinity-hash': true } }),
    async () => {
      const from = world.log.length;
      for (let i = 0; i < 3; i++) await ask();
      return new Set(asked(from).map(({ account }) => account)).size === 1;
    },
  ],
  [
    'model-fallback',
    () => ({ 'model-fallback': [{ from: 'm', to: ['glm-4.6'], on: ['quota', 'unavailable', 'overloaded'] }] }),
    async () => (await scripted({ error: 'rate-limit' }, () => ask())).result.status === 200,
  ],
  [
    'client-max-concurrency',
    () => ({ 'client-max-concurrency': 1 }),
    async () => (await held(() => ask({ model: 'glm-4.6' }))).status === 429,
  ],
  [
    'max-concurrency, queue-timeout-seconds',
    () => ({ 'max-concurrency': 1, 'queue-timeout-seconds': 0, ...entry({}) }),
    async () => (await held(() => ask())).status === 429,
  ],
  [
    'payload',
    () => ({ payload: { override: [{ models: [{ name: '*' }], params: { temperature: 0.5 } }] } }),
    async () => {
      await ask();
      return world.log.at(-1)?.json?.temperature === 0.5;
    },
  ],
  [
    'openai-compatibility',
    () => ({ 'openai-compatibility': [compat(world, ['ann'], { models: [{ name: upstreamModel, alias: 'new' }] })] }),
    async () => (await listed()).includes('new'),
  ],
  [
    'claude-api-key',
    () => ({ 'claude-api-key': keyed('anthropic') }),
    async () => (await listed()).includes('new-anthropic'),
  ],
  [
    'gemini-api-key',
    () => ({ 'gemini-api-key': keyed('gemini') }),
    async () => (await listed()).includes('new-gemini'),
  ],
  [
    'vertex-api-key',
    () => ({ 'vertex-api-key': keyed('gemini') }),
    async () => (await listed()).includes('new-gemini'),
  ],
  [
    'codex-api-key',
    () => ({ 'codex-api-key': keyed('codex-key') }),
    async () => (await listed()).includes('new-codex-key'),
  ],
  [
    'oauth-excluded-models',
    () => ({ 'oauth-excluded-models': { iflow: ['glm-*'] } }),
    async () => !(await listed()).includes('glm-4.6'),
  ],
  [
    'oauth-model-alias',
    () => ({ 'oauth-model-alias': { iflow: [{ name: 'glm-4.6', alias: 'my-glm' }] } }),
    async () => (await listed()).includes('my-glm'),
  ],
  ['debug', () => ({ debug: true }), async () => JSON.parse((await management('debug')).text).debug === true],
];

/** What a request is told while another one is held by its upstream. */
async function held(second: () => Promise<Answer>): Promise<Answer> {
  const from = world.log.length;
  const script = world.script({ kind: 'chat', provider: 'openai' }, { hold: true });
  const first = ask();
  await world.until(() => asked(from).length === 1);
  const stopped = new AbortController();
  const answer = await Promise.race([
    second(),
    eventually('a second call reaches the upstream', () => stopped.signal.aborted || asked(from).length > 1).then(
      () => undefined,
    ),
  ]);
  stopped.abort();
  script.release();
  await first;
  return answer ?? { status: 0, text: '', headers: new Headers() };
}

async function passedOn(): Promise<boolean> {
  const body = {
    id: 'x',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
  };
  const { result } = await scripted({ body, headers: { 'x-note': 'n' } }, () => ask());
  return result.headers.get('x-note') === 'n';
}

for (const [keys, add, seen] of rows) {
  test(`${keys}: takes effect without a restart`, async () => {
    writeFileSync(server.configPath, stringify(base));
    await eventually(`the row before ${keys} is undone`, async () => !(await seen()));
    writeFileSync(server.configPath, stringify({ ...base, ...add() }));
    // The reload takes 100 ms after the last event; what is looked for takes its own time on a busy machine.
    await eventually(`${keys} has its effect`, seen, 3_000);
  });
}
