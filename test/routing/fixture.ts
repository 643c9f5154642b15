// A dispatch loop without sockets or real time: scripted upstreams behind a fake dispatcher, a clock that jumps.
import { Dispatcher } from 'undici';
import { type Config, defaultConfig } from '../../src/config/index.ts';
import type { Credential } from '../../src/credentials/credential.ts';
import type { Failure } from '../../src/failure.ts';
import { protocols } from '../../src/protocols/index.ts';
import type { Bytes } from '../../src/routing/answer/pipe.ts';
import type { AnswerSink } from '../../src/routing/attempt.ts';
import { ClientRequest } from '../../src/routing/client-request.ts';
import { DispatchLoop, type RequestTrace, type TokenSource } from '../../src/routing/dispatch.ts';
import { ClientPresence } from '../../src/routing/presence.ts';
import { Router } from '../../src/routing/router.ts';
import { Secret } from '../../src/secret.ts';
import { credential } from './simulator.ts';

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  /** Text pieces of a stream, sent one after another. */
  events?: string[];
  /** The connection breaks after what was sent. */
  breaks?: boolean;
  /** Never answers; the request hangs until it is aborted. */
  silent?: boolean;
}

export interface SeenRequest {
  token: string;
  path: string;
  body: Record<string, unknown>;
  at: number;
}

export const completion = (text = 'hello', model = 'm') => ({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model,
  choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

export const chunk = (text: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: text }, finish_reason: finish }] })}\n\n`;

export class FakeUpstreams extends Dispatcher {
  readonly seen: SeenRequest[] = [];
  aborted = 0;
  readonly #now: () => number;
  readonly #answer: (request: SeenRequest) => Reply;

  constructor(now: () => number, answer: (request: SeenRequest) => Reply) {
    super();
    this.#now = now;
    this.#answer = answer;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const headers = options.headers as Record<string, string>;
    const seen: SeenRequest = {
      token: (headers.authorization ?? '').replace('Bearer ', ''),
      path: options.path,
      body: JSON.parse(String(options.body)) as Record<string, unknown>,
      at: this.#now(),
    };
    this.seen.push(seen);
    let over = false;
    const controller = {
      abort: () => {
        if (over) return;
        over = true;
        this.aborted++;
      },
      pause() {},
      resume() {},
      aborted: false,
      paused: false,
      reason: null,
    } as unknown as Dispatcher.DispatchController;
    handler.onRequestStart?.(controller, {});
    const reply = this.#answer(seen);
    queueMicrotask(() => {
      if (over || reply.silent) return;
      const type = reply.events ? 'text/event-stream' : 'application/json';
      handler.onResponseStart?.(controller, reply.status ?? 200, { 'content-type': type, ...reply.headers }, '');
      const { body = completion() } = reply;
      const pieces = reply.events ?? [typeof body === 'string' ? body : JSON.stringify(body)];
      for (const piece of pieces) if (!over) handler.onResponseData?.(controller, Buffer.from(piece));
      if (over) return;
      over = true;
      if (reply.breaks)
        handler.onResponseError?.(controller, Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
      else handler.onResponseEnd?.(controller, {});
    });
    return true;
  }

  override async close(): Promise<void> {}
  override async destroy(): Promise<void> {}
}

export class RecordingSink implements AnswerSink {
  begun = false;
  ended = false;
  text = '';

  begin(): void {
    this.begun = true;
  }
  whole(body: Bytes): void {
    this.begun = true;
    this.text += body.toString();
    this.ended = true;
  }
  write(bytes: Bytes): boolean {
    this.text += bytes.toString();
    return true;
  }
  onDrain(): void {}
  end(): void {
    this.ended = true;
  }
}

export interface World {
  router: Router;
  upstreams: FakeUpstreams;
  clock: { now: number };
  /** Waits that the loop asked for, in ms. */
  slept: number[];
  refreshes: string[];
  config: Config;
  credentials: Credential[];
  ask(options?: {
    model?: string;
    stream?: boolean;
    headers?: Record<string, string>;
    body?: object;
    signal?: AbortSignal;
  }): Promise<Asked>;
}

export interface Asked {
  /** Undefined when the request was answered. */
  failure: Failure | undefined;
  sink: RecordingSink;
  trace: RequestTrace;
}

export function world(options: {
  credentials?: Credential[];
  config?: Partial<Config>;
  answer: (request: SeenRequest, world: { now: number }) => Reply;
  refresh?: (credential: Credential) => Credential;
}): World {
  const clock = { now: 1_700_000_000_000 };
  const credentials = options.credentials ?? ['k1', 'k2', 'k3'].map((id) => credential(id));
  const config: Config = { ...defaultConfig(), ...options.config };
  const now = (): number => clock.now;
  let seed = 7;
  const random = (): number => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const source = { list: () => credentials, get: (id: string) => credentials.find((one) => one.id === id) };
  const router = new Router({ source, config: () => config, now, random });
  const upstreams = new FakeUpstreams(now, (request) => options.answer(request, clock));
  const slept: number[] = [];
  const refreshes: string[] = [];
  const tokens: TokenSource = {
    async ensureFresh(old) {
      refreshes.push(old.id);
      if (options.refresh === undefined) throw new Error('cannot be refreshed');
      const fresh = options.refresh(old);
      credentials[credentials.findIndex((one) => one.id === old.id)] = fresh;
      return fresh;
    },
    mint: async () => 'minted',
  };
  const loop = new DispatchLoop({
    router,
    config: () => config,
    tokens,
    dispatcherFor: () => upstreams,
    now,
    random,
    async sleep(ms, signal) {
      slept.push(ms);
      clock.now += ms;
      return !signal.aborted;
    },
  });
  return {
    router,
    upstreams,
    clock,
    slept,
    refreshes,
    config,
    credentials,
    async ask({ model = 'm', stream = false, headers = {}, body = {}, signal } = {}) {
      const client = new ClientRequest({
        id: 'test',
        protocol: protocols['openai-chat'],
        operation: 'generate',
        bytes: Buffer.from(JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'hi' }], ...body })),
        headers,
        clientKey: 'client',
        endpoint: 'POST /v1/chat/completions',
        presence: presenceOf(signal),
      });
      const sink = new RecordingSink();
      const trace: RequestTrace = { attempts: [], answeredBy: undefined };
      try {
        await loop.run(client, sink, trace);
        return { failure: undefined, sink, trace };
      } catch (error) {
        return { failure: error as Failure, sink, trace };
      }
    },
  };
}

function presenceOf(signal: AbortSignal | undefined): ClientPresence {
  const presence = new ClientPresence();
  signal?.addEventListener('abort', () => presence.leave());
  return presence;
}

/** A credential of an OpenAI-compatible upstream whose token is its id. */
export const key = (id: string, extra: Partial<Credential> = {}): Credential =>
  credential(id, { baseUrl: 'http://upstream.test/v1', token: new Secret(id), ...extra });
