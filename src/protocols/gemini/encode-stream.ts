// Parts → generateContent chunks: function calls whole, one finish reason with the usage, last (protocols.md §3.4).

import type { Failure } from '../../failure.ts';
import type { StreamPart, Usage } from '../neutral.ts';
import type { AnswerContext, StreamEncoder } from '../protocol.ts';
import { writeCall } from './encode-response.ts';
import { errorBody } from './error.ts';
import { writeFinishReason } from './finish-reason.ts';
import { responseId } from './ids.ts';
import { writeUsage } from './usage.ts';

const TEXT = 'data: {"candidates":[{"content":{"role":"model","parts":[{"text":';
const PARTS = 'data: {"candidates":[{"content":{"role":"model","parts":[';

interface Call {
  readonly index: number;
  readonly name: string;
  args: string;
  signature: string | undefined;
  ended: boolean;
}

export class GeminiStreamEncoder implements StreamEncoder {
  readonly #context: AnswerContext;
  /** Constant ends of a chunk: after a text, a thought, other parts. */
  #textTail = '';
  #thoughtTail = '';
  #partsTail = '';
  #identity = '';
  /** Calls whose arguments are still coming, in order of start. */
  readonly #calls: Call[] = [];
  #usage: Usage | undefined;
  #closed = false;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  write(part: StreamPart): string {
    if (this.#closed) return '';
    switch (part.type) {
      case 'text-delta':
      case 'refusal-delta':
        if (part.text === '') return '';
        if (this.#identity === '') this.#start(undefined);
        return TEXT + JSON.stringify(part.text) + this.#textTail;
      case 'reasoning-delta':
        if (part.text === '') return '';
        if (this.#identity === '') this.#start(undefined);
        return TEXT + JSON.stringify(part.text) + this.#thoughtTail;
      case 'tool-delta': {
        const call = this.#calls.find((open) => open.index === part.index);
        if (call) call.args += part.text;
        return '';
      }
      case 'start':
        if (this.#identity === '') this.#start(part.id);
        return '';
      case 'tool-start':
        this.#calls.push({ index: part.index, name: part.name, args: '', signature: part.signature, ended: false });
        return '';
      case 'tool-end': {
        const call = this.#calls.find((open) => open.index === part.index);
        if (!call) return '';
        call.ended = true;
        call.signature ??= part.signature;
        return this.#writeEnded();
      }
      case 'file':
        return this.#parts(JSON.stringify({ inlineData: { mimeType: part.mediaType, data: part.base64 } }));
      case 'usage':
        this.#usage = part.usage;
        return '';
      case 'finish':
        return this.#finish(writeFinishReason(part.reason, part.raw));
      default:
        return '';
    }
  }

  /** The protocol has no terminator of its own. */
  end(): string {
    this.#closed = true;
    return '';
  }

  fail(failure: Failure): string {
    if (this.#closed) return '';
    // A call whose arguments are cut is no call: it is not shown.
    this.#closed = true;
    return `data: ${JSON.stringify(errorBody(failure))}\n\n`;
  }

  #start(id: string | undefined): void {
    const model = JSON.stringify(this.#context.model);
    this.#identity = `"modelVersion":${model},"responseId":${JSON.stringify(id || responseId(this.#context))}`;
    this.#textTail = `}]},"index":0}],${this.#identity}}\n\n`;
    this.#thoughtTail = `,"thought":true}]},"index":0}],${this.#identity}}\n\n`;
    this.#partsTail = `]},"index":0}],${this.#identity}}\n\n`;
  }

  #parts(json: string): string {
    if (this.#identity === '') this.#start(undefined);
    return PARTS + json + this.#partsTail;
  }

  #writeEnded(): string {
    let out = '';
    while (this.#calls[0]?.ended) {
      const call = this.#calls.shift()!;
      out += this.#parts(JSON.stringify(writeCall(call.name, call.args, call.signature)));
    }
    return out;
  }

  #finish(reason: string): string {
    if (this.#identity === '') this.#start(undefined);
    for (const call of this.#calls) call.ended = true;
    const calls = this.#writeEnded();
    this.#closed = true;
    const usage = this.#usage ? `,"usageMetadata":${JSON.stringify(writeUsage(this.#usage))}` : '';
    return `${calls}${PARTS}]},"finishReason":"${reason}","index":0}]${usage},${this.#identity}}\n\n`;
  }
}
