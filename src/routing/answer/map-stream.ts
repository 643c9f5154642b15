// Same protocol, but each event must be opened: a Google envelope is taken off, a Responses end is repaired, or the client
// speaks an older form of the protocol.
import type { Failure } from '../../failure.ts';
import type { JsonObject, ProtocolId, Usage } from '../../protocols/neutral.ts';
import { formatSse, type SseParser, sseParser } from '../../protocols/sse.ts';
import { cutShort, emptyAnswer } from './failures.ts';
import { type AnswerPipe, type Bytes, noBytes } from './pipe.ts';
import { type EventFacts, streamFacts } from './stream-facts.ts';
import { asFailure } from './translate-stream.ts';
import { repairedResponse, repairItems } from './whole.ts';

export interface MapOptions {
  protocol: ProtocolId;
  unwrap?: (data: string) => string;
  /** The data of one event in the client's form; undefined drops the event. */
  reshape?: (data: string) => string | undefined;
  /** Forward the usage-only chunk of chat (`choices: []`). */
  wantsUsage: boolean;
  /** Name to show instead of the upstream's. */
  model: string | undefined;
  failureOf(data: string): Failure;
  encodeFailure(failure: Failure): string;
}

export class MapStreamPipe implements AnswerPipe {
  readonly whole = false;
  committed = false;
  failure: Failure | undefined;
  usage: Usage | undefined;
  done = false;
  readonly #options: MapOptions;
  readonly #parser: SseParser;
  readonly #items = new Map<number, JsonObject>();
  #out = '';
  #sawEnd = false;
  #sawAnything = false;

  constructor(options: MapOptions) {
    this.#options = options;
    this.#parser = sseParser((event) => this.#event(event.event, event.data));
  }

  push(chunk: Buffer): Bytes {
    if (!this.done) this.#guard(() => this.#parser.push(chunk));
    return this.#take();
  }

  end(): Bytes {
    if (this.done) return noBytes;
    this.#guard(() => this.#parser.end());
    if (!this.done) {
      this.done = true;
      if (!this.#sawEnd) this.failure = this.#sawAnything ? cutShort() : emptyAnswer();
      else {
        this.committed = true;
        this.#out += streamFacts[this.#options.protocol].missingEnding(false);
      }
    }
    return this.#take();
  }

  fail(failure: Failure): Bytes {
    this.done = true;
    return this.#options.encodeFailure(failure);
  }

  #event(name: string, received: string): void {
    if (this.done) return;
    if (received === '[DONE]') {
      this.#sawEnd ||= this.committed;
      return;
    }
    this.#sawAnything = true;
    const { protocol, unwrap, model } = this.#options;
    let data = unwrap ? unwrap(received) : received;
    const json = JSON.parse(data) as JsonObject;
    const facts = streamFacts[protocol].read(json);
    if (facts.error) {
      this.failure = this.#options.failureOf(data);
      this.done = true;
      return;
    }
    if (facts.usage) this.usage = facts.usage;
    if (facts.content || facts.end) this.committed = true;
    if (protocol === 'openai-responses') {
      repairItems(this.#items, json);
      const response = json.response;
      if (facts.end) {
        json.response = repairedResponse(this.#items, json);
        data = JSON.stringify(json);
      }
      if (model !== undefined && typeof response === 'object' && response !== null && 'model' in response) {
        json.response = { ...(json.response as JsonObject), model };
        data = JSON.stringify(json);
      }
    }
    if (facts.end) this.#sawEnd = true;
    this.#write(name, data, json, facts);
    if (facts.terminator) this.done = true;
  }

  #write(name: string, data: string, json: JsonObject, facts: EventFacts): void {
    const { protocol, reshape, model, wantsUsage } = this.#options;
    if (protocol === 'openai-chat') {
      if (facts.usageOnly && !wantsUsage) return;
      if (model !== undefined && 'model' in json) data = JSON.stringify({ ...json, model });
    }
    const shown = reshape ? reshape(data) : data;
    if (shown !== undefined) this.#out += formatSse(name, shown);
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
