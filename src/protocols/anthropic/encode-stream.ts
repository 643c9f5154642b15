// Parts → Messages API stream: blocks strictly one after another (protocols.md §3.4). Blocks that interleave upstream
// are held back until the ones before them have ended.

import type { Failure } from '../../failure.ts';
import type { StreamPart, Usage } from '../neutral.ts';
import type { AnswerContext, StreamEncoder } from '../protocol.ts';
import { errorBody } from './error.ts';
import { messageId } from './ids.ts';
import { writeStopReason } from './stop-reason.ts';
import { writeUsage } from './usage.ts';

/** Delta names by kind of block: the event's constant middle, from the delta type to its text. */
const DELTA = {
  text: '"text_delta","text":',
  thinking: '"thinking_delta","thinking":',
  tool: '"input_json_delta","partial_json":',
  redacted: '',
} as const;

type BlockKind = keyof typeof DELTA;

interface Block {
  readonly index: number;
  readonly kind: BlockKind;
  /** JSON of `content_block`. */
  readonly content: string;
  /** Text that waits while an earlier block is open. */
  held: string;
  ended: boolean;
  signature: string;
}

export class AnthropicStreamEncoder implements StreamEncoder {
  readonly #context: AnswerContext;
  #started = false;
  /** The block being written, and those waiting behind it, in order of start. */
  readonly #queue: Block[] = [];
  /** The head's `content_block_start` was written; empty text blocks never are. */
  #opened = false;
  #deltaPrefix = '';
  #written = 0;
  #called = false;
  #usage: Usage | undefined;
  #finished = false;
  #closed = false;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  write(part: StreamPart): string {
    if (this.#finished || this.#closed) return '';
    switch (part.type) {
      case 'text-delta':
      case 'reasoning-delta':
      case 'tool-delta':
      case 'refusal-delta':
        return this.#delta(part.index, part.text);
      case 'start':
        return this.#start(part.id);
      case 'text-start':
      case 'refusal-start':
        return this.#add(part.index, 'text', '{"type":"text","text":""}');
      case 'reasoning-start':
        if (part.redacted === undefined) {
          return this.#add(part.index, 'thinking', '{"type":"thinking","thinking":"","signature":""}');
        }
        return this.#add(
          part.index,
          'redacted',
          `{"type":"redacted_thinking","data":${JSON.stringify(part.redacted)}}`,
        );
      case 'tool-start':
        this.#called = true;
        return this.#add(
          part.index,
          'tool',
          `{"type":"tool_use","id":${JSON.stringify(part.id)},"name":${JSON.stringify(part.name)},"input":{}}`,
        );
      case 'text-end':
      case 'refusal-end':
      case 'tool-end':
        return this.#end(part.index, '');
      case 'reasoning-end':
        return this.#end(part.index, part.signature ?? '');
      case 'usage':
        this.#usage = part.usage;
        return '';
      case 'finish': {
        const out = this.#start(undefined) + this.#flush();
        this.#finished = true;
        const delta = {
          stop_reason: writeStopReason(part.reason, this.#called),
          stop_sequence: part.stopSequence ?? null,
        };
        const usage = writeUsage(this.#usage);
        return `${out}event: message_delta\ndata: ${JSON.stringify({ type: 'message_delta', delta, usage })}\n\n`;
      }
      default:
        return '';
    }
  }

  end(): string {
    if (this.#closed || !this.#finished) return '';
    this.#closed = true;
    return 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
  }

  fail(failure: Failure): string {
    if (this.#closed) return '';
    const out = this.#finished ? '' : this.#flush();
    this.#closed = true;
    return `${out}event: error\ndata: ${JSON.stringify(errorBody(failure))}\n\n`;
  }

  #start(id: string | undefined): string {
    if (this.#started) return '';
    this.#started = true;
    const message = {
      id: id || messageId(this.#context),
      type: 'message',
      role: 'assistant',
      model: this.#context.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: writeUsage(this.#usage),
    };
    return `event: message_start\ndata: ${JSON.stringify({ type: 'message_start', message })}\n\n`;
  }

  #add(index: number, kind: BlockKind, content: string): string {
    const out = this.#start(undefined);
    this.#queue.push({ index, kind, content, held: '', ended: false, signature: '' });
    if (this.#queue.length > 1) return out;
    return out + this.#openHead();
  }

  /** Tool and redacted blocks are shown at once; text and thinking only when there is something in them. */
  #openHead(): string {
    this.#opened = false;
    const head = this.#queue[0]!;
    return head.kind === 'tool' || head.kind === 'redacted' ? this.#open(head) : '';
  }

  #open(head: Block): string {
    this.#opened = true;
    const number = this.#written++;
    this.#deltaPrefix = `event: content_block_delta\ndata: {"type":"content_block_delta","index":${number},"delta":{"type":${DELTA[head.kind]}`;
    return `event: content_block_start\ndata: {"type":"content_block_start","index":${number},"content_block":${head.content}}\n\n`;
  }

  #delta(index: number, text: string): string {
    if (text === '') return '';
    const head = this.#queue[0];
    if (head?.index !== index) {
      const block = this.#queue.find((waiting) => waiting.index === index);
      if (block) block.held += text;
      return '';
    }
    const start = this.#opened ? '' : this.#open(head);
    return `${start}${this.#deltaPrefix}${JSON.stringify(text)}}}\n\n`;
  }

  #end(index: number, signature: string): string {
    const block = this.#queue.find((waiting) => waiting.index === index);
    if (!block) return '';
    block.ended = true;
    block.signature = signature;
    return block === this.#queue[0] ? this.#advance() : '';
  }

  /** Closes the head and writes whatever waited behind it, up to the next block that is still open. */
  #advance(): string {
    let out = '';
    while (this.#queue[0]?.ended) {
      out += this.#closeHead();
      const next = this.#queue[0];
      if (!next) break;
      out += this.#openHead();
      const held = next.held;
      next.held = '';
      out += this.#delta(next.index, held);
    }
    return out;
  }

  #closeHead(): string {
    const head = this.#queue[0]!;
    const out = head.signature !== '' && !this.#opened ? this.#open(head) : '';
    this.#queue.shift();
    if (!this.#opened) return '';
    this.#opened = false;
    const number = this.#written - 1;
    const signature =
      head.signature === ''
        ? ''
        : `event: content_block_delta\ndata: {"type":"content_block_delta","index":${number},"delta":{"type":"signature_delta","signature":${JSON.stringify(head.signature)}}}\n\n`;
    return `${out}${signature}event: content_block_stop\ndata: {"type":"content_block_stop","index":${number}}\n\n`;
  }

  #flush(): string {
    for (const block of this.#queue) block.ended = true;
    return this.#advance();
  }
}
