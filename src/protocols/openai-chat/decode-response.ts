// Chat completions answer, whole or streamed, → parts (protocols.md §3).
import { randomId } from '../call-id.ts';
import { DeltaTemplate } from '../delta-template.ts';
import { asArray, asNumber, asObject, asString, asText, isObject, parseObject } from '../json.ts';
import { parseDataUrl } from '../media.ts';
import type { Json, JsonObject, StreamPart, Usage } from '../neutral.ts';
import type { Emit, SseEvent, StreamDecoder } from '../protocol.ts';
import { decodeErrorPart } from './error.ts';
import { decodeFinish } from './finish-reason.ts';
import { decodeUsage } from './usage.ts';

export function decodeResponse(body: JsonObject, newId: () => string = randomId): StreamPart[] {
  const parts: StreamPart[] = [];
  const reader = new ChatReader((part) => parts.push(part), newId);
  reader.chunk(body);
  // A whole answer is complete by itself, with or without a finish reason; one without any choice and usage is empty.
  if (!reader.failed && (reader.sawChoice || reader.usage)) reader.close(true);
  return parts;
}

export function streamDecoder(emit: Emit, newId: () => string = randomId): StreamDecoder {
  const reader = new ChatReader(emit, newId);
  const templates = { text: new DeltaTemplate('content'), reasoning: new DeltaTemplate('reasoning_content') };
  let kind: keyof typeof templates = 'text';
  let done = false;
  return {
    event({ event, data }: SseEvent) {
      if (done || reader.failed) return;
      if (data === '[DONE]' || data.trim() === '[DONE]') {
        done = true;
        reader.close(true);
        return;
      }
      if (data === '') return;
      if (event === '' && !reader.sawFinish) {
        const text = templates[kind].read(data);
        if (text !== undefined) {
          if (text !== '') reader.text(kind, text);
          return;
        }
      }
      let chunk: unknown;
      try {
        chunk = JSON.parse(data);
      } catch {
        reader.fail({ type: 'error', message: 'upstream sent an event that is not JSON', status: 502 });
        return;
      }
      if (!isObject(chunk)) return;
      if (event === 'error' || chunk.type === 'error' || chunk.object === 'error') {
        reader.fail(decodeErrorPart(chunk.error ?? chunk));
        return;
      }
      reader.chunk(chunk);
      const plain = plainDelta(chunk);
      if (plain === undefined) return;
      kind = plain.kind;
      templates[kind].learn(data, plain.text);
    },
    end() {
      if (done || reader.failed) return;
      done = true;
      reader.close(reader.sawFinish);
    },
    get finished() {
      return !reader.failed && (done ? reader.closedAsFinished : reader.sawFinish);
    },
  };
}

/** A tool call under way; `block` is -1 until its name is known. */
interface OpenCall {
  id: string;
  block: number;
  /** Arguments so far, also those that came before the name. */
  text: string;
}

class ChatReader {
  readonly #emit: Emit;
  readonly #newId: () => string;
  #started = false;
  #nextBlock = 0;
  /** Open text-like block: at most one at a time. */
  #open: 'text' | 'reasoning' | 'refusal' | undefined;
  #openBlock = -1;
  /** Calls by the wire's index; slots of calls without one are appended. */
  readonly #calls: OpenCall[] = [];
  readonly #byIndex = new Map<number, OpenCall>();
  #finish: string | undefined;
  usage: Usage | undefined;
  sawChoice = false;
  sawFinish = false;
  failed = false;
  closedAsFinished = false;

  constructor(emit: Emit, newId: () => string) {
    this.#emit = emit;
    this.#newId = newId;
  }

  chunk(chunk: JsonObject): void {
    if (chunk.error !== undefined && chunk.error !== null) {
      this.fail(decodeErrorPart(chunk.error));
      return;
    }
    if (!this.#started) this.#start(chunk);
    if (chunk.usage) this.usage = decodeUsage(chunk.usage) ?? this.usage;
    const choice = firstChoice(chunk.choices);
    if (!choice) return;
    this.sawChoice = true;
    if (isObject(choice.delta)) this.#delta(choice.delta, false);
    else if (isObject(choice.message)) this.#delta(choice.message, true);
    else if (typeof choice.text === 'string') this.text('text', choice.text);
    const finish = choice.finish_reason;
    if (typeof finish === 'string' && finish !== '') {
      this.#finish = finish;
      this.sawFinish = true;
    }
    // Some servers put usage inside the choice.
    if (choice.usage) this.usage = decodeUsage(choice.usage) ?? this.usage;
  }

  fail(part: StreamPart & { type: 'error' }): void {
    this.failed = true;
    this.#closeAll(false);
    this.#emit(part);
  }

  /**
   * Ends open blocks, tells usage, and finishes when the protocol's own end was seen. Without it a call whose arguments
   * are not whole stays open: ended, it would look like one that a client may carry out.
   */
  close(finished: boolean): void {
    this.#closeAll(finished);
    const calls = this.#calls.some((call) => call.block >= 0);
    if (this.usage) this.#emit({ type: 'usage', usage: this.usage });
    if (!finished) return;
    this.closedAsFinished = true;
    const reason = decodeFinish(this.#finish, calls);
    this.#emit(this.#finish === undefined ? { type: 'finish', reason } : { type: 'finish', reason, raw: this.#finish });
  }

  #start(chunk: JsonObject): void {
    this.#started = true;
    const part: StreamPart & { type: 'start' } = { type: 'start' };
    const id = asText(chunk.id);
    if (id !== undefined) part.id = id;
    const model = asText(chunk.model);
    if (model !== undefined) part.model = model;
    const created = asNumber(chunk.created);
    if (created !== undefined) part.created = created;
    this.#emit(part);
  }

  /** `whole`: a message of a non-stream answer, whose calls are each complete. */
  #delta(delta: JsonObject, whole: boolean): void {
    const reasoning = delta.reasoning_content ?? delta.reasoning;
    if (typeof reasoning === 'string' && reasoning !== '') this.text('reasoning', reasoning);
    const { content } = delta;
    if (typeof content === 'string') {
      if (content !== '') this.text('text', content);
    } else if (content) this.#contentParts(content);
    const { refusal } = delta;
    if (typeof refusal === 'string' && refusal !== '') this.text('refusal', refusal);
    if (delta.images) this.#images(delta.images);
    if (delta.tool_calls) {
      asArray(delta.tool_calls)?.forEach((value, index) => {
        const call = asObject(value);
        if (call) this.#toolDelta(whole ? { ...call, index } : call, asObject(call.function) ?? asObject(call.custom));
      });
    } else if (delta.function_call) {
      const called = asObject(delta.function_call);
      if (called) this.#toolDelta({ index: 0 }, called);
    }
  }

  text(kind: 'text' | 'reasoning' | 'refusal', text: string): void {
    if (this.#open !== kind) {
      this.#closeOpen();
      this.#open = kind;
      this.#openBlock = this.#nextBlock++;
      this.#emit({ type: `${kind}-start`, index: this.#openBlock });
    }
    this.#emit({ type: `${kind}-delta`, index: this.#openBlock, text });
  }

  #closeAll(finished: boolean): void {
    this.#closeOpen();
    for (const call of this.#calls) {
      if (call.block < 0 || !(finished || parseObject(call.text))) continue;
      this.#emit({ type: 'tool-end', index: call.block });
    }
  }

  #closeOpen(): void {
    if (this.#open === undefined) return;
    this.#emit({ type: `${this.#open}-end`, index: this.#openBlock });
    this.#open = undefined;
  }

  /** Content as an array of parts (Mistral and others). */
  #contentParts(content: Json): void {
    for (const value of asArray(content) ?? []) {
      const part = asObject(value);
      const text = asText(part?.text) ?? asText(value);
      if (part?.type === 'thinking' || part?.type === 'reasoning') {
        const inner = typeof part.thinking === 'string' ? part.thinking : text;
        if (inner) this.text('reasoning', inner);
        else this.#thinkingParts(part.thinking);
      } else if (text !== undefined) this.text('text', text);
    }
  }

  #thinkingParts(thinking: Json | undefined): void {
    for (const value of asArray(thinking) ?? []) {
      const text = asText(asObject(value)?.text);
      if (text !== undefined) this.text('reasoning', text);
    }
  }

  #images(images: Json): void {
    for (const value of asArray(images) ?? []) {
      const image = asObject(value);
      const url = asString(asObject(image?.image_url)?.url) ?? asString(image?.image_url);
      const data = url === undefined ? undefined : parseDataUrl(url);
      if (!data) continue;
      this.#closeOpen();
      this.#emit({ type: 'file', index: this.#nextBlock++, mediaType: data.mediaType, base64: data.base64 });
    }
  }

  #toolDelta(wire: JsonObject, called: JsonObject | undefined): void {
    const call = this.#callOf(wire, called);
    const name = asText(called?.name);
    const text = argumentsText(called?.arguments ?? called?.input);
    call.text += text;
    if (call.block < 0) {
      if (name === undefined) return;
      this.#closeOpen();
      call.block = this.#nextBlock++;
      if (call.id === '') call.id = `call_${this.#newId()}`;
      this.#emit({ type: 'tool-start', index: call.block, id: call.id, name });
      if (call.text !== '') this.#emit({ type: 'tool-delta', index: call.block, text: call.text });
    } else if (text !== '') this.#emit({ type: 'tool-delta', index: call.block, text });
  }

  /**
   * Which call a delta belongs to. The index says it, unless a server gives every parallel call the same one: then a
   * new id that comes with a name opens a new call. Without an index: the id, then the last call.
   */
  #callOf(wire: JsonObject, called: JsonObject | undefined): OpenCall {
    const index = asNumber(wire.index);
    const id = asText(wire.id) ?? '';
    const known =
      index === undefined
        ? id === ''
          ? this.#lastCall(called)
          : this.#calls.find((call) => call.id === id)
        : this.#byIndex.get(index);
    const renewed =
      known &&
      id !== '' &&
      known.id !== '' &&
      known.id !== id &&
      asText(called?.name) !== undefined &&
      known.block >= 0;
    if (known && !renewed) {
      if (known.id === '') known.id = id;
      return known;
    }
    const call: OpenCall = { id, block: -1, text: '' };
    this.#calls.push(call);
    if (index !== undefined) this.#byIndex.set(index, call);
    return call;
  }

  /** A nameless delta continues the last call; one with a name (and neither id nor index) is a new call. */
  #lastCall(called: JsonObject | undefined): OpenCall | undefined {
    const last = this.#calls.at(-1);
    return last && (asText(called?.name) === undefined || last.block < 0) ? last : undefined;
  }
}

/** A chunk that says one text and nothing else: no finish, no usage, no other member. */
function plainDelta(chunk: JsonObject): { kind: 'text' | 'reasoning'; text: string } | undefined {
  if (chunk.usage || !Array.isArray(chunk.choices) || chunk.choices.length !== 1) return undefined;
  const choice = firstChoice(chunk.choices);
  const delta = asObject(choice?.delta);
  if (!choice || !delta || choice.finish_reason || choice.usage) return undefined;
  let plain: { kind: 'text' | 'reasoning'; text: string } | undefined;
  for (const key in delta) {
    const value = delta[key];
    if (value === null || value === '' || key === 'role') continue;
    if (plain || typeof value !== 'string') return undefined;
    if (key === 'content') plain = { kind: 'text', text: value };
    else if (key === 'reasoning_content') plain = { kind: 'reasoning', text: value };
    else return undefined;
  }
  return plain;
}

/** Only the first choice is told: further ones must never be mixed into it (protocols.md §3.2). */
function firstChoice(choices: Json | undefined): JsonObject | undefined {
  if (!Array.isArray(choices)) return undefined;
  for (const value of choices) {
    const choice = asObject(value);
    if (choice && (choice.index === undefined || choice.index === null || choice.index === 0)) return choice;
  }
  return undefined;
}

function argumentsText(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}
