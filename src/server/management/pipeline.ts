// One request on its way through a route: key, scope, rate, precondition, body, answer, audit line.
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access, AccessRequest } from './access.ts';
import type { ManagementDeps } from './deps.ts';
import { ApiError, loginError } from './errors.ts';
import { digest } from './management-key.ts';
import { parseQuery, readQuery } from './query.ts';
import { defaultLimit, parseBody, readBody } from './request-body.ts';
import type { Answer, Call, Change, Client, Route } from './route.ts';

export interface Step {
  route: Route;
  params: Record<string, string>;
  who: { address: string; local: boolean };
  asked: AccessRequest;
  requestId: string;
  request: FastifyRequest;
  reply: FastifyReply;
}

const writesPerSecond = 50;

export class Pipeline {
  readonly #deps: ManagementDeps;
  readonly #access: Access;
  /** Writes to the configuration, one after the other: precondition and edit belong together. */
  #writes: Promise<unknown> = Promise.resolve();
  #tokens = writesPerSecond;
  #refilledAt: number;

  constructor(deps: ManagementDeps, access: Access) {
    this.#deps = deps;
    this.#access = access;
    this.#refilledAt = deps.now();
  }

  async run(step: Step): Promise<FastifyReply> {
    const { route, asked, who, reply } = step;
    const changes: Change[] = [];
    let client: Client | undefined;
    try {
      client = await this.#access.authenticate(asked, who);
      this.#scope(route, client);
      if (route.method !== 'GET') this.#spend();
      const call = await this.#call(step, client, changes);
      const answer = await (route.config && route.method !== 'GET'
        ? this.#inTurn(() => this.#answerWrite(route, call))
        : route.answer(call));
      if (route.config && route.method === 'GET') this.#tag(step, answer);
      if (route.method !== 'GET') this.#audit(step, client, answer.status ?? 200, changes);
      return send(answer, step);
    } catch (error) {
      const shaped = route.login && error instanceof ApiError ? asLogin(error) : error;
      const status = shaped instanceof ApiError ? shaped.status : 500;
      if (route.method !== 'GET' || status === 401 || status === 403) this.#audit(step, client, status, changes);
      void reply;
      throw shaped;
    }
  }

  #scope(route: Route, client: Client): void {
    if (client.scope === 'admin' || route.scope === 'viewer') return;
    throw new ApiError(403, 'insufficient scope', { message: 'This key may only read.' });
  }

  async #call(step: Step, client: Client, changes: Change[]): Promise<Call> {
    const { route, request } = step;
    const raw = readQuery(request.raw.url ?? '');
    const query = route.query ? parseQuery(route.query, raw) : {};
    const params = route.params ? route.params.parse(step.params) : step.params;
    const abort = new AbortController();
    step.reply.raw.once('close', () => {
      if (!step.reply.raw.writableFinished) abort.abort();
    });
    return {
      deps: this.#deps,
      query,
      params,
      body: await this.#body(step),
      client,
      headers: request.headers,
      requestId: step.requestId,
      redact: client.scope === 'viewer' || ['1', 'true', 'yes', 'on'].includes(String(raw.redact ?? '').toLowerCase()),
      signal: abort.signal,
      note: (change) => changes.push(change),
    };
  }

  async #body({ route, request }: Step): Promise<unknown> {
    const spec = route.body;
    if (!spec) return undefined;
    const source = request.body as Readable | undefined | null;
    const bytes =
      source && typeof source === 'object' && Symbol.asyncIterator in source
        ? await readBody(source, defaultLimit(spec), request.headers['content-length'])
        : Buffer.alloc(0);
    return parseBody(spec, bytes, request.headers['content-type'] ?? '');
  }

  /** R8: a token bucket over all writes. */
  #spend(): void {
    const now = this.#deps.now();
    this.#tokens = Math.min(writesPerSecond, this.#tokens + ((now - this.#refilledAt) / 1000) * writesPerSecond);
    this.#refilledAt = now;
    if (this.#tokens < 1) {
      throw new ApiError(429, 'too many requests', { headers: { 'retry-after': '1' }, code: 'rate_limited' });
    }
    this.#tokens -= 1;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#writes.then(work);
    this.#writes = turn.catch(() => undefined);
    return turn;
  }

  async #answerWrite(route: Route, call: Call): Promise<Answer> {
    const expected = call.headers['if-match'];
    if (expected !== undefined && !tagMatches(expected, this.#etag())) {
      throw new ApiError(412, 'precondition failed', {
        message: 'The configuration has changed since it was read.',
        headers: { etag: this.#etag() },
      });
    }
    const answer = await route.answer(call);
    return { ...answer, headers: { etag: this.#etag(), ...answer.headers } };
  }

  #tag(step: Step, answer: Answer): void {
    const etag = this.#etag();
    answer.headers = { etag, ...answer.headers };
    const known = step.request.headers['if-none-match'];
    if (known === undefined || !tagMatches(known, etag)) return;
    answer.status = 304;
    answer.json = answer.text = answer.bytes = undefined;
  }

  #etag(): string {
    return `"${this.#deps.config.revision()}"`;
  }

  #audit(step: Step, client: Client | undefined, status: number, changes: readonly Change[]): void {
    const path = (step.request.raw.url ?? '').split('?', 1)[0] ?? '';
    this.#deps.audit.write({
      time: new Date(this.#deps.now()).toISOString(),
      address: step.who.address,
      key: client?.keyId ?? '',
      method: step.request.method,
      path: path.slice(0, 512),
      changed: changes.flatMap((change) => change.changed),
      before: hashOf(changes.map((change) => change.before)),
      after: hashOf(changes.map((change) => change.after)),
      status,
      result: status < 400 ? 'ok' : 'refused',
      request_id: step.requestId,
    });
  }
}

function hashOf(values: readonly unknown[]): string | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : digest(JSON.stringify(known)).toString('hex').slice(0, 16);
}

function tagMatches(header: string, etag: string): boolean {
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim() === etag);
}

function asLogin(error: ApiError): ApiError {
  if (error.extra?.status === 'error' || error.status === 401 || error.status === 403) return error;
  return loginError(error.status, error.text, {
    code: error.code,
    message: error.message,
    details: error.details,
    headers: error.headers,
    extra: error.extra,
  });
}

function send(answer: Answer, { reply, request }: Step): FastifyReply {
  reply.code(answer.status ?? 200).headers(answer.headers ?? {});
  if (answer.json !== undefined) {
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer.json));
  }
  if (answer.type) reply.type(answer.type);
  if (answer.stream) {
    if (request.method !== 'HEAD') return reply.send(answer.stream);
    answer.stream.destroy();
    return reply.send();
  }
  return reply.send(answer.text ?? answer.bytes);
}
