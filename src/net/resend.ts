// A pooled socket may be closed by the other side just when it is used again: such a request is sent once more, on a
// fresh socket (upstreams.md §8 row 18; RFC 9112 §9.3.1 allows it because nothing of an answer was seen).
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Dispatcher } from './undici.ts';

const lostSocket = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** Sockets that already carried a request. */
const used = new WeakSet<Socket>();
/** The attempt whose `onRequestStart` ran last: undici names its socket on the channel synchronously after that. */
let starting: Attempt | undefined;
let listening = false;

function listen(): void {
  if (listening) return;
  listening = true;
  subscribe('undici:client:sendHeaders', (message) => {
    const { socket } = message as { socket: Socket };
    if (starting !== undefined) starting.onReusedSocket = used.has(socket);
    starting = undefined;
    used.add(socket);
  });
}

/**
 * Sends through `pooled`; when a reused socket dies before the first byte of an answer, once more through `fresh`.
 * Only bodies that can be sent twice (none, text, bytes). A handler's `onRequestStart` is then called a second time.
 */
export class ResendingDispatcher extends Dispatcher {
  readonly #pooled: Dispatcher;
  readonly #fresh: () => Dispatcher;

  constructor(pooled: Dispatcher, fresh: () => Dispatcher) {
    super();
    listen();
    this.#pooled = pooled;
    this.#fresh = fresh;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { body } = options;
    const replayable = body === null || body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    if (!replayable) return this.#pooled.dispatch(options, handler);
    // undici's proxy wrapper rewrites path and headers in place: the second try needs its own copy.
    const again = { ...options };
    return this.#pooled.dispatch(options, new Attempt(handler, () => this.#fresh().dispatch(again, handler)));
  }

  override async close(): Promise<void> {
    await this.#pooled.close();
  }

  override async destroy(): Promise<void> {
    await this.#pooled.destroy();
  }
}

class Attempt implements Dispatcher.DispatchHandler {
  onReusedSocket = false;
  #answered = false;
  readonly #inner: Dispatcher.DispatchHandler;
  readonly #resend: () => void;

  constructor(inner: Dispatcher.DispatchHandler, resend: () => void) {
    this.#inner = inner;
    this.#resend = resend;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    starting = this;
    this.#inner.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>): void {
    this.#answered = true;
    this.#inner.onRequestUpgrade?.(...args);
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    this.#answered = true;
    this.#inner.onResponseStart?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#inner.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#inner.onResponseEnd?.(...args);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    const stale =
      this.onReusedSocket && !this.#answered && controller?.aborted !== true && lostSocket.has(error.code ?? '');
    if (stale) this.#resend();
    else this.#inner.onResponseError?.(controller, error);
  }
}
