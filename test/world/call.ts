// One request to the world while it is answered.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGzip, gzipSync } from 'node:zlib';
import type { Json, JsonObject } from '../../src/protocols/neutral.ts';
import type { Account, Identity, Settings } from './accounts.ts';
import type { Entry, Journal } from './journal.ts';
import type { Ask } from './model.ts';
import type { Script } from './script.ts';
import type { ErrorKind, Route } from './types.ts';

/** What the handlers of all providers may use. */
export interface Surroundings {
  identity: Identity;
  settings: Settings;
  journal: Journal;
  /** `http://127.0.0.1:<port>` */
  origin: string;
}

export class Call {
  readonly world: Surroundings;
  readonly route: Route;
  readonly entry: Entry;
  readonly url: URL;
  /** Groups of the route's pattern. */
  readonly groups: readonly string[];
  account: Account | undefined;
  /** Why the credential is no good; answered with the wire's 401. */
  refusal = '';
  ask: Ask | undefined;
  script: Script | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(init: {
    world: Surroundings;
    route: Route;
    entry: Entry;
    url: URL;
    groups: readonly string[];
    request: IncomingMessage;
    response: ServerResponse;
  }) {
    this.world = init.world;
    this.route = init.route;
    this.entry = init.entry;
    this.url = init.url;
    this.groups = init.groups;
    this.#request = init.request;
    this.#response = init.response;
  }

  header(name: string): string {
    return this.entry.headers[name] ?? '';
  }

  /** The JSON body; empty when there was none. */
  get json(): JsonObject {
    return this.entry.json ?? {};
  }

  /** A parameter of a form or JSON body. */
  param(name: string): string {
    if (this.entry.form !== undefined) return (this.entry.form[name] ?? '').trim();
    const value = this.json[name];
    return typeof value === 'string' ? value.trim() : '';
  }

  bearer(): string {
    return /^bearer\s+(.+)$/i.exec(this.header('authorization'))?.[1]?.trim() ?? '';
  }

  problem(text: string): void {
    this.entry.problems.push(text);
    this.world.journal.changed();
  }

  note(name: string, value: string): void {
    this.entry.notes[name] = value;
  }

  /** Finds out whose token or key this is. */
  authenticate(token: string): void {
    this.entry.credential = token;
    const found = this.world.identity.lookup(this.entry.provider, token);
    this.account = found.account;
    this.entry.account = found.name;
    if (found.problem !== '') this.refuse(found.problem);
  }

  refuse(reason: string): void {
    this.problem(reason);
    this.refusal ||= reason;
  }

  fail(kind: ErrorKind, retryAfter?: number): void {
    const error = this.route.wire.error(kind, {
      model: this.entry.model,
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
    this.reply(error.status, error.body, error.headers);
  }

  /** A whole answer. Text is sent as it is, anything else as JSON. */
  reply(status: number, body: Json, headers: Record<string, string> = {}): void {
    const action = this.script?.action;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const gzip = action?.gzip === true && text !== '';
    const bytes = gzip ? gzipSync(text) : Buffer.from(text);
    this.#response.writeHead(status, {
      'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
      ...headers,
      'content-length': bytes.length,
      ...(gzip ? { 'content-encoding': 'gzip' } : {}),
    });
    this.#response.end(bytes);
    this.#status(status);
  }

  redirect(location: string): void {
    this.#response.writeHead(302, { location, 'content-length': 0 }).end();
    this.#status(302);
  }

  /** Server-sent events, as the script allows. Each item is one whole event with its blank line. */
  async stream(events: readonly string[]): Promise<void> {
    const action = this.script?.action ?? {};
    const gzip = action.gzip === true ? createGzip() : undefined;
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      ...(gzip === undefined ? {} : { 'content-encoding': 'gzip' }),
      ...action.headers,
    });
    this.#response.flushHeaders();
    this.#status(200);
    gzip?.pipe(this.#response);
    const out = gzip ?? this.#response;
    for (let i = 0; ; i++) {
      if (action.holdAfter === i) await this.gate();
      if (this.left) return;
      if (action.cutAfter === i) return this.#cut(action.cutMode ?? 'close', () => out.end());
      if (action.errorEventAfter === i) {
        out.end(this.route.wire.errorEvent());
        return;
      }
      const event = events[i];
      if (event === undefined) break;
      for (const piece of pieces(Buffer.from(event), action.splitBytes)) {
        out.write(piece);
        gzip?.flush();
        // Separate packets, so that a reader really sees the pieces.
        if (action.splitBytes !== undefined) await new Promise((resolve) => setImmediate(resolve));
      }
      this.entry.events = i + 1;
      this.world.journal.changed();
    }
    out.end();
  }

  /** Waits for the script's `release()`, or until the caller has left. */
  async gate(): Promise<void> {
    const left = Promise.withResolvers<void>();
    this.#response.once('close', left.resolve);
    await Promise.race([this.script?.released, left.promise]);
    this.#response.off('close', left.resolve);
  }

  get left(): boolean {
    return this.#response.destroyed || this.#request.socket.destroyed;
  }

  drop(how: 'reset' | 'close'): void {
    this.#cut(how, () => {});
  }

  #cut(how: 'reset' | 'close' | 'end', end: () => void): void {
    this.entry.state = 'cut';
    if (how === 'end') end();
    else if (how === 'reset') this.#request.socket.resetAndDestroy();
    else this.#request.socket.destroySoon();
    this.world.journal.changed();
  }

  #status(status: number): void {
    this.entry.status = status;
    this.world.journal.changed();
  }
}

function* pieces(bytes: Buffer, size: number | undefined): Generator<Buffer> {
  const step = size ?? bytes.length;
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}
