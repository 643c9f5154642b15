// What a client asked for, read as far as needed: the bytes, a scan of them, the parsed body, the neutral form.
import { Failure, invalidRequest } from '../failure.ts';
import type { ChatRequest, JsonObject, ProtocolId } from '../protocols/neutral.ts';
import type { Protocol } from '../protocols/protocol.ts';
import type { Operation } from '../providers/provider.ts';
import type { ClientPresence } from './presence.ts';
import type { RequestRecorder } from './recorder.ts';
import {
  type BodyScan,
  maxDepth,
  maxItems,
  maxMembers,
  member,
  memberValue,
  type ScanLimit,
  scanObject,
} from './scan.ts';

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** An older form of a protocol that an upstream of the protocol can answer: only the shape differs, so nothing is lost. */
export interface Face {
  /** The client's body in the protocol's own form. */
  request(body: JsonObject): JsonObject;
  /** The upstream's whole answer in the older form. */
  answer(body: JsonObject): JsonObject;
  /** The same for the data of one event; undefined drops it. */
  event(data: string): string | undefined;
}

export interface ClientRequestOptions {
  id: string;
  /** How the client speaks: requests are decoded and answers encoded with it. */
  protocol: Protocol;
  /** Legacy completions: an older form of `openai-chat`. */
  face?: Face | undefined;
  operation: Operation;
  /** Model and stream flag when the URL carries them (Gemini). */
  model?: string | undefined;
  stream?: boolean | undefined;
  bytes: Buffer;
  headers: Headers;
  /** Hex digest of the client's key; `''` when none is asked for. */
  clientKey: string;
  /** Method and path, for usage without keys. */
  endpoint: string;
  presence: ClientPresence;
  /** Only while full request logs are on. */
  recorder?: RequestRecorder | undefined;
  /** Whether a request for this model is going to be translated: its body is then parsed at once, not scanned first. */
  parsesAnyway?(model: string): boolean;
}

export class ClientRequest {
  readonly id: string;
  readonly protocol: Protocol;
  readonly face: Face | undefined;
  /** The body is in another protocol's form: it is never passed on as it is. */
  readonly translateAlways: boolean;
  readonly operation: Operation;
  /** As sent, thinking suffix included. */
  readonly model: string;
  readonly stream: boolean;
  readonly bytes: Buffer;
  /** Undefined when the bytes are not plain enough to be spliced; then they were parsed. */
  readonly scan: BodyScan | undefined;
  readonly headers: Headers;
  readonly clientKey: string;
  readonly endpoint: string;
  readonly presence: ClientPresence;
  readonly recorder: RequestRecorder | undefined;
  #json: JsonObject | undefined;
  #jsonTaken = false;
  #neutral: ChatRequest | undefined;

  /** Throws `Failure` (400) for a body that is no JSON object or names no model. */
  constructor(options: ClientRequestOptions) {
    this.id = options.id;
    this.protocol = options.protocol;
    this.face = options.face;
    this.operation = options.operation;
    this.bytes = options.bytes;
    this.headers = options.headers;
    this.clientKey = options.clientKey;
    this.endpoint = options.endpoint;
    this.presence = options.presence;
    this.recorder = options.recorder;
    const likely = options.bytes.length < worthAsking ? undefined : (options.model ?? leadingModel(options.bytes));
    const scan =
      likely !== undefined && options.parsesAnyway?.(likely) === true ? undefined : scanObject(options.bytes);
    if (typeof scan === 'string') throw invalidRequest(beyond[scan]);
    this.scan = scan;
    if (scan === undefined) this.#json = parseBody(options.bytes);
    this.translateAlways =
      this.protocol.id === 'openai-chat' && options.face === undefined && this.#isResponsesShaped();
    this.model = options.model ?? readModel(this.#member('model'));
    this.stream = options.stream ?? readStream(this.#member('stream'), this.protocol.id);
  }

  /** The client's body as an object of the caller's own: every call may change what it gets. */
  json(): JsonObject {
    if (this.#json !== undefined && !this.#jsonTaken) {
      this.#jsonTaken = true;
      return this.#json;
    }
    return parseBody(this.bytes);
  }

  /** The neutral form; encoders must not change it. */
  neutral(): ChatRequest {
    if (this.#neutral === undefined) {
      const neutral = this.protocol.decodeRequest(this.json());
      neutral.model = this.model;
      neutral.stream = this.stream;
      this.#neutral = neutral;
    }
    return this.#neutral;
  }

  get protocolId(): ProtocolId {
    return this.protocol.id;
  }

  /** A Responses body sent to the chat route is read all the same, but never passed on as it is (spec/protocols.md §1). */
  #isResponsesShaped(): boolean {
    const has = (name: string): boolean =>
      this.scan ? member(this.scan, name) !== undefined : this.#json?.[name] !== undefined;
    return !has('messages') && (has('input') || has('instructions'));
  }

  #member(name: string): unknown {
    if (this.scan) return memberValue(this.bytes, this.scan, name);
    return this.#json?.[name];
  }
}

/** Bytes below which scanning costs less than asking whether it is needed. */
const worthAsking = 4096;

/** What most clients write first. A guess: it decides how the body is read, never what is read. */
function leadingModel(bytes: Buffer): string | undefined {
  return /^\s*\{\s*"model"\s*:\s*"([^"\\]{1,256})"/.exec(bytes.toString('latin1', 0, 320))?.[1];
}

const beyond: Record<ScanLimit, string> = {
  deep: `the request body is nested more than ${maxDepth} levels deep`,
  members: `the request body has more than ${maxMembers} members`,
  items: `a list in the request body has more than ${maxItems} items`,
};

function readModel(value: unknown): string {
  if (value === undefined || value === null)
    throw invalidRequest('the request names no model: set "model"', { code: 'missing_model' });
  if (typeof value !== 'string' || value.trim() === '') throw invalidRequest('"model" must be a non-empty string');
  if (value.length > 256 || /[\p{Cc}\p{Cs}]/u.test(value)) throw invalidRequest('"model" is not a model name');
  return value.trim();
}

/** Anthropic clients stream for any `stream` other than absent or false; others must send a boolean. */
function readStream(value: unknown, protocol: ProtocolId): boolean {
  if (value === undefined || value === null || value === false) return false;
  if (value === true || protocol === 'anthropic') return true;
  throw invalidRequest('"stream" must be true or false');
}

function parseBody(bytes: Buffer): JsonObject {
  if (bytes.length === 0) throw invalidRequest('the request has no body: send a JSON object');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidRequest('the request body is not valid UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidRequest(`the request body is not valid JSON${position(error)}`, { code: 'invalid_json' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest('the request body must be a JSON object');
  }
  if (isDeeperThan(value, maxDepth)) throw invalidRequest(beyond.deep);
  const members = Object.values(value);
  if (members.length > maxMembers) throw invalidRequest(beyond.members);
  if (members.some((member) => Array.isArray(member) && member.length > maxItems)) throw invalidRequest(beyond.items);
  return value as JsonObject;
}

/** Where it broke, without the text around it: bodies hold people's words. */
function position(error: unknown): string {
  const found = error instanceof SyntaxError ? /at position (\d+)/.exec(error.message) : null;
  return found === null ? '' : ` (at byte ${found[1]})`;
}

function isDeeperThan(root: object, limit: number): boolean {
  let level: object[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= limit) return true;
    const next: object[] = [];
    for (const item of level) {
      for (const value of Object.values(item)) if (typeof value === 'object' && value !== null) next.push(value);
    }
    level = next;
  }
  return false;
}

/** The client left: nothing is sent, nothing is held against anybody. */
export function clientLeft(): Failure {
  return new Failure({ kind: 'aborted', status: 499, message: 'the client closed the connection', scope: 'request' });
}
