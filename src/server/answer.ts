// Writes answers and errors to the client's socket, raw: no reply object stands between (a third of the cost otherwise).
import type { ServerResponse } from 'node:http';
import type { Failure } from '../failure.ts';
import type { Protocol } from '../protocols/protocol.ts';
import type { UpstreamResponse } from '../providers/provider.ts';
import type { Bytes } from '../routing/answer/pipe.ts';
import type { AnswerSink } from '../routing/attempt.ts';

export interface ResponseSinkOptions {
  response: ServerResponse;
  requestId: string;
  stream: boolean;
  /** Hand harmless upstream headers on (`passthrough-headers`). */
  passHeaders: boolean;
  /** Seconds between SSE comments while nothing else is sent; 0 = off. */
  keepAliveSeconds: number;
  /** Seconds between newlines while a whole answer is awaited; 0 = off. */
  newlineSeconds: number;
  /** Added to the head: `x-cliproxy-model` after a fallback. */
  extraHeaders(): Record<string, string> | undefined;
}

export class ResponseSink implements AnswerSink {
  /** Something of the answer itself was sent. Keep-alives do not count: another credential may still answer. */
  begun = false;
  readonly #options: ResponseSinkOptions;
  readonly #response: ServerResponse;
  #timer: NodeJS.Timeout | undefined;
  #wroteAt = 0;

  constructor(options: ResponseSinkOptions) {
    this.#options = options;
    this.#response = options.response;
    const seconds = options.stream ? options.keepAliveSeconds : options.newlineSeconds;
    if (seconds > 0) this.#keepAlive(seconds * 1000);
  }

  begin(upstream: UpstreamResponse['headers']): void {
    if (this.begun) return;
    this.begun = true;
    if (!this.#response.headersSent) this.#streamHead(upstream);
  }

  #streamHead(upstream: UpstreamResponse['headers']): void {
    const headers = this.#head(upstream);
    headers['content-type'] = 'text/event-stream';
    headers['cache-control'] = 'no-cache';
    this.#response.writeHead(200, headers);
  }

  whole(body: Bytes, upstream: UpstreamResponse['headers']): void {
    this.stop();
    this.begun = true;
    if (!this.#response.headersSent) {
      const headers = this.#head(upstream);
      headers['content-type'] = 'application/json';
      headers['content-length'] = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
      this.#response.writeHead(200, headers);
    }
    // Head and a text body leave in one write.
    this.#response.end(body);
  }

  #head(upstream: UpstreamResponse['headers']): Record<string, string | number | string[]> {
    const headers: Record<string, string | number | string[]> = this.#options.passHeaders ? harmless(upstream) : {};
    headers['x-request-id'] = this.#options.requestId;
    const extra = this.#options.extraHeaders();
    if (extra) Object.assign(headers, extra);
    return headers;
  }

  write(bytes: Bytes): boolean {
    this.#wroteAt = this.#timer === undefined ? 0 : Date.now();
    return this.#response.write(bytes);
  }

  onDrain(listener: () => void): void {
    this.#response.once('drain', listener);
  }

  end(): void {
    this.stop();
    this.#response.end();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Keeps middleboxes patient. The first one goes out only after a whole interval of silence and commits the status:
   * later errors are told inside the stream, or as a JSON body that carries its status (spec/routing.md D15).
   */
  #keepAlive(ms: number): void {
    this.#wroteAt = Date.now();
    this.#timer = setInterval(() => {
      if (this.#response.destroyed || Date.now() - this.#wroteAt < ms - 10) return;
      if (this.#options.stream) {
        if (!this.#response.headersSent) this.#streamHead({});
        this.write(': keep-alive\n\n');
        return;
      }
      if (!this.#response.headersSent) {
        this.#response.writeHead(200, { 'content-type': 'application/json', 'x-request-id': this.#options.requestId });
      }
      this.write('\n');
    }, ms);
    this.#timer.unref();
  }
}

/** Hop-by-hop (RFC 9110 §7.6.1), about the body we send anew, or the upstream's own business with its clients. */
const dropped = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'set-cookie2',
  'content-length',
  'content-encoding',
  'content-type',
  'date',
  'www-authenticate',
  'clear-site-data',
  'strict-transport-security',
  'alt-svc',
  'server',
  'x-request-id',
  'cache-control',
  'location',
  'content-security-policy',
  'x-frame-options',
  'report-to',
  'nel',
  'expect-ct',
  'public-key-pins',
]);
const droppedPrefixes = [
  'access-control-',
  'x-litellm-',
  'helicone-',
  'x-portkey-',
  'cf-aig-',
  'x-kong-',
  'x-bt-',
  'cross-origin-',
];

export function harmless(upstream: UpstreamResponse['headers']): Record<string, string | string[]> {
  const named = new Set(
    String(upstream.connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(upstream)) {
    if (
      value === undefined ||
      dropped.has(name) ||
      named.has(name) ||
      droppedPrefixes.some((prefix) => name.startsWith(prefix))
    )
      continue;
    kept[name] = value;
  }
  return kept;
}

/** Answers with a failure in the caller's own envelope. Never for a stream that has begun. */
export function writeFailure(
  response: ServerResponse,
  protocol: Pick<Protocol, 'encodeError'>,
  failure: Failure,
  requestId?: string,
): number {
  const { status, text } = failureText(protocol, failure);
  writeJson(response, status, text, {
    ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
    ...(failure.retryAfterMs === undefined || status < 400
      ? {}
      : { 'retry-after': String(Math.max(1, Math.ceil(failure.retryAfterMs / 1000))) }),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    // The rest of a body that nobody reads must not be taken for the next request.
    ...(status === 413 || status === 408 ? { connection: 'close' } : {}),
  });
  return status;
}

/** Status and body of a failure in one protocol's envelope; the upstream's own words when they are in it already. */
export function failureText(
  protocol: Pick<Protocol, 'encodeError'>,
  failure: Failure,
): { status: number; text: string } {
  const { status, body } = protocol.encodeError(failure);
  const verbatim = failure.upstreamBody !== undefined && sameFamily(protocol as Protocol, failure.upstreamProtocol);
  return { status, text: verbatim ? (failure.upstreamBody as string) : JSON.stringify(body) };
}

/** Families whose error bodies a client of the other reads as its own (spec/protocols.md §3.6). */
function sameFamily(protocol: Protocol, upstream: string | undefined): boolean {
  const family = (id: string | undefined): string | undefined => (id?.startsWith('openai') ? 'openai' : id);
  return family(protocol.id) === family(upstream);
}

export function writeJson(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) {
    response.end();
    return;
  }
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(text);
}
