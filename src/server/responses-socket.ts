// `GET /v1/responses` as a WebSocket: Codex' long-lived form of the Responses API (spec/upstreams.md §2.4, routing.md §3).
// Each `response.create` message is one request through the same loop as over HTTP; its events go back as text frames.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { Failure, failureOf, invalidRequest } from '../failure.ts';
import { acceptKey, closeCode, WebSocketPeer } from '../net/websocket.ts';
import { isObject } from '../protocols/json.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { openaiResponses } from '../protocols/openai-responses/index.ts';
import { type SseParser, sseParser } from '../protocols/sse.ts';
import { CodexSockets } from '../providers/codex/websocket.ts';
import type { Bytes } from '../routing/answer/pipe.ts';
import type { AnswerSink } from '../routing/attempt.ts';
import { ClientRequest } from '../routing/client-request.ts';
import type { DispatchLoop, RequestTrace } from '../routing/dispatch.ts';
import { ClientPresence } from '../routing/presence.ts';
import { type ClientRouteDeps, pathOf, requestId, unauthorized } from './client-route.ts';
import { isForeignSite } from './origin.ts';
import { ResponseTranscripts } from './response-transcripts.ts';

export interface ResponsesSocketDeps extends ClientRouteDeps {
  /** A loop whose upstream connections go through `compose`; absent: sockets are answered over HTTP upstreams only. */
  socketLoop?(compose: (dispatcher: Dispatcher) => Dispatcher): DispatchLoop;
}

/** Is this the handshake of a Responses WebSocket? Other upgrades are ignored, as HTTP allows (RFC 9110 §7.8). */
export function isResponsesSocket(request: IncomingMessage): boolean {
  const upgrade = request.headers.upgrade?.toLowerCase() ?? '';
  return request.method === 'GET' && upgrade.includes('websocket') && pathOf(request) === '/v1/responses';
}

/** Answers the handshake and serves the session. */
export function serveResponsesSocket(
  deps: ResponsesSocketDeps,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const refused = refusal(deps, request);
  const clientKey = deps.keys().check(request) ?? '';
  const nonce = request.headers['sec-websocket-key'];
  if (refused || nonce === undefined) {
    const failure = refused ?? invalidRequest('a WebSocket handshake needs Sec-WebSocket-Key');
    const { status, body } = openaiResponses.encodeError(failure);
    const text = JSON.stringify(body);
    const lines = [
      `HTTP/1.1 ${status} Refused`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(text)}`,
    ];
    socket.end(`${lines.join('\r\n')}\r\nconnection: close\r\n\r\n${text}`);
    return;
  }
  const accepted = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: upgrade'];
  socket.write(`${accepted.join('\r\n')}\r\nsec-websocket-accept: ${acceptKey(nonce)}\r\n\r\n`);
  new Session(deps, request, socket, head, clientKey);
}

function refusal(deps: ResponsesSocketDeps, request: IncomingMessage): Failure | undefined {
  if (deps.draining()) {
    return new Failure({ kind: 'unavailable', status: 503, message: 'the server is shutting down', scope: 'request' });
  }
  if (deps.keys().check(request) === undefined) return unauthorized(request);
  if (deps.keys().open && isForeignSite(request)) {
    return new Failure({
      kind: 'forbidden',
      status: 403,
      message: 'requests of web pages need a client key',
      scope: 'request',
    });
  }
  return undefined;
}

/** Requests that may wait while one is under way. */
const longestQueue = 16;
/** ms between two looks at a quiet session: is the server going down, is the other side still there? */
const pulseMs = 500;
const pulsesPerPing = 60;

class Session {
  readonly #deps: ResponsesSocketDeps;
  readonly #request: IncomingMessage;
  readonly #clientKey: string;
  readonly #peer: WebSocketPeer;
  readonly #upstreams = new CodexSockets();
  readonly #loop: DispatchLoop;
  readonly #transcripts = new ResponseTranscripts();
  readonly #waiting: string[] = [];
  readonly #pulse: NodeJS.Timeout;
  #pulses = 0;
  #drainedFor = 0;
  #presence: ClientPresence | undefined;
  #busy = false;

  constructor(deps: ResponsesSocketDeps, request: IncomingMessage, socket: Duplex, head: Buffer, clientKey: string) {
    this.#deps = deps;
    this.#request = request;
    this.#clientKey = clientKey;
    this.#loop = deps.socketLoop?.((dispatcher) => this.#upstreams.compose(dispatcher)) ?? deps.loop;
    this.#peer = new WebSocketPeer(socket, head, {
      role: 'server',
      maxMessageBytes: deps.config()['body-limit-mb'] * 1024 * 1024,
      onText: (message) => this.#received(message),
      onClose: () => this.#ended(),
    });
    this.#pulse = setInterval(() => this.#beat(), pulseMs);
    this.#pulse.unref();
  }

  /** A server that drains waits for answers under way, but not for sessions that could go on for ever. */
  #beat(): void {
    if (++this.#pulses % pulsesPerPing === 0) this.#peer.ping();
    if (!this.#deps.draining()) return;
    this.#drainedFor += pulseMs;
    if (!this.#busy) this.#peer.close(closeCode.goingAway, 'the server is shutting down');
    else if (this.#drainedFor >= this.#deps.config()['shutdown-timeout-seconds'] * 1000) this.#peer.destroy();
  }

  #received(message: string): void {
    if (this.#waiting.length >= longestQueue) {
      this.#peer.close(closeCode.policy, 'too many requests at once');
      return;
    }
    this.#waiting.push(message);
    if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      if (!this.#peer.open) break;
      await this.#serve(message);
    }
    this.#busy = false;
    if (this.#deps.draining()) this.#peer.close(closeCode.goingAway, 'the server is shutting down');
  }

  /** One request. Never rejects. */
  async #serve(message: string): Promise<void> {
    const id = requestId();
    const started = performance.now();
    const trace: RequestTrace = { attempts: [], answeredBy: undefined };
    const presence = new ClientPresence();
    this.#presence = presence;
    const config = this.#deps.config();
    let client: ClientRequest | undefined;
    let failure: Failure | undefined;
    let entered = false;
    const sink = new FrameSink(this.#peer, (event) => this.#transcripts.observe(event));
    try {
      const body = createMessage(message);
      if (this.#warmedUp(body)) return;
      const whole = this.#transcripts.complete(body);
      client = new ClientRequest({
        id,
        protocol: openaiResponses,
        operation: 'generate',
        stream: true,
        bytes: Buffer.from(JSON.stringify(whole)),
        headers: this.#request.headers,
        clientKey: this.#clientKey,
        endpoint: 'GET /v1/responses',
        presence,
      });
      entered = this.#deps.limiter.enter(this.#clientKey, config['client-max-concurrency']);
      if (!entered)
        throw new Failure({
          kind: 'quota',
          status: 429,
          message: 'too many requests at once for this client key',
          scope: 'request',
        });
      await this.#loop.run(client, sink, trace);
      failure = trace.attempts.at(-1)?.failure;
    } catch (error) {
      failure = failureOf(error);
      if (failure.kind !== 'aborted') this.#peer.send(errorFrame(failure));
    } finally {
      if (entered) this.#deps.limiter.leave(this.#clientKey);
      this.#deps.finished({
        id,
        protocol: 'openai-responses',
        method: 'GET',
        path: '/v1/responses',
        status: failure?.kind === 'aborted' ? 499 : (failure?.status ?? 200),
        tookMs: performance.now() - started,
        address: this.#request.socket.remoteAddress ?? '',
        clientKey: this.#clientKey,
        model: client?.model,
        stream: true,
        trace,
        failure,
      });
    }
  }

  /** `generate: false` only prepares a conversation: answered here, its input kept for the request that follows. */
  #warmedUp(body: JsonObject): boolean {
    if (body.generate !== false) return false;
    const whole = this.#transcripts.complete(body);
    const response: JsonObject = {
      id: `resp_${requestId()}${requestId()}`,
      object: 'response',
      created_at: Math.floor(Date.now() / 1000),
      model: typeof whole.model === 'string' ? whole.model : '',
      status: 'completed',
      output: [],
      usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
    };
    const created = { type: 'response.created', sequence_number: 0, response: { ...response, status: 'in_progress' } };
    const completed: JsonObject = { type: 'response.completed', sequence_number: 1, response };
    for (const event of [created, completed]) this.#peer.send(JSON.stringify(event));
    this.#transcripts.observe(JSON.stringify(completed));
    return true;
  }

  #ended(): void {
    clearInterval(this.#pulse);
    this.#waiting.length = 0;
    this.#presence?.leave();
    this.#upstreams.close();
  }
}

/** The body in a `response.create` message. Throws a 400. */
function createMessage(text: string): JsonObject {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw invalidRequest('the message is not valid JSON', { code: 'invalid_json' });
  }
  if (!isObject(message)) throw invalidRequest('the message must be a JSON object');
  const { type, ...body } = message;
  if (type !== 'response.create') throw invalidRequest(`unknown message type ${JSON.stringify(type ?? null)}`);
  return { ...body, stream: true };
}

function errorFrame(failure: Failure): string {
  const { status, body } = openaiResponses.encodeError(failure);
  const headers =
    failure.retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(failure.retryAfterMs / 1000)) };
  return JSON.stringify({ type: 'error', status, error: body.error ?? body, headers });
}

/** Turns the stream of the answer into one frame per event. */
class FrameSink implements AnswerSink {
  begun = false;
  readonly #peer: WebSocketPeer;
  readonly #parser: SseParser;
  #fluent = true;

  constructor(peer: WebSocketPeer, observe: (event: string) => void) {
    this.#peer = peer;
    this.#parser = sseParser(({ data }) => {
      if (data === '[DONE]') return;
      observe(data);
      this.#fluent = peer.send(data);
    });
  }

  begin(): void {
    this.begun = true;
  }

  whole(body: Bytes): void {
    this.begun = true;
    this.#peer.send(body.toString());
  }

  write(bytes: Bytes): boolean {
    this.#fluent = true;
    this.#parser.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    return this.#fluent;
  }

  onDrain(listener: () => void): void {
    this.#peer.onDrain(listener);
  }

  end(): void {
    this.#parser.end();
  }
}
