// generateContent chunks → parts. One JSON.parse per event; a whole answer is one chunk (protocols.md §3, upstreams.md §1.8, §8).
import { randomId } from '../call-id.ts';
import { isObject } from '../json.ts';
import type { Json, JsonObject, StreamPart } from '../neutral.ts';
import type { Emit, SseEvent, StreamDecoder } from '../protocol.ts';
import { statusOf } from '../status.ts';
import { field, listField, numberField, objectField, stringField } from './fields.ts';
import { readFinishReason } from './finish-reason.ts';
import { readUsage } from './usage.ts';

/** Call ids must be unique in a conversation, not only in an answer: clients send them back for many turns. */
function newCallId(): string {
  return `call_${randomId()}`;
}

export class GeminiStreamDecoder implements StreamDecoder {
  readonly #emit: Emit;
  readonly #newId: () => string;
  #started = false;
  #next = 0;
  /** The text or thought block being read. */
  #open: 'text' | 'reasoning' | undefined;
  #index = 0;
  #signature: string | undefined;
  #called = false;
  #usage: JsonObject | undefined;
  #reason: string | undefined;
  #blocked = false;
  #ended = false;

  constructor(emit: Emit, newId: () => string = newCallId) {
    this.#emit = emit;
    this.#newId = newId;
  }

  get finished(): boolean {
    return this.#reason !== undefined;
  }

  event(event: SseEvent): void {
    if (this.#ended || event.data === '' || event.data === '[DONE]') return;
    let data: unknown;
    try {
      data = JSON.parse(event.data);
    } catch {
      this.#fail({ type: 'error', message: 'upstream sent an event that is not JSON', status: 502 });
      return;
    }
    for (const chunk of Array.isArray(data) ? data : [data]) if (isObject(chunk)) this.chunk(chunk);
  }

  /** One parsed chunk, in or out of the Google envelope. */
  chunk(outer: JsonObject): void {
    if (this.#ended) return;
    const chunk = isObject(outer.response) ? outer.response : outer;
    if (isObject(chunk.error)) {
      this.#fail(readError(chunk.error));
      return;
    }
    if (!this.#started) this.#start(chunk);
    const usage = objectField(chunk, 'usageMetadata');
    if (usage) this.#usage = usage;
    const candidate = firstCandidate(chunk);
    if (candidate) {
      const content = candidate.content;
      if (isObject(content) && Array.isArray(content.parts)) {
        for (const part of content.parts) if (isObject(part)) this.#part(part);
      }
      const reason = stringField(candidate, 'finishReason');
      if (reason && reason !== 'FINISH_REASON_UNSPECIFIED') this.#reason = reason;
    }
    const feedback = objectField(chunk, 'promptFeedback');
    const block = feedback ? stringField(feedback, 'blockReason') : undefined;
    if (block && this.#reason === undefined) {
      this.#reason = block;
      this.#blocked = true;
    }
  }

  /** Usage may come after the finish reason, and some servers repeat the reason: so the end is told at the end of the body. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#close();
    if (this.#usage) this.#emit({ type: 'usage', usage: readUsage(this.#usage) });
    const raw = this.#reason;
    if (raw === undefined) return;
    const reason = this.#blocked ? 'content-filter' : readFinishReason(raw, this.#called);
    this.#emit({ type: 'finish', reason, raw });
  }

  #start(chunk: JsonObject): void {
    this.#started = true;
    const id = stringField(chunk, 'responseId');
    const model = stringField(chunk, 'modelVersion');
    const time = stringField(chunk, 'createTime');
    const created = time ? Date.parse(time) : Number.NaN;
    this.#emit({
      type: 'start',
      ...(id ? { id } : {}),
      ...(model ? { model } : {}),
      ...(Number.isNaN(created) ? {} : { created: Math.floor(created / 1000) }),
    });
  }

  #part(part: JsonObject): void {
    const signature = stringField(part, 'thoughtSignature');
    if (typeof part.text === 'string') {
      this.#text(part.thought === true ? 'reasoning' : 'text', part.text, signature);
      return;
    }
    const call = objectField(part, 'functionCall');
    if (call) {
      this.#call(call, signature);
      return;
    }
    const inline = objectField(part, 'inlineData');
    const base64 = inline ? stringField(inline, 'data') : undefined;
    // Images of the thinking are drafts, not the answer.
    if (inline && base64 && part.thought !== true) {
      this.#close();
      const mediaType = stringField(inline, 'mimeType') ?? 'application/octet-stream';
      this.#emit({ type: 'file', index: this.#next++, mediaType, base64 });
    }
  }

  #text(kind: 'text' | 'reasoning', text: string, signature: string | undefined): void {
    if (text === '' && (signature === undefined || this.#open !== kind)) return;
    if (this.#open !== kind) {
      this.#close();
      this.#open = kind;
      this.#index = this.#next++;
      this.#emit({ type: kind === 'text' ? 'text-start' : 'reasoning-start', index: this.#index });
    }
    if (text !== '') this.#emit({ type: kind === 'text' ? 'text-delta' : 'reasoning-delta', index: this.#index, text });
    if (signature !== undefined) this.#signature = signature;
  }

  #call(call: JsonObject, signature: string | undefined): void {
    this.#close();
    this.#called = true;
    const index = this.#next++;
    const id = stringField(call, 'id') || this.#newId();
    this.#emit({
      type: 'tool-start',
      index,
      id,
      name: stringField(call, 'name') ?? '',
      ...(signature ? { signature } : {}),
    });
    this.#emit({ type: 'tool-delta', index, text: JSON.stringify(field(call, 'args') ?? {}) });
    this.#emit({ type: 'tool-end', index });
  }

  #close(): void {
    const kind = this.#open;
    if (kind === undefined) return;
    const signature = this.#signature;
    this.#open = undefined;
    this.#signature = undefined;
    this.#emit({
      type: kind === 'text' ? 'text-end' : 'reasoning-end',
      index: this.#index,
      ...(signature ? { signature } : {}),
    });
  }

  #fail(part: StreamPart): void {
    this.#ended = true;
    this.#emit(part);
  }
}

/** Only the first candidate reaches a foreign client (protocols.md §3.2). */
function firstCandidate(chunk: JsonObject): JsonObject | undefined {
  const candidates = chunk.candidates;
  if (!Array.isArray(candidates)) return undefined;
  for (const candidate of candidates) if (isObject(candidate) && (candidate.index ?? 0) === 0) return candidate;
  return undefined;
}

function readError(error: JsonObject): StreamPart {
  const name = stringField(error, 'status');
  const status = numberField(error, 'code') ?? statusOf(name) ?? 502;
  const message = stringField(error, 'message') || name || 'upstream error';
  return { type: 'error', message, status, ...(name ? { kind: name } : {}) };
}

/** A whole generateContent answer → the parts a stream would give. An answer with content ends even if it says no reason. */
export function decodeResponse(body: JsonObject): StreamPart[] {
  const parts: StreamPart[] = [];
  const decoder = new GeminiStreamDecoder((part) => parts.push(part));
  decoder.chunk(body);
  const failed = parts.some((part) => part.type === 'error');
  decoder.end();
  if (!failed && !decoder.finished && hasContent(body)) {
    const called = parts.some((part) => part.type === 'tool-start');
    parts.push({ type: 'finish', reason: called ? 'tool-calls' : 'stop' });
  }
  return parts;
}

function hasContent(outer: JsonObject): boolean {
  const body = isObject(outer.response) ? outer.response : outer;
  const content: Json | undefined = firstCandidate(body)?.content;
  return isObject(content) && listField(content, 'parts').length > 0;
}
