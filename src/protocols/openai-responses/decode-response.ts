// Responses answer, whole or streamed, → parts (protocols.md §3; upstreams.md §2.3, §8 row 4).
import { randomId } from '../call-id.ts';
import { asArray, asNumber, asObject, asString, asText, isObject } from '../json.ts';
import type { Json, JsonObject, StreamPart } from '../neutral.ts';
import { decodeErrorPart } from '../openai-chat/error.ts';
import { decodeUsage } from '../openai-chat/usage.ts';
import type { Emit, SseEvent, StreamDecoder } from '../protocol.ts';
import { ItemReader } from './item-reader.ts';

export function decodeResponse(body: JsonObject, newId: () => string = randomId): StreamPart[] {
  const parts: StreamPart[] = [];
  const reader = new ResponseReader((part) => parts.push(part), newId);
  const response = asObject(body.response) ?? body;
  if (asObject(response.error) && response.object !== 'response') reader.fail(response.error);
  else if (response.status === 'failed' || response.status === 'cancelled') reader.fail(response.error);
  else reader.complete(response);
  return parts;
}

export function streamDecoder(emit: Emit, newId: () => string = randomId): StreamDecoder {
  const reader = new ResponseReader(emit, newId);
  return {
    event: (event) => reader.event(event),
    end: () => reader.cut(),
    get finished() {
      return reader.finished;
    },
  };
}

class ResponseReader {
  readonly #emit: Emit;
  readonly #items: ItemReader;
  #started = false;
  #over = false;
  finished = false;

  constructor(emit: Emit, newId: () => string) {
    this.#emit = emit;
    this.#items = new ItemReader(emit, newId);
  }

  event({ event, data }: SseEvent): void {
    if (this.#over || data === '' || data === '[DONE]') return;
    let body: unknown;
    try {
      body = JSON.parse(data);
    } catch {
      this.fail({ message: 'upstream sent an event that is not JSON', status: 502 });
      return;
    }
    if (isObject(body)) this.#typed(asString(body.type) ?? event, body);
  }

  #typed(type: string, body: JsonObject): void {
    switch (type) {
      case 'response.created':
      case 'response.in_progress':
      case 'response.queued':
        this.#start(asObject(body.response) ?? {});
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.done': {
        const response = asObject(body.response) ?? {};
        if (response.status === 'failed' || response.status === 'cancelled') this.fail(response.error);
        else this.complete(response, type === 'response.incomplete');
        return;
      }
      case 'response.failed':
      case 'response.cancelled':
        this.fail(asObject(body.response)?.error ?? body.error);
        return;
      case 'error':
        this.fail(body.error ?? body);
        return;
      default:
        // A 200 stream may hold a bare error object without any type.
        if (type === '' && body.error) this.fail(body.error);
        else this.#items.event(type, body);
    }
  }

  /** The response object of the end: repairs what the events left out, then usage and finish. */
  complete(response: JsonObject, incomplete = response.status === 'incomplete'): void {
    this.#start(response);
    const output = asArray(response.output) ?? [];
    output.forEach((value, index) => {
      const item = asObject(value);
      if (item) this.#items.whole(item, index);
    });
    this.#items.closeAll(false);
    const usage = decodeUsage(response.usage);
    if (usage) this.#emit({ type: 'usage', usage });
    this.#emit(this.#finish(response, incomplete));
    this.finished = true;
    this.#over = true;
  }

  fail(error: Json | undefined): void {
    this.#over = true;
    this.#items.closeAll(true);
    const object = asObject(error);
    // The `error` event's own `type` is just "error": the code says more.
    this.#emit(decodeErrorPart(object?.type === 'error' ? { ...object, type: null } : error));
  }

  /** The body ended: without the protocol's own end nothing may look complete. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#items.closeAll(true);
  }

  #start(response: JsonObject): void {
    if (this.#started) return;
    this.#started = true;
    const part: StreamPart & { type: 'start' } = { type: 'start' };
    const id = asText(response.id);
    if (id !== undefined) part.id = id;
    const model = asText(response.model);
    if (model !== undefined) part.model = model;
    const created = asNumber(response.created_at);
    if (created !== undefined) part.created = created;
    this.#emit(part);
  }

  #finish(response: JsonObject, incomplete: boolean): StreamPart {
    if (!incomplete) return { type: 'finish', reason: this.#items.sawCall ? 'tool-calls' : 'stop' };
    const raw = asText(asObject(response.incomplete_details)?.reason);
    const reason = raw === 'content_filter' ? 'content-filter' : 'length';
    return raw === undefined ? { type: 'finish', reason } : { type: 'finish', reason, raw };
  }
}
