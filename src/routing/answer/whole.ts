// Answers that end in one JSON body for the client: collected, checked, then sent whole with their length.
import { Failure } from '../../failure.ts';
import type { JsonObject, ProtocolId, StreamPart, Usage } from '../../protocols/neutral.ts';
import type { Protocol } from '../../protocols/protocol.ts';
import { type SseParser, sseParser } from '../../protocols/sse.ts';
import { cutShort, emptyAnswer, notJson, tooLarge } from './failures.ts';
import { type AnswerPipe, type Bytes, noBytes } from './pipe.ts';
import { streamFacts, wholeUsage } from './stream-facts.ts';
import { asFailure } from './translate-stream.ts';

/** Largest whole answer, in bytes: generous for images as base64, small enough for a gzip bomb. */
export const maxAnswerBytes = 128 * 1024 * 1024;

abstract class WholePipe implements AnswerPipe {
  readonly whole = true;
  committed = false;
  failure: Failure | undefined;
  usage: Usage | undefined;
  done = false;

  abstract push(chunk: Buffer): Bytes;
  protected abstract finish(): Bytes;

  end(): Bytes {
    if (this.done) return noBytes;
    this.done = true;
    try {
      const out = this.finish();
      this.committed = this.failure === undefined;
      return out;
    } catch (error) {
      this.failure = asFailure(error);
      return noBytes;
    }
  }

  /** Never asked for: a whole answer has not begun before it is complete. */
  fail(): Bytes {
    this.done = true;
    return noBytes;
  }
}

export interface WholeOptions {
  /** Protocol of the upstream. */
  native: ProtocolId;
  unwrap?: (text: string) => string;
  /** A 200 that is an error: by shape (`error` member), or by the provider's own check. */
  inspect(json: JsonObject, text: string): Failure | undefined;
  /** The checked body → what the client gets; `text` is the body as received. */
  convert(json: JsonObject, text: string): string;
}

/** JSON from the upstream, JSON for the client. */
export class JsonPipe extends WholePipe {
  readonly #options: WholeOptions;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(options: WholeOptions) {
    super();
    this.#options = options;
  }

  push(chunk: Buffer): Bytes {
    this.#size += chunk.length;
    if (this.#size > maxAnswerBytes) {
      this.failure = tooLarge(maxAnswerBytes);
      this.done = true;
      this.#chunks.length = 0;
    } else this.#chunks.push(chunk);
    return noBytes;
  }

  protected finish(): Bytes {
    const chunks = this.#chunks;
    const received = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    chunks.length = 0;
    const json = readWhole(received.toString('utf8'), this.#options);
    if (json instanceof Failure) {
      this.failure = json;
      return noBytes;
    }
    this.usage = wholeUsage[this.#options.native](json.body);
    return this.#options.convert(json.body, json.text);
  }
}

function readWhole(
  received: string,
  options: Pick<WholeOptions, 'unwrap' | 'inspect'>,
): { body: JsonObject; text: string } | Failure {
  let text = received;
  let body: unknown;
  try {
    if (options.unwrap) text = options.unwrap(text);
    body = JSON.parse(text);
  } catch {
    return received.trim() === '' ? emptyAnswer() : notJson();
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return notJson();
  return options.inspect(body as JsonObject, text) ?? { body: body as JsonObject, text };
}

/** JSON from the upstream although the client streams (iFlow does that): told as the stream it stands for. */
export class JsonToStreamPipe implements AnswerPipe {
  readonly whole = false;
  committed = false;
  failure: Failure | undefined;
  usage: Usage | undefined;
  done = false;
  readonly #options: Pick<WholeOptions, 'native' | 'unwrap' | 'inspect'>;
  readonly #tell: (json: JsonObject) => string;
  readonly #encodeFailure: (failure: Failure) => string;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(
    options: Pick<WholeOptions, 'native' | 'unwrap' | 'inspect'>,
    tell: (json: JsonObject) => string,
    encodeFailure: (failure: Failure) => string,
  ) {
    this.#options = options;
    this.#tell = tell;
    this.#encodeFailure = encodeFailure;
  }

  push(chunk: Buffer): Bytes {
    this.#size += chunk.length;
    if (this.#size > maxAnswerBytes) {
      this.failure = tooLarge(maxAnswerBytes);
      this.done = true;
      this.#chunks.length = 0;
    } else this.#chunks.push(chunk);
    return noBytes;
  }

  end(): Bytes {
    if (this.done) return noBytes;
    this.done = true;
    try {
      const json = readWhole(Buffer.concat(this.#chunks).toString('utf8'), this.#options);
      if (json instanceof Failure) {
        this.failure = json;
        return noBytes;
      }
      this.usage = wholeUsage[this.#options.native](json.body);
      const out = this.#tell(json.body);
      this.committed = true;
      return out;
    } catch (error) {
      this.failure = asFailure(error);
      return noBytes;
    }
  }

  fail(failure: Failure): Bytes {
    this.done = true;
    return this.#encodeFailure(failure);
  }
}

export interface FoldOptions {
  decoder: Protocol['streamDecoder'];
  unwrap?: (data: string) => string;
  toolName?: (name: string) => string;
  failureOf(part: Extract<StreamPart, { type: 'error' }>): Failure;
  encode(parts: readonly StreamPart[]): string;
}

/** A stream from the upstream, one JSON body for the client. */
export class FoldPipe extends WholePipe {
  readonly #options: FoldOptions;
  readonly #parts: StreamPart[] = [];
  readonly #parser: SseParser;
  readonly #decoder: ReturnType<Protocol['streamDecoder']>;
  #size = 0;
  #finished = false;
  #sawAnything = false;

  constructor(options: FoldOptions) {
    super();
    this.#options = options;
    this.#decoder = options.decoder((part) => this.#part(part));
    this.#parser = sseParser((event) => {
      this.#sawAnything = true;
      if (options.unwrap && event.data !== '[DONE]') event.data = options.unwrap(event.data);
      this.#decoder.event(event);
    });
  }

  push(chunk: Buffer): Bytes {
    if (this.done) return noBytes;
    this.#size += chunk.length;
    try {
      if (this.#size > maxAnswerBytes) throw tooLarge(maxAnswerBytes);
      this.#parser.push(chunk);
    } catch (error) {
      this.failure = asFailure(error);
      this.done = true;
    }
    return noBytes;
  }

  protected finish(): Bytes {
    this.#parser.end();
    this.#decoder.end();
    if (this.failure) return noBytes;
    if (!this.#finished) {
      this.failure = this.#sawAnything ? cutShort() : emptyAnswer();
      return noBytes;
    }
    return this.#options.encode(this.#parts);
  }

  #part(part: StreamPart): void {
    if (this.failure) return;
    if (part.type === 'error') {
      this.failure = this.#options.failureOf(part);
      this.done = true;
      return;
    }
    if (part.type === 'usage') this.usage = part.usage;
    if (part.type === 'finish') this.#finished = true;
    this.#parts.push(
      part.type === 'tool-start' && this.#options.toolName
        ? { ...part, name: this.#options.toolName(part.name) }
        : part,
    );
  }
}

/**
 * A Responses stream for a Responses client that wants JSON: the final event's own `response` object, its output filled
 * from the finished items when the upstream left it out (spec/upstreams.md §2.3).
 */
export class FoldResponsesPipe extends WholePipe {
  readonly #parser: SseParser;
  readonly #items = new Map<number, JsonObject>();
  readonly #failureOf: (data: string) => Failure;
  readonly #convert: (response: JsonObject) => string;
  #response: JsonObject | undefined;
  #sawAnything = false;

  constructor(failureOf: (data: string) => Failure, convert: (response: JsonObject) => string) {
    super();
    this.#failureOf = failureOf;
    this.#convert = convert;
    this.#parser = sseParser((event) => this.#event(event.data));
  }

  push(chunk: Buffer): Bytes {
    if (this.done) return noBytes;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.failure = asFailure(error);
      this.done = true;
    }
    return noBytes;
  }

  protected finish(): Bytes {
    this.#parser.end();
    if (this.failure) return noBytes;
    const response = this.#response;
    if (response === undefined) {
      this.failure = this.#sawAnything ? cutShort() : emptyAnswer();
      return noBytes;
    }
    this.usage = wholeUsage['openai-responses'](response);
    return this.#convert(response);
  }

  #event(data: string): void {
    if (this.failure || this.#response || data === '[DONE]') return;
    this.#sawAnything = true;
    const json = JSON.parse(data) as JsonObject;
    const facts = streamFacts['openai-responses'].read(json);
    if (facts.error) {
      this.failure = this.#failureOf(data);
      this.done = true;
      return;
    }
    repairItems(this.#items, json);
    if (facts.end) this.#response = repairedResponse(this.#items, json);
  }
}

/** Remembers finished output items by their place. */
export function repairItems(items: Map<number, JsonObject>, json: JsonObject): void {
  if (json.type !== 'response.output_item.done' || typeof json.item !== 'object' || json.item === null) return;
  items.set(typeof json.output_index === 'number' ? json.output_index : items.size, json.item as JsonObject);
}

/** The final `response`, with its output rebuilt when it is missing or empty. */
export function repairedResponse(items: ReadonlyMap<number, JsonObject>, json: JsonObject): JsonObject {
  const response = (typeof json.response === 'object' && json.response !== null ? json.response : {}) as JsonObject;
  if (Array.isArray(response.output) && response.output.length > 0) return response;
  const output = [...items.entries()].sort(([a], [b]) => a - b).map(([, item]) => item);
  return { ...response, output };
}
