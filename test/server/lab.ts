// A server in this process, before an upstream whose behaviour the test chooses; raw sockets for what no client sends.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openConfig } from '../../src/config/index.ts';
import { configCredentials } from '../../src/credentials/from-config.ts';
import { createHttpClient } from '../../src/net/client.ts';
import { createDispatchers } from '../../src/net/dispatchers.ts';
import { protocols } from '../../src/protocols/index.ts';
import { DispatchLoop } from '../../src/routing/dispatch.ts';
import { Router } from '../../src/routing/router.ts';
import { keyRing } from '../../src/server/access.ts';
import { buildApp } from '../../src/server/app.ts';
import { ClientLimiter, type RequestSummary } from '../../src/server/client-route.ts';
import { answerLocally } from '../../src/server/local-answers.ts';
import { tokenSource } from '../../src/server/token-source.ts';

export const clientKey = 'client-key-0123456789';
export const upstreamKeys = {
  chat: 'up-chat-key',
  claude: 'up-claude-key',
  gemini: 'up-gemini-key',
  codex: 'up-codex-key',
};

export interface LabOptions {
  /** Appended to the config. */
  config?: string;
  keyless?: boolean;
  upstream?: RequestListener;
}

/** What reached the upstream. */
export interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  rawHeaders: string[];
  body: string;
}

export async function openLab(options: LabOptions = {}) {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  let dialled = 0;
  let answer = options.upstream;
  const upstream = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request;
      asked.push({ method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString('utf8') });
      if (answer) answer(request, response);
      else healthy(url, asked.at(-1)?.body ?? '', response);
    });
  });
  upstream.on('connection', (socket: Socket) => {
    dialled++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const dir = mkdtempSync(path.join(tmpdir(), 'server-'));
  mkdirSync(path.join(dir, 'auths'));
  const file = path.join(dir, 'config.yaml');
  writeFileSync(file, configText(upstreamUrl, options));
  const source = await openConfig({
    flags: { config: file, authDir: path.join(dir, 'auths') },
    env: {},
    cwd: dir,
    watch: false,
  });
  const config = () => source.current();
  const credentials = configCredentials(config());
  const router = new Router({
    source: { list: () => credentials, get: (id) => credentials.find((credential) => credential.id === id) },
    config,
  });
  const dispatchers = createDispatchers({ globalProxy: () => '', env: {} });
  const http = createHttpClient({ dispatchers });
  const loop = new DispatchLoop({
    router,
    config,
    tokens: tokenSource({ refresher: { ensureFresh: async (credential) => credential }, http, config } as Parameters<
      typeof tokenSource
    >[0]),
    dispatcherFor: (proxyUrl, origin) => dispatchers.dispatcherFor(proxyUrl, origin),
    now: Date.now,
    random: Math.random,
  });
  const keys = keyRing(config()['api-keys']);
  const over: RequestSummary[] = [];
  const app = await buildApp({
    config,
    keys: () => keys,
    loop,
    registry: router.registry,
    draining: () => false,
    notReady: () => undefined,
    limiter: new ClientLimiter(),
    answerLocally: (client) => answerLocally(client, router, protocols),
    finished: (summary) => void over.push(summary),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    app,
    asked,
    over,
    router,
    /** Connections that the upstream ever accepted. */
    dialled: () => dialled,
    /** Connections that are open at the upstream. */
    upstreamSockets: () => sockets.size,
    answerWith: (listener: RequestListener | undefined) => {
      answer = listener;
    },
    post: (route: string, body: unknown, init: RequestInit = {}) =>
      fetch(url + route, {
        method: 'POST',
        body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
        ...init,
        headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json', ...init.headers },
      }),
    raw: (bytes: string | Buffer, patienceMs?: number) => exchange(port, bytes, patienceMs),
    async close() {
      app.server.closeAllConnections();
      await app.close();
      await source.close();
      await dispatchers.close().catch(() => {});
      upstream.closeAllConnections();
      await new Promise((resolve) => upstream.close(resolve));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export type Lab = Awaited<ReturnType<typeof openLab>>;

function configText(upstreamUrl: string, options: LabOptions): string {
  return `host: 127.0.0.1
api-keys: [${options.keyless ? '' : JSON.stringify(clientKey)}]
request-retry: 0
max-retry-interval: 0
disable-cooling: true
openai-compatibility:
  - name: fake
    base-url: "${upstreamUrl}/v1"
    api-key-entries: [{ api-key: "${upstreamKeys.chat}" }]
    models: [{ name: "chat", alias: "chat" }]
claude-api-key:
  - api-key: "${upstreamKeys.claude}"
    base-url: "${upstreamUrl}/claude"
    models: [{ name: "claude", alias: "claude" }]
gemini-api-key:
  - api-key: "${upstreamKeys.gemini}"
    base-url: "${upstreamUrl}/gemini"
    models: [{ name: "gemini", alias: "gemini" }]
codex-api-key:
  - api-key: "${upstreamKeys.codex}"
    base-url: "${upstreamUrl}/codex"
    models: [{ name: "codex", alias: "codex" }]
${options.config ?? ''}
`;
}

/** The four client protocols: where they are asked, with what, and how their errors look. */
export const dialects = {
  chat: {
    route: '/v1/chat/completions',
    body: (model: string, stream = false) => ({ model, stream, messages: [{ role: 'user', content: 'hi' }] }),
    end: '[DONE]',
    isError: (json: Envelope, _status?: number) =>
      typeof json.error?.message === 'string' && typeof json.error.type === 'string',
  },
  responses: {
    route: '/v1/responses',
    body: (model: string, stream = false) => ({ model, stream, input: 'hi' }),
    end: 'response.completed',
    isError: (json: Envelope, _status?: number) =>
      typeof json.error?.message === 'string' && typeof json.error.type === 'string',
  },
  messages: {
    route: '/v1/messages',
    body: (model: string, stream = false) => ({
      model,
      stream,
      max_tokens: 9,
      messages: [{ role: 'user', content: 'hi' }],
    }),
    end: 'message_stop',
    isError: (json: Envelope, _status?: number) =>
      json.type === 'error' && typeof json.error?.type === 'string' && typeof json.error.message === 'string',
  },
  gemini: {
    route: '/v1beta/models/gemini:generateContent',
    body: () => ({ contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }),
    end: '"STOP"',
    isError: (json: Envelope, status?: number) =>
      json.error?.code === status && typeof json.error?.message === 'string' && typeof json.error.status === 'string',
  },
} as const;

export interface Envelope {
  type?: string;
  error?: { message?: string; type?: string; code?: unknown; status?: unknown };
}

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const chunk = (delta: object, finish: string | null = null, size = 0): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'chat', choices: [{ index: 0, delta: { ...delta, ...(size > 0 ? { content: 'x'.repeat(size) } : {}) }, finish_reason: finish }] })}\n\n`;

/** Pieces of a chat stream, for upstreams that stop somewhere. */
export const chatStream = {
  head: chunk({ role: 'assistant', content: '' }),
  text: (size = 5) => chunk({}, null, size),
  end: `${chunk({}, 'stop')}data: [DONE]\n\n`,
};

function healthy(url: string, body: string, response: ServerResponse): void {
  const json = (value: unknown): void => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  if (url.includes('count_tokens')) json({ input_tokens: 3 });
  else if (url.includes(':countTokens')) json({ totalTokens: 3 });
  else if (url.startsWith('/claude')) {
    json({
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'claude',
      content: [{ type: 'text', text: 'hello' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 1, output_tokens: 1 },
    });
  } else if (url.startsWith('/gemini')) {
    json({
      candidates: [{ content: { role: 'model', parts: [{ text: 'hello' }] }, finishReason: 'STOP', index: 0 }],
      modelVersion: 'gemini',
    });
  } else if (url.startsWith('/codex')) {
    const message = {
      type: 'message',
      id: 'i',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'hello', annotations: [] }],
    };
    const done = {
      type: 'response.completed',
      response: { id: 'r', object: 'response', status: 'completed', model: 'codex', output: [message] },
    };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`event: response.completed\ndata: ${JSON.stringify(done)}\n\n`);
  } else if (body.includes('"stream":true')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(chatStream.head + chatStream.text() + chatStream.end);
  } else {
    json({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'chat',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
      usage,
    });
  }
}

/** Sends exact bytes on one connection; everything that comes back until it closes, or until it has been quiet. */
export function exchange(
  port: number,
  bytes: string | Buffer,
  patienceMs = 400,
): Promise<{ text: string; statuses: number[]; closed: boolean }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let quiet: NodeJS.Timeout;
    const finish = (closed: boolean): void => {
      clearTimeout(quiet);
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]));
      resolve({ text, statuses, closed });
    };
    const wait = (): void => {
      clearTimeout(quiet);
      quiet = setTimeout(() => finish(false), patienceMs);
    };
    socket.on('connect', () => {
      socket.write(bytes);
      wait();
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      wait();
    });
    socket.on('close', () => finish(true));
    socket.on('error', () => {});
  });
}

/** Waits for what another task of this process is about to do. */
export async function until(met: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let n = 0; n < 1000; n++) {
    if (await met()) return;
    await pause(5);
  }
  throw new Error(`never came: ${what}`);
}
