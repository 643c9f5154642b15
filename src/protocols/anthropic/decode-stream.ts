// Messages API stream → parts. One JSON.parse per event (upstreams.md §2.2, §8 rows 1–3, 7, 9).

import { asString, isObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';
import type { Emit, SseEvent, StreamDecoder } from '../protocol.ts';
import { errorStatus } from './error.ts';
import { readStopReason } from './stop-reason.ts';
import { mergeUsage, readUsage } from './usage.ts';

interface OpenBlock {
  kind: 'text' | 'reasoning' | 'tool';
  /** Our block number; the upstream's may have gaps where a block is not shown. */
  index: number;
  signature: string;
  /** Arguments that came whole with the block's start; used when no delta follows. */
  input: string;
  written: boolean;
}

export class AnthropicStreamDecoder implements StreamDecoder {
  readonly #emit: Emit;
  readonly #open = new Map<number, OpenBlock>();
  #next = 0;
  #usage: JsonObject | undefined;
  #stopReason: string | undefined;
  #stopSequence: string | undefined;
  #called = false;
  #failed = false;
  #finished = false;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  get finished(): boolean {
    return this.#finished;
  }

  event(event: SseEvent): void {
    if (this.#finished || this.#failed || event.data === '' || event.data === '[DONE]') return;
    let data: unknown;
    try {
      data = JSON.parse(event.data);
    } catch {
      this.#fail({ message: 'upstream sent an event that is not JSON', status: 502 });
      return;
    }
    if (isObject(data)) this.#read(data);
  }

  end(): void {
    for (const block of this.#open.values()) this.#close(block);
    this.#open.clear();
    if (!this.#finished && !this.#failed && this.#usage) this.#emit({ type: 'usage', usage: readUsage(this.#usage) });
  }

  #read(data: JsonObject): void {
    switch (data.type) {
      case 'content_block_delta': {
        const block = this.#open.get(data.index as number);
        if (block && isObject(data.delta)) this.#delta(block, data.delta);
        break;
      }
      case 'content_block_start':
        if (isObject(data.content_block)) this.#start(data.index as number, data.content_block);
        break;
      case 'content_block_stop': {
        const block = this.#open.get(data.index as number);
        if (!block) break;
        this.#open.delete(data.index as number);
        this.#close(block);
        break;
      }
      case 'message_start':
        if (isObject(data.message)) {
          const id = asString(data.message.id);
          const model = asString(data.message.model);
          if (isObject(data.message.usage)) this.#usage = data.message.usage;
          this.#emit({ type: 'start', ...(id ? { id } : {}), ...(model ? { model } : {}) });
        }
        break;
      case 'message_delta':
        if (isObject(data.usage)) this.#usage = mergeUsage(this.#usage, data.usage);
        if (isObject(data.delta)) {
          this.#stopReason = asString(data.delta.stop_reason) ?? this.#stopReason;
          this.#stopSequence = asString(data.delta.stop_sequence) ?? this.#stopSequence;
        }
        break;
      case 'message_stop':
        this.#finish();
        break;
      default:
        // `error` events, and servers that send a bare error object.
        if (isObject(data.error)) {
          const kind = asString(data.error.type);
          this.#fail({
            message: asString(data.error.message) ?? kind ?? 'upstream error',
            status: errorStatus(kind),
            ...(kind ? { kind } : {}),
          });
        }
    }
  }

  #start(upstream: number, content: JsonObject): void {
    const emit = this.#emit;
    switch (content.type) {
      case 'text': {
        const block = this.#add(upstream, 'text');
        emit({ type: 'text-start', index: block.index });
        this.#text('text-delta', block, content.text);
        break;
      }
      case 'thinking': {
        const block = this.#add(upstream, 'reasoning');
        block.signature = asString(content.signature) ?? '';
        emit({ type: 'reasoning-start', index: block.index });
        this.#text('reasoning-delta', block, content.thinking);
        break;
      }
      case 'redacted_thinking': {
        const block = this.#add(upstream, 'reasoning');
        emit({ type: 'reasoning-start', index: block.index, redacted: asString(content.data) ?? '' });
        break;
      }
      case 'tool_use': {
        const block = this.#add(upstream, 'tool');
        block.input = JSON.stringify(content.input ?? {});
        this.#called = true;
        const id = asString(content.id) ?? '';
        emit({ type: 'tool-start', index: block.index, id, name: asString(content.name) ?? '' });
        break;
      }
      // Server tools run at the provider: their blocks are nothing a foreign client can act on.
    }
  }

  #add(upstream: number, kind: OpenBlock['kind']): OpenBlock {
    const block: OpenBlock = { kind, index: this.#next++, signature: '', input: '', written: false };
    this.#open.set(upstream, block);
    return block;
  }

  #delta(block: OpenBlock, delta: JsonObject): void {
    switch (delta.type) {
      case 'text_delta':
        this.#text('text-delta', block, delta.text);
        break;
      case 'thinking_delta':
        this.#text('reasoning-delta', block, delta.thinking);
        break;
      case 'signature_delta':
        block.signature += asString(delta.signature) ?? '';
        break;
      case 'input_json_delta':
        this.#text('tool-delta', block, delta.partial_json);
        break;
    }
  }

  #text(type: 'text-delta' | 'reasoning-delta' | 'tool-delta', block: OpenBlock, text: Json | undefined): void {
    if (typeof text !== 'string' || text === '') return;
    block.written = true;
    this.#emit({ type, index: block.index, text });
  }

  #close(block: OpenBlock): void {
    const { index, signature } = block;
    switch (block.kind) {
      case 'text':
        this.#emit({ type: 'text-end', index });
        break;
      case 'reasoning':
        this.#emit({ type: 'reasoning-end', index, ...(signature ? { signature } : {}) });
        break;
      case 'tool':
        if (!block.written) this.#emit({ type: 'tool-delta', index, text: block.input });
        this.#emit({ type: 'tool-end', index });
        break;
    }
  }

  #finish(): void {
    for (const block of this.#open.values()) this.#close(block);
    this.#open.clear();
    if (this.#usage) this.#emit({ type: 'usage', usage: readUsage(this.#usage) });
    this.#finished = true;
    const raw = this.#stopReason;
    const stopSequence = this.#stopSequence;
    this.#emit({
      type: 'finish',
      reason: readStopReason(raw ?? 'end_turn', this.#called),
      ...(stopSequence !== undefined ? { stopSequence } : {}),
      ...(raw !== undefined ? { raw } : {}),
    });
  }

  #fail(failure: { message: string; status: number; kind?: string }): void {
    this.#failed = true;
    this.#emit({ type: 'error', ...failure });
  }
}
