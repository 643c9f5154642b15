// One request to one upstream: bytes up, bytes down through a pipe, until the answer is complete or has failed.
// Callbacks only: no promise, stream object or iterator per chunk (lab figure: dispatch is the floor).
import type { Dispatcher } from 'undici';
import { Failure } from '../failure.ts';
import { networkReason } from '../net/client.ts';
import { createDecoder, decodeBody, isEncoded } from '../net/decode.ts';
import type { Usage } from '../protocols/neutral.ts';
import type { UpstreamRequest, UpstreamResponse } from '../providers/provider.ts';
import { emptyAnswer } from './answer/failures.ts';
import type { AnswerPipe, Bytes } from './answer/pipe.ts';
import { clientLeft } from './client-request.ts';
import type { ClientPresence } from './presence.ts';

/** Where the answer goes: the client's response. */
export interface AnswerSink {
  /** Headers are on their way: from then on errors can only be told inside the stream. */
  readonly begun: boolean;
  /** Sends the head of a stream. */
  begin(upstream: UpstreamResponse['headers']): void;
  /** Sends a whole JSON answer, head and body at once, and ends. */
  whole(body: Bytes, upstream: UpstreamResponse['headers']): void;
  /** False: wait for `onDrain` before the next one. */
  write(bytes: Bytes): boolean;
  onDrain(listener: () => void): void;
  end(): void;
}

export interface AttemptOptions {
  request: UpstreamRequest;
  dispatcher: Dispatcher;
  sink: AnswerSink;
  presence: ClientPresence;
  /** ms until the first byte of the answer's body, and between two; 0 = no limit. */
  firstByteMs: number;
  idleMs: number;
  watcher: AttemptWatcher;
}

/** Who asked. */
export interface AttemptWatcher {
  onHeaders(status: number, headers: UpstreamResponse['headers']): void;
  onFirstByte(): void;
  /** Chosen when the headers are known. Throws `Failure` for what cannot be an answer (a redirect). */
  pipe(headers: UpstreamResponse['headers']): AnswerPipe;
  /** A status of 400 or more → failure. */
  classify(response: UpstreamResponse): Failure;
  /**
   * Called once, at the end. With a failure: another credential may still be tried while the sink has not begun;
   * afterwards the client was told inside the stream.
   */
  done(failure: Failure | undefined, usage: Usage | undefined): void;
}

const knownUrls = new Map<string, { origin: string; path: string }>();

/** Upstream URLs are few and asked for again and again: parsed once. Throws for what is no URL. */
export function splitUrl(url: string): { origin: string; path: string } {
  let known = knownUrls.get(url);
  if (known === undefined) {
    const { origin, pathname, search } = new URL(url);
    known = { origin, path: pathname + search };
    if (knownUrls.size >= 1000) knownUrls.clear();
    knownUrls.set(url, known);
  }
  return known;
}

const errorBodyLimit = 1024 * 1024;

/** Never throws: `watcher.done` is told how it ended. Returns what is under way; `received`: bytes of the answer so far. */
export function attempt(options: AttemptOptions): { readonly received: number } {
  const under = new Attempt(options);
  under.start();
  return under;
}

class Attempt implements Dispatcher.DispatchHandler {
  received = 0;
  readonly #options: AttemptOptions;
  readonly #onLeave = (): void => this.#clientGone();
  #controller: Dispatcher.DispatchController | undefined;
  #pipe: AnswerPipe | undefined;
  #decoder: ReturnType<typeof createDecoder> | undefined;
  #encodedBytes = 0;
  #decodedBytes = 0;
  #sniffed = false;
  #status = 0;
  #headers: UpstreamResponse['headers'] = {};
  #error: { chunks: Buffer[]; size: number } | undefined;
  /** Output held back until the answer is certain to be this one. */
  #held: Buffer[] = [];
  #settled = false;
  #waiting = false;
  #timer: NodeJS.Timeout | undefined;
  #armedMs = 0;
  #sawByte = false;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  start(): void {
    const { request, dispatcher, presence, firstByteMs } = this.#options;
    if (presence.left) {
      this.#fail(clientLeft());
      return;
    }
    presence.onLeave(this.#onLeave);
    if (firstByteMs > 0) this.#arm(firstByteMs);
    try {
      const { origin, path } = splitUrl(request.url);
      dispatcher.dispatch({ origin, path, method: request.method, headers: request.headers, body: request.body }, this);
    } catch (error) {
      this.#fail(networkFailure(error));
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error('settled'));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: UpstreamResponse['headers']): void {
    if (status < 200 || this.#settled) return;
    this.#status = status;
    this.#headers = headers;
    this.#options.watcher.onHeaders(status, headers);
    if (status >= 300) {
      this.#error = { chunks: [], size: 0 };
      return;
    }
    try {
      this.#pipe = this.#options.watcher.pipe(headers);
    } catch (error) {
      this.#stop(error instanceof Failure ? error : networkFailure(error));
    }
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    if (!this.#sawByte) {
      this.#sawByte = true;
      this.#options.watcher.onFirstByte();
    }
    if (this.#timer !== undefined || this.#options.idleMs > 0) this.#arm(this.#options.idleMs);
    const error = this.#error;
    if (error) {
      error.chunks.push(chunk);
      error.size += chunk.length;
      if (error.size > errorBodyLimit) this.#stop(this.#classified());
      return;
    }
    if (!this.#sniffed) {
      this.#sniffed = true;
      if (isEncoded(this.#headers['content-encoding'], chunk)) this.#decode();
    }
    if (this.#decoder) this.#feed(this.#decoder, chunk);
    else this.#data(chunk);
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    if (this.#error) this.#fail(this.#classified());
    else if (this.#decoder) this.#decoder.end();
    else this.#end();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#settled) return;
    this.#broke(networkFailure(error, this.#status !== 0));
  }

  /** The decoder has a buffer of its own: while it is full the upstream waits. */
  #feed(decoder: ReturnType<typeof createDecoder>, chunk: Buffer): void {
    this.#encodedBytes += chunk.length;
    if (decoder.write(chunk) || this.#waiting) return;
    this.#controller?.pause();
    decoder.once('drain', () => {
      if (!this.#settled && !this.#waiting) this.#controller?.resume();
    });
  }

  #decode(): void {
    try {
      const decoder = createDecoder(this.#headers['content-encoding'], 256 * 1024 * 1024);
      decoder.on('data', (chunk: Buffer) => {
        this.#decodedBytes += chunk.length;
        if (isBomb(this.#encodedBytes, this.#decodedBytes)) this.#stop(bombed());
        else this.#data(chunk);
      });
      decoder.on('end', () => this.#end());
      decoder.on('error', (error) => this.#stop(networkFailure(error, true)));
      this.#decoder = decoder;
    } catch (error) {
      this.#stop(networkFailure(error, true));
    }
  }

  #data(chunk: Buffer): void {
    const pipe = this.#pipe;
    if (pipe === undefined || this.#settled) return;
    this.received += chunk.length;
    const out = pipe.push(chunk);
    if (out.length > 0) this.#send(out, pipe);
    if (pipe.failure) this.#stop(pipe.failure);
    else if (pipe.done) this.#end();
  }

  #end(): void {
    const pipe = this.#pipe;
    if (this.#settled) return;
    if (pipe === undefined) {
      this.#fail(emptyAnswer());
      return;
    }
    const out = pipe.end();
    if (pipe.failure) {
      if (out.length > 0) this.#send(out, pipe);
      this.#broke(pipe.failure);
      return;
    }
    const { sink } = this.#options;
    if (pipe.whole) sink.whole(out, this.#headers);
    else {
      if (out.length > 0 || this.#held.length > 0) this.#send(out, pipe);
      else if (!sink.begun) sink.begin(this.#headers);
      sink.end();
    }
    this.#settle();
    this.#options.watcher.done(undefined, pipe.usage);
  }

  #send(out: Bytes, pipe: AnswerPipe): void {
    const { sink } = this.#options;
    if (!pipe.committed) {
      if (out.length > 0) this.#held.push(typeof out === 'string' ? Buffer.from(out) : Buffer.from(out));
      return;
    }
    if (!sink.begun) sink.begin(this.#headers);
    let bytes = out;
    if (this.#held.length > 0) {
      bytes = Buffer.concat([...this.#held, typeof out === 'string' ? Buffer.from(out) : out]);
      this.#held = [];
    }
    if (bytes.length === 0) return;
    if (!sink.write(bytes) && !this.#waiting) {
      this.#waiting = true;
      this.#controller?.pause();
      this.#decoder?.pause();
      clearTimeout(this.#timer);
      this.#timer = undefined;
      sink.onDrain(() => {
        this.#waiting = false;
        if (this.#settled) return;
        this.#decoder?.resume();
        this.#controller?.resume();
      });
    }
  }

  /** The upstream failed while its answer was read. */
  #broke(failure: Failure): void {
    const pipe = this.#pipe;
    const { sink } = this.#options;
    // Once a stream has committed, its client learns of the failure inside the stream and nowhere else.
    if (pipe === undefined || pipe.whole || !pipe.committed) {
      this.#fail(failure);
      return;
    }
    if (!sink.begun) sink.begin(this.#headers);
    const told = pipe.fail(failure);
    if (told.length > 0) sink.write(told);
    sink.end();
    this.#settle();
    this.#options.watcher.done(failure, pipe.usage);
  }

  #stop(failure: Failure): void {
    this.#broke(failure);
    this.#controller?.abort(new Error('answer refused'));
  }

  #classified(): Failure {
    if (this.#status < 400) return redirected(this.#status);
    const raw = Buffer.concat(this.#error?.chunks ?? []);
    let body: string;
    try {
      body = decodeBody(raw, this.#headers['content-encoding'], errorBodyLimit).toString('utf8');
    } catch {
      body = '';
    }
    return this.#options.watcher.classify({ status: this.#status, headers: this.#headers, body });
  }

  #clientGone(): void {
    if (this.#settled) return;
    this.#settle();
    this.#controller?.abort(new Error('client left'));
    this.#options.watcher.done(clientLeft(), this.#options.sink.begun ? this.#pipe?.usage : undefined);
  }

  #arm(ms: number): void {
    // Once per chunk of every stream: the timer is moved on, not made anew.
    if (this.#timer !== undefined && ms === this.#armedMs) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedMs = ms;
    if (ms <= 0) return;
    this.#timer = setTimeout(() => {
      const failure = new Failure({
        kind: 'timeout',
        status: 504,
        message: this.#sawByte
          ? 'the upstream went silent in the middle of its answer'
          : 'the upstream did not answer in time',
        code: 'upstream_timeout',
      });
      this.#stop(failure);
    }, ms);
  }

  #fail(failure: Failure): void {
    if (this.#settled) return;
    this.#settle();
    this.#options.watcher.done(failure, undefined);
  }

  #settle(): void {
    this.#settled = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#options.presence.off(this.#onLeave);
    this.#decoder?.destroy();
  }
}

/** Never followed: an API has no reason to redirect, and keys in headers would go along to whoever is named. */
function redirected(status: number): Failure {
  return new Failure({
    kind: 'transient',
    status: 502,
    message: `the upstream answered with a redirect (${status}), which is not followed`,
    code: 'upstream_redirect',
  });
}

/** Answers compress to a tenth, repetitive ones to a fiftieth; bombs to a thousandth. */
function isBomb(encodedBytes: number, decodedBytes: number): boolean {
  return decodedBytes > 8 * 1024 * 1024 && decodedBytes > encodedBytes * 200;
}

function bombed(): Failure {
  return new Failure({
    kind: 'transient',
    status: 502,
    message: "the upstream's compressed answer expands beyond all measure",
    code: 'upstream_too_large',
  });
}

/** Short, without URL, key or address (spec/upstreams.md §8 row 20). */
export function networkFailure(error: unknown, answered = false): Failure {
  if (error instanceof Failure) return error;
  const { code, reason } = networkReason(error);
  const timedOut = code.includes('TIMEOUT') || code === 'ETIMEDOUT';
  return new Failure({
    kind: timedOut ? 'timeout' : 'transient',
    status: timedOut ? 504 : 502,
    message: answered
      ? `the connection to the upstream broke: ${reason}`
      : `the upstream could not be reached: ${reason}`,
    code: answered ? 'upstream_stream_cut' : 'upstream_unreachable',
    cause: error,
  });
}
