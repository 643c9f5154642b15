// The way of every client request through the server: access, body, dispatch, answer, one log line.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../config/index.ts';
import { Failure, failureOf } from '../failure.ts';
import type { RequestLog } from '../observe/request-log.ts';
import type { ProtocolId } from '../protocols/neutral.ts';
import type { Protocol } from '../protocols/protocol.ts';
import type { Operation } from '../providers/provider.ts';
import { ClientRequest, type Face } from '../routing/client-request.ts';
import type { DispatchLoop, RequestTrace } from '../routing/dispatch.ts';
import { ClientPresence } from '../routing/presence.ts';
import { type KeyRing, presentedKeys } from './access.ts';
import { failureText, ResponseSink, writeFailure } from './answer.ts';
import { readBody } from './body.ts';

export interface RouteFacts {
  protocol: Protocol;
  operation: Operation;
  face?: Face;
  /** From the URL (Gemini). */
  model?: string;
  stream?: boolean;
}

/** When a request is over, however it ended. */
export interface RequestSummary {
  id: string;
  /** What the client speaks. */
  protocol: ProtocolId;
  method: string;
  /** Without query. */
  path: string;
  status: number;
  /** ms */
  tookMs: number;
  address: string;
  clientKey: string;
  /** What the client presented, for logs that need the plain key's mask only. */
  model: string | undefined;
  stream: boolean;
  trace: RequestTrace;
  failure: Failure | undefined;
}

export interface ClientRouteDeps {
  config: () => Config;
  keys: () => KeyRing;
  loop: DispatchLoop;
  /** `local` operations that need no upstream; undefined = ask one. */
  answerLocally?(client: ClientRequest): string | undefined;
  finished(summary: RequestSummary): void;
  requestLog?: RequestLog | undefined;
  /** New requests are refused while the server drains. */
  draining(): boolean;
  /** Request bodies in memory at once, over all clients, in bytes. */
  limiter: ClientLimiter;
}

/** Requests at once per client key (`client-max-concurrency`). */
export class ClientLimiter {
  readonly #running = new Map<string, number>();

  /** Over all keys. */
  get running(): number {
    let sum = 0;
    for (const count of this.#running.values()) sum += count;
    return sum;
  }

  enter(key: string, limit: number): boolean {
    const running = this.#running.get(key) ?? 0;
    if (limit > 0 && running >= limit) return false;
    this.#running.set(key, running + 1);
    return true;
  }

  leave(key: string): void {
    const running = (this.#running.get(key) ?? 1) - 1;
    if (running <= 0) this.#running.delete(key);
    else this.#running.set(key, running);
  }
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Eight hexadecimal digits, for logs and the `x-request-id` header: to tell requests apart, not to keep secret. */
export function requestId(): string {
  const bits = (Math.random() * 0x1_0000_0000) >>> 0;
  const pair = (shift: number): string => hexPairs[(bits >>> shift) & 255] as string;
  return pair(24) + pair(16) + pair(8) + pair(0);
}

export function unauthorized(request: IncomingMessage): Failure {
  const missing = presentedKeys(request).length === 0;
  return new Failure({
    kind: 'unauthorized',
    status: 401,
    message: missing ? 'Missing API key' : 'Invalid API key',
    code: 'invalid_api_key',
    scope: 'request',
  });
}

/** Serves one client request. Never rejects. */
export async function serveClient(
  deps: ClientRouteDeps,
  facts: RouteFacts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const id = requestId();
  const started = performance.now();
  const config = deps.config();
  const trace: RequestTrace = { attempts: [], answeredBy: undefined };
  // Armed before the first await: a client that leaves in any phase is noticed (lab finding, 0 of 50 otherwise).
  const presence = new ClientPresence();
  response.on('close', () => {
    if (!response.writableFinished) presence.leave();
  });
  response.on('error', noop);
  const recorder = config['request-log'] ? deps.requestLog?.open(id, request, response) : undefined;
  let bytes: Buffer | undefined;
  let client: ClientRequest | undefined;
  let sink: ResponseSink | undefined;
  let clientKey = '';
  let failure: Failure | undefined;
  let entered = false;
  try {
    if (deps.draining()) throw shuttingDown(response);
    const key = deps.keys().check(request);
    if (key === undefined) {
      request.resume();
      throw unauthorized(request);
    }
    clientKey = key;
    bytes = await readBody(request, config['body-limit-mb'] * 1024 * 1024, presence);
    recorder?.body(bytes);
    client = new ClientRequest({
      id,
      protocol: facts.protocol,
      face: facts.face,
      operation: facts.operation,
      model: facts.model,
      stream: facts.stream,
      bytes,
      headers: request.headers,
      clientKey,
      endpoint: `${request.method} ${pathOf(request)}`,
      presence,
      recorder,
      parsesAnyway: (model) => deps.loop.parsesAnyway(facts.protocol.id, model),
    });
    entered = deps.limiter.enter(clientKey, config['client-max-concurrency']);
    if (!entered) throw tooManyAtOnce(config['client-max-concurrency']);
    const local = deps.answerLocally?.(client);
    sink = new ResponseSink({
      response,
      requestId: id,
      stream: client.stream,
      passHeaders: config['passthrough-headers'],
      keepAliveSeconds: config.streaming['keepalive-seconds'],
      newlineSeconds: config['nonstream-keepalive-interval'],
      extraHeaders: () => (trace.answeredBy === undefined ? undefined : { 'x-cliproxy-model': trace.answeredBy }),
    });
    if (local !== undefined) sink.whole(local, {});
    else await deps.loop.run(client, sink, trace);
    failure = trace.attempts.at(-1)?.failure;
  } catch (error) {
    failure = failureOf(error);
    answerFailure(facts.protocol, failure, response, sink, client, id);
  } finally {
    sink?.stop();
    if (entered) deps.limiter.leave(clientKey);
    deps.finished({
      id,
      protocol: facts.protocol.id,
      method: request.method ?? '',
      path: pathOf(request),
      status: failure?.kind === 'aborted' ? 499 : response.statusCode,
      tookMs: performance.now() - started,
      address: request.socket.remoteAddress ?? '',
      clientKey,
      model: client?.model,
      stream: client?.stream ?? false,
      trace,
      failure,
    });
    if (recorder !== undefined) void recorder.close();
    else if (failure !== undefined)
      logFailure(deps, facts, failure, { id, request, response, body: bytes, trace, clientKey });
  }
}

function answerFailure(
  protocol: Protocol,
  failure: Failure,
  response: ServerResponse,
  sink: ResponseSink | undefined,
  client: ClientRequest | undefined,
  id: string,
): void {
  if (failure.kind === 'aborted' || response.destroyed) {
    response.destroy();
    return;
  }
  if (!response.headersSent) {
    writeFailure(response, protocol, failure, id);
    return;
  }
  // Keep-alives committed the status: the error is told in the body.
  if (client?.stream) response.write(protocol.streamEncoder({ model: client.model }).fail(failure));
  else response.write(JSON.stringify({ ...protocol.encodeError(failure).body, status: failure.status }));
  sink?.end();
}

/** Error logs are for requests that were let in: strangers who knock must not push out what people look for. */
function logFailure(
  deps: ClientRouteDeps,
  facts: RouteFacts,
  failure: Failure,
  seen: {
    id: string;
    request: IncomingMessage;
    response: ServerResponse;
    body: Buffer | undefined;
    trace: RequestTrace;
    clientKey: string;
  },
): void {
  const stranger = failure.kind === 'unauthorized' && seen.clientKey === '' && seen.trace.attempts.length === 0;
  if (failure.kind === 'aborted' || stranger) return;
  deps.requestLog?.failed({
    ...seen,
    status: seen.response.statusCode,
    answer: failureText(facts.protocol, failure).text,
  });
}

function noop(): void {}

export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

function shuttingDown(response: ServerResponse): Failure {
  response.setHeader('connection', 'close');
  return new Failure({
    kind: 'unavailable',
    status: 503,
    message: 'the server is shutting down',
    code: 'shutting_down',
    retryAfterMs: 1000,
    scope: 'request',
  });
}

function tooManyAtOnce(limit: number): Failure {
  return new Failure({
    kind: 'quota',
    status: 429,
    code: 'too_many_requests',
    message: `this client key has ${limit} requests under way already (client-max-concurrency)`,
    retryAfterMs: 1000,
    scope: 'request',
  });
}
