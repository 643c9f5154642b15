// Codex over WebSocket (upstreams.md §2.4): a dispatch interceptor that carries `POST …/responses` over one socket per
// client session and tells the events as a text/event-stream, so that nothing above knows the difference.
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { acceptKey, newKey, WebSocketPeer } from '../../net/websocket.ts';
import type { UpstreamCall } from '../provider.ts';

export const socketBeta = 'responses_websockets=2026-02-06';

/** Names that only a request with a body has. */
const bodyHeaders = new Set(['content-type', 'content-length', 'accept', 'accept-encoding', 'cache-control']);

/** ms (upstreams.md §1.3). */
export const socketLimits = { handshakeMs: 30_000, idleMs: 5 * 60_000 };

/** 64 MiB: the longest event taken. */
const maxMessageBytes = 64 * 1024 * 1024;

/** The client came by WebSocket and the credential may be used that way. */
export function wantsSocket(call: Pick<UpstreamCall, 'credential' | 'headers' | 'operation'>): boolean {
  if (call.operation !== 'generate' || call.credential.websockets !== true) return false;
  return String(call.headers.upgrade ?? '').toLowerCase() === 'websocket';
}

/** The client's own beta words when they name the protocol, else ours. */
export function betaHeader(headers: UpstreamCall['headers']): string {
  const own = String(headers['openai-beta'] ?? '');
  return own.includes('responses_websockets=') ? own : socketBeta;
}

interface Connection {
  /** Where to and as whom: another one needs a new socket. */
  key: string;
  peer: WebSocketPeer;
  /** Set while a request is under way. */
  exchange: Exchange | undefined;
}

/** Upstream sockets of one client session: one at a time, reused while URL and credential stay the same. */
export class CodexSockets {
  #connection: Connection | undefined;

  /** Requests marked with the beta header go over the socket, all others take their usual way. */
  compose(next: Dispatcher): Dispatcher {
    return next.compose((dispatch) => (options, handler) => {
      const headers = headersOf(options.headers);
      const mine = options.method === 'POST' && String(headers['openai-beta'] ?? '').includes('responses_websockets=');
      if (!mine) return dispatch(options, handler);
      this.#start({ dispatch, options, handler, headers });
      return true;
    });
  }

  close(): void {
    this.#connection?.peer.close();
    this.#connection = undefined;
  }

  #start(request: SocketRequest): void {
    const key = `${request.options.origin}${request.options.path}\0${request.headers.authorization}`;
    const known = this.#connection;
    const reused = known !== undefined && known.key === key && known.peer.open && known.exchange === undefined;
    if (known && !reused) {
      known.peer.close();
      this.#connection = undefined;
    }
    const exchange = new Exchange(request, (wasReused) => {
      this.#connection = undefined;
      if (!wasReused) return false;
      this.#connect(request, exchange, key);
      return true;
    });
    exchange.begin();
    if (reused) {
      known.exchange = exchange;
      exchange.run(known.peer, true, () => {
        known.exchange = undefined;
      });
    } else this.#connect(request, exchange, key);
  }

  #connect(request: SocketRequest, exchange: Exchange, key: string): void {
    const nonce = newKey();
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !bodyHeaders.has(name)));
    const { origin, path } = request.options;
    const handshake = new Handshake(nonce, {
      opened: (socket) => {
        const connection: Connection = { key, peer: undefined as never, exchange };
        connection.peer = new WebSocketPeer(socket, Buffer.alloc(0), {
          role: 'client',
          maxMessageBytes,
          onText: (message) => connection.exchange?.message(message),
          onClose: (code) => {
            if (this.#connection === connection) this.#connection = undefined;
            connection.exchange?.lost(code);
          },
        });
        this.#connection = connection;
        exchange.run(connection.peer, false, () => {
          connection.exchange = undefined;
        });
      },
      // 426: this upstream wants plain HTTP after all.
      refused: (status) => {
        if (status !== 426) return request.handler;
        request.dispatch(request.options, request.handler);
        return undefined;
      },
      failed: (error) => exchange.fail(error),
    });
    exchange.onAbort = () => handshake.abort();
    request.dispatch(
      {
        origin,
        path,
        method: 'GET',
        upgrade: 'websocket',
        headers: { ...headers, 'sec-websocket-version': '13', 'sec-websocket-key': nonce },
      },
      handshake,
    );
  }
}

interface SocketRequest {
  dispatch: Dispatcher.Dispatch;
  options: Dispatcher.DispatchOptions;
  handler: Dispatcher.DispatchHandler;
  headers: Record<string, string>;
}

interface HandshakeEvents {
  opened(socket: Duplex): void;
  /** A status instead of an upgrade: who reads the answer; undefined = nobody. */
  refused(status: number): Dispatcher.DispatchHandler | undefined;
  failed(error: Error): void;
}

class Handshake implements Dispatcher.DispatchHandler {
  readonly #nonce: string;
  readonly #events: HandshakeEvents;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #reader: Dispatcher.DispatchHandler | undefined;
  #over = false;

  constructor(nonce: string, events: HandshakeEvents) {
    this.#nonce = nonce;
    this.#events = events;
    this.#timer = setTimeout(
      () => this.abort(new Error('the WebSocket handshake took too long')),
      socketLimits.handshakeMs,
    );
    this.#timer.unref();
  }

  abort(error: Error = new Error('aborted')): void {
    this.#controller?.abort(error);
    this.#fail(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error('aborted'));
  }

  onRequestUpgrade(_: unknown, status: number, headers: IncomingHttpHeaders, socket: Duplex): void {
    if (this.#over) {
      socket.destroy();
      return;
    }
    const accepted = String(headers['sec-websocket-accept'] ?? '') === acceptKey(this.#nonce);
    if (status !== 101 || !accepted) {
      socket.destroy();
      this.#fail(new Error('the WebSocket handshake was answered wrongly'));
      return;
    }
    this.#done();
    this.#events.opened(socket);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200 || this.#over) return;
    this.#done();
    this.#reader = this.#events.refused(status);
    if (this.#reader === undefined) controller.abort(new Error('not needed'));
    // A 2xx that is no upgrade is no answer either.
    else this.#reader.onResponseStart?.(controller, status < 400 ? 502 : status, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#reader?.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    this.#reader?.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#reader) this.#reader.onResponseError?.(controller, error);
    else this.#fail(error);
  }

  #done(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#done();
    this.#events.failed(error);
  }
}

const terminal = new Set(['response.completed', 'response.incomplete', 'response.failed', 'error']);

/** One request on a socket, told to its handler as an HTTP answer. */
class Exchange {
  readonly #request: SocketRequest;
  readonly #reconnect: (wasReused: boolean) => boolean;
  readonly #controller: Dispatcher.DispatchController;
  #peer: WebSocketPeer | undefined;
  #reused = false;
  #release: () => void = () => {};
  #told = false;
  #over = false;
  #timer: NodeJS.Timeout | undefined;
  /** Ends a handshake that is still under way. */
  onAbort: () => void = () => {};

  /** `reconnect`: tries once more on a fresh socket when that is worth it. */
  constructor(request: SocketRequest, reconnect: (wasReused: boolean) => boolean) {
    this.#request = request;
    this.#reconnect = reconnect;
    this.#controller = this.#newController();
  }

  begin(): void {
    this.#request.handler.onRequestStart?.(this.#controller, undefined);
  }

  run(peer: WebSocketPeer, reused: boolean, release: () => void): void {
    if (this.#over) {
      peer.close();
      return;
    }
    this.#peer = peer;
    this.#reused = reused;
    this.#release = release;
    this.#arm();
    peer.send(requestMessage(this.#request.options.body));
  }

  message(text: string): void {
    if (this.#over) return;
    this.#arm();
    const { data, type, event } = readEvent(text);
    if (event === undefined) {
      this.fail(new Error('the upstream sent a message that is not JSON'));
      return;
    }
    const { handler } = this.#request;
    if (type === 'error' && !this.#told) {
      const status = statusOf(event);
      handler.onResponseStart?.(this.#controller, status, {
        ...textHeaders(event.headers),
        'content-type': 'application/json',
      });
      handler.onResponseData?.(this.#controller, Buffer.from(JSON.stringify({ error: event.error ?? event })));
      this.#end();
      return;
    }
    if (!this.#told) {
      this.#told = true;
      handler.onResponseStart?.(this.#controller, 200, { 'content-type': 'text/event-stream' });
    }
    handler.onResponseData?.(this.#controller, Buffer.from(`event: ${type}\ndata: ${data}\n\n`));
    if (terminal.has(type)) this.#end();
  }

  /** The socket went away under this request. */
  lost(code: number): void {
    if (this.#over) return;
    clearTimeout(this.#timer);
    if (!this.#told && this.#reconnect(this.#reused)) return;
    if (code === 1009 && !this.#told) {
      const { handler } = this.#request;
      handler.onResponseStart?.(this.#controller, 413, { 'content-type': 'application/json' });
      const error = { message: 'the request is too large for the upstream', code: 'message_too_big' };
      handler.onResponseData?.(this.#controller, Buffer.from(JSON.stringify({ error })));
      this.#end();
      return;
    }
    this.fail(new Error('the upstream closed the WebSocket before its answer was complete'));
  }

  fail(error: Error): void {
    if (this.#over) return;
    this.#finish();
    this.#peer?.destroy();
    this.#request.handler.onResponseError?.(this.#controller, error);
  }

  #end(): void {
    if (this.#over) return;
    this.#finish();
    this.#request.handler.onResponseEnd?.(this.#controller, {});
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#release();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fail(new Error('the upstream went silent')), socketLimits.idleMs);
    this.#timer.unref();
  }

  #newController(): Dispatcher.DispatchController {
    const state = { aborted: false, paused: false, reason: null as Error | null };
    const abort = (reason: Error): void => {
      if (this.#over) return;
      state.aborted = true;
      state.reason = reason;
      this.#finish();
      this.onAbort();
      // The answer that is still coming belongs to nobody: the socket cannot be used again.
      this.#peer?.destroy();
      this.#request.handler.onResponseError?.(this.#controller, reason);
    };
    return {
      get aborted() {
        return state.aborted;
      },
      get paused() {
        return state.paused;
      },
      get reason() {
        return state.reason;
      },
      abort,
      pause: () => {
        state.paused = true;
        this.#peer?.pause();
      },
      resume: () => {
        state.paused = false;
        this.#peer?.resume();
      },
    };
  }
}

/** The request's body as a `response.create` message. */
function requestMessage(body: Dispatcher.DispatchOptions['body']): string {
  const text = Buffer.isBuffer(body) ? body.toString('utf8') : String(body ?? '{}');
  return JSON.stringify({ type: 'response.create', ...(JSON.parse(text) as object) });
}

interface SocketEvent {
  type?: unknown;
  status?: unknown;
  status_code?: unknown;
  error?: unknown;
  headers?: unknown;
}

/** `response.done` is the older name of `response.completed`. */
function readEvent(text: string): { data: string; type: string; event: SocketEvent | undefined } {
  try {
    const event = JSON.parse(text) as SocketEvent;
    if (typeof event !== 'object' || event === null) return { data: text, type: '', event: undefined };
    if (event.type !== 'response.done') return { data: text, type: String(event.type ?? ''), event };
    return { data: JSON.stringify({ ...event, type: 'response.completed' }), type: 'response.completed', event };
  } catch {
    return { data: text, type: '', event: undefined };
  }
}

function statusOf(event: SocketEvent): number {
  const status = Number(event.status ?? event.status_code);
  return status >= 400 && status <= 599 ? status : 502;
}

function textHeaders(headers: unknown): Record<string, string> {
  if (typeof headers !== 'object' || headers === null) return {};
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
      .map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}

function headersOf(headers: Dispatcher.DispatchOptions['headers']): Record<string, string> {
  if (headers === null || headers === undefined || Array.isArray(headers)) return {};
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}
