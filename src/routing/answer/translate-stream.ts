// Another protocol on each side, both streaming: events in, parts between, events out.
import { Failure } from '../../failure.ts';
import type { StreamPart, Usage } from '../../protocols/neutral.ts';
import type { Protocol, StreamDecoder, StreamEncoder } from '../../protocols/protocol.ts';
import { type SseParser, sseParser } from '../../protocols/sse.ts';
import { cutShort, emptyAnswer } from './failures.ts';
import { type AnswerPipe, type Bytes, noBytes } from './pipe.ts';

export interface TranslateOptions {
  decoder: Protocol['streamDecoder'];
  encoder: StreamEncoder;
  /** Takes an envelope off the data of one event. */
  unwrap?: (data: string) => string;
  /** Tool names as the client knows them. */
  toolName?: (name: string) => string;
  failureOf(part: Extract<StreamPart, { type: 'error' }>): Failure;
}

/** Parts that are an answer already, so that no other credential may be asked after them. */
const substance: ReadonlySet<StreamPart['type']> = new Set([
  'text-delta',
  'refusal-delta',
  'reasoning-delta',
  'tool-start',
  'file',
  'finish',
]);

export class TranslateStreamPipe implements AnswerPipe {
  readonly whole = false;
  committed = false;
  failure: Failure | undefined;
  usage: Usage | undefined;
  done = false;

  readonly #options: TranslateOptions;
  readonly #parser: SseParser;
  readonly #decoder: StreamDecoder;
  #out = '';
  #sawAnything = false;
  #finished = false;

  constructor(options: TranslateOptions) {
    this.#options = options;
    this.#decoder = options.decoder((part) => this.#part(part));
    this.#parser = sseParser((event) => {
      if (this.done) return;
      this.#sawAnything = true;
      if (options.unwrap && event.data !== '[DONE]') event.data = options.unwrap(event.data);
      this.#decoder.event(event);
    });
  }

  push(chunk: Buffer): Bytes {
    if (this.done) return noBytes;
    this.#guard(() => this.#parser.push(chunk));
    return this.#take();
  }

  end(): Bytes {
    if (this.done) return noBytes;
    this.#guard(() => {
      this.#parser.end();
      this.#decoder.end();
    });
    if (this.failure) return this.#take();
    this.done = true;
    if (!this.#finished) {
      this.failure = this.#sawAnything ? cutShort() : emptyAnswer();
      return this.#take();
    }
    this.#out += this.#options.encoder.end();
    return this.#take();
  }

  fail(failure: Failure): Bytes {
    this.done = true;
    return this.#options.encoder.fail(failure);
  }

  #part(part: StreamPart): void {
    if (this.done || this.failure) return;
    if (part.type === 'error') {
      this.failure = this.#options.failureOf(part);
      this.done = true;
      return;
    }
    if (part.type === 'usage') this.usage = part.usage;
    else if (part.type === 'finish') this.#finished = true;
    if (!this.committed && substance.has(part.type)) this.committed = true;
    const named =
      part.type === 'tool-start' && this.#options.toolName
        ? { ...part, name: this.#options.toolName(part.name) }
        : part;
    this.#out += this.#options.encoder.write(named);
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failure = asFailure(error);
      this.done = true;
    }
  }

  #take(): string {
    const out = this.#out;
    this.#out = '';
    return out;
  }
}

/** A decoder that cannot read an event says so by throwing: that is the upstream's fault, not ours. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure({
    kind: 'transient',
    status: 502,
    message: 'the upstream sent something that could not be read',
    code: 'upstream_bad_body',
    cause: error,
  });
}
