// Parts → chat completions answer, whole or streamed (protocols.md §3, §3.4).
import type { Failure } from '../../failure.ts';
import { randomId } from '../call-id.ts';
import { foldAnswer } from '../fold.ts';
import { jsonObject } from '../json.ts';
import { dataUrl } from '../media.ts';
import type { JsonObject, StreamPart, Usage } from '../neutral.ts';
import type { AnswerContext, StreamEncoder } from '../protocol.ts';
import { encodeCall } from './encode-request.ts';
import { errorObject } from './error.ts';
import { encodeFinish } from './finish-reason.ts';
import { encodeUsage } from './usage.ts';

/** Separate thoughts are joined with a blank line (protocols.md §3.2). */
const thoughtBreak = '\n\n';

export function encodeResponse(parts: readonly StreamPart[], context: AnswerContext): JsonObject {
  const answer = foldAnswer(parts);
  let text = '';
  let refusal = '';
  const thoughts: string[] = [];
  const calls: JsonObject[] = [];
  const images: JsonObject[] = [];
  for (const block of answer.blocks) {
    if (block.type === 'text') text += block.text;
    else if (block.type === 'refusal') refusal += block.text;
    else if (block.type === 'reasoning' && block.text !== '') thoughts.push(block.text);
    else if (block.type === 'tool-call') calls.push(encodeCall({ ...block, arguments: block.arguments || '{}' }));
    else if (block.type === 'file') images.push(image(images.length, block));
  }
  const silent = calls.length > 0 || refusal !== '' || images.length > 0;
  return jsonObject({
    id: answer.id ?? newAnswerId(context),
    object: 'chat.completion',
    created: answer.created ?? seconds(context),
    model: context.model || answer.model || '',
    choices: [
      {
        index: 0,
        message: jsonObject({
          role: 'assistant',
          content: text === '' && silent ? null : text,
          refusal: refusal === '' ? null : refusal,
          reasoning_content: thoughts.length > 0 ? thoughts.join(thoughtBreak) : undefined,
          tool_calls: calls.length > 0 ? calls : undefined,
          images: images.length > 0 ? images : undefined,
        }),
        logprobs: null,
        finish_reason: encodeFinish(answer.finish?.reason ?? 'stop', calls.length > 0),
      },
    ],
    usage: answer.usage && encodeUsage(answer.usage),
  });
}

export function streamEncoder(context: AnswerContext): StreamEncoder {
  return new ChatWriter(context);
}

/** Everything that is the same in each chunk is built once; a token costs one JSON string and a concatenation. */
class ChatWriter implements StreamEncoder {
  readonly #context: AnswerContext;
  /** `data: {...,"choices":` */
  #head = '';
  /** Up to the opening brace of `delta`. */
  #delta = '';
  #content = '';
  #reasoning = '';
  /** Per block of a tool call: everything before its arguments' text, and whether any came. */
  readonly #calls = new Map<number, { prefix: string; empty: boolean }>();
  #images = 0;
  #thought = false;
  #owesBreak = false;
  #usage: Usage | undefined;
  #finished = false;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  write(part: StreamPart): string {
    switch (part.type) {
      case 'text-delta':
        if (part.text === '') return '';
        return `${this.#begin()}${this.#content}${JSON.stringify(part.text)}${deltaEnd}`;
      case 'reasoning-delta': {
        if (part.text === '') return '';
        const text = this.#owesBreak ? thoughtBreak + part.text : part.text;
        this.#owesBreak = false;
        this.#thought = true;
        return `${this.#begin()}${this.#reasoning}${JSON.stringify(text)}${deltaEnd}`;
      }
      case 'tool-delta': {
        const call = this.#calls.get(part.index);
        if (!call || part.text === '') return '';
        call.empty = false;
        return `${call.prefix}${JSON.stringify(part.text)}${callEnd}`;
      }
      case 'start':
        return this.#begin(part);
      case 'reasoning-start':
        this.#owesBreak = this.#thought;
        return '';
      case 'tool-start':
        return this.#toolStart(part.index, part.id, part.name);
      case 'tool-end': {
        const call = this.#calls.get(part.index);
        // Clients parse the joined arguments: none at all must read as no parameters.
        return call?.empty ? `${call.prefix}"{}"${callEnd}` : '';
      }
      case 'refusal-delta':
        return `${this.#begin()}${this.#delta}"refusal":${JSON.stringify(part.text)}${deltaEnd}`;
      case 'file': {
        const wire = JSON.stringify([image(this.#images++, part)]);
        return `${this.#begin()}${this.#delta}"images":${wire}${deltaEnd}`;
      }
      case 'usage':
        this.#usage = part.usage;
        return '';
      case 'finish': {
        this.#finished = true;
        const reason = encodeFinish(part.reason, this.#calls.size > 0);
        return `${this.#begin()}${this.#delta}},"logprobs":null,"finish_reason":"${reason}"}]}\n\n${this.#usageChunk()}`;
      }
      default:
        return '';
    }
  }

  end(): string {
    return this.#finished ? 'data: [DONE]\n\n' : '';
  }

  fail(failure: Failure): string {
    return `data: ${JSON.stringify({ error: errorObject(failure) })}\n\n`;
  }

  /** The first chunk, with the role, unless it was written already. */
  #begin(start?: StreamPart & { type: 'start' }): string {
    if (this.#head !== '') return '';
    const context = this.#context;
    const id = JSON.stringify(start?.id ?? newAnswerId(context));
    const model = JSON.stringify(context.model || start?.model || '');
    const created = start?.created ?? seconds(context);
    this.#head = `data: {"id":${id},"object":"chat.completion.chunk","created":${created},"model":${model},"choices":`;
    this.#delta = `${this.#head}[{"index":0,"delta":{`;
    this.#content = `${this.#delta}"content":`;
    this.#reasoning = `${this.#delta}"reasoning_content":`;
    return `${this.#delta}"role":"assistant","content":""${deltaEnd}`;
  }

  #toolStart(block: number, id: string, name: string): string {
    const begin = this.#begin();
    const index = this.#calls.size;
    this.#calls.set(block, {
      prefix: `${this.#delta}"tool_calls":[{"index":${index},"function":{"arguments":`,
      empty: true,
    });
    const called = `{"name":${JSON.stringify(name)},"arguments":""}`;
    const call = `{"index":${index},"id":${JSON.stringify(id)},"type":"function","function":${called}}`;
    return `${begin}${this.#delta}"tool_calls":[${call}]${deltaEnd}`;
  }

  /** Hidden unless the client asked for it (upstreams.md §8 row 8). */
  #usageChunk(): string {
    if (!this.#usage || !this.#context.request?.includeUsage) return '';
    return `${this.#head}[],"usage":${JSON.stringify(encodeUsage(this.#usage))}}\n\n`;
  }
}

const deltaEnd = '},"logprobs":null,"finish_reason":null}]}\n\n';
const callEnd = `}}]${deltaEnd}`;

function image(index: number, file: { mediaType: string; base64: string }): JsonObject {
  return { index, type: 'image_url', image_url: { url: dataUrl(file.mediaType, file.base64) } };
}

export function newAnswerId(context: AnswerContext): string {
  return `chatcmpl-${(context.newId ?? randomId)()}`;
}

/** Unix seconds. */
export function seconds(context: AnswerContext): number {
  return Math.floor((context.now ?? Date.now)() / 1000);
}
