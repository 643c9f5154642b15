// Legacy text completions: a thin face over chat (protocols.md §2.6, §3.1).
import type { Failure } from '../../failure.ts';
import { foldAnswer } from '../fold.ts';
import { asArray, asObject, asString, isObject, jsonObject, mistyped } from '../json.ts';
import type { ChatRequest, Json, JsonObject, StreamPart, Usage } from '../neutral.ts';
import type { AnswerContext, Protocol, StreamEncoder } from '../protocol.ts';
import { decodeRequest as decodeChatRequest } from './decode-request.ts';
import { newAnswerId, seconds } from './encode-response.ts';
import { encodeError, errorObject } from './error.ts';
import { encodeFinish } from './finish-reason.ts';
import { encodeUsage } from './usage.ts';

/** The client half of a protocol, and the way to an upstream that speaks chat itself. */
export interface CompletionsFace
  extends Pick<Protocol, 'decodeRequest' | 'encodeResponse' | 'streamEncoder' | 'encodeError'> {
  readonly id: 'openai-chat';
  /** The client's body as a chat body, for upstreams of the chat protocol: unknown members are kept. */
  toChat(body: JsonObject): JsonObject;
}

export const completions: CompletionsFace = {
  id: 'openai-chat',
  toChat,
  decodeRequest: (body): ChatRequest => decodeChatRequest(toChat(body)),
  encodeResponse,
  streamEncoder: (context) => new CompletionWriter(context),
  encodeError,
};

/** Have no equal in chat. */
const dropped: readonly string[] = ['prompt', 'echo', 'suffix', 'best_of', 'logprobs'];

function toChat(body: JsonObject): JsonObject {
  const chat: JsonObject = { ...body, messages: [{ role: 'user', content: promptText(body.prompt) }] };
  for (const key of dropped) delete chat[key];
  if (typeof body.logprobs === 'number') {
    chat.logprobs = true;
    chat.top_logprobs = body.logprobs;
  }
  return chat;
}

function promptText(prompt: Json | undefined): string {
  if (prompt === undefined || prompt === null || prompt === '') return 'Complete this:';
  if (typeof prompt === 'string') return prompt;
  const texts = asArray(prompt);
  if (!texts?.every((text) => typeof text === 'string')) throw mistyped('prompt', 'a string or an array of strings');
  return texts.join('\n') || 'Complete this:';
}

function encodeResponse(parts: readonly StreamPart[], context: AnswerContext): JsonObject {
  const answer = foldAnswer(parts);
  let text = '';
  for (const block of answer.blocks) if (block.type === 'text' || block.type === 'refusal') text += block.text;
  return jsonObject({
    id: answer.id ?? newAnswerId(context),
    object: 'text_completion',
    created: answer.created ?? seconds(context),
    model: context.model || answer.model || '',
    choices: [
      {
        index: 0,
        text,
        logprobs: null,
        finish_reason: completionFinish(encodeFinish(answer.finish?.reason ?? 'stop', false)),
      },
    ],
    usage: answer.usage && encodeUsage(answer.usage),
  });
}

class CompletionWriter implements StreamEncoder {
  readonly #context: AnswerContext;
  #head = '';
  #usage: Usage | undefined;
  #finished = false;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  write(part: StreamPart): string {
    switch (part.type) {
      case 'start':
        this.#begin(part);
        return '';
      case 'text-delta':
      case 'refusal-delta':
        return part.text === '' ? '' : this.#chunk(part.text, 'null');
      case 'usage':
        this.#usage = part.usage;
        return '';
      case 'finish':
        this.#finished = true;
        return this.#chunk('', `"${completionFinish(encodeFinish(part.reason, false))}"`) + this.#usageChunk();
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

  #begin(start?: StreamPart & { type: 'start' }): void {
    if (this.#head !== '') return;
    const context = this.#context;
    const id = JSON.stringify(start?.id ?? newAnswerId(context));
    const model = JSON.stringify(context.model || start?.model || '');
    const created = start?.created ?? seconds(context);
    this.#head = `data: {"id":${id},"object":"text_completion","created":${created},"model":${model},"choices":`;
  }

  #chunk(text: string, finish: string): string {
    this.#begin();
    const choice = `{"index":0,"text":${JSON.stringify(text)},"logprobs":null,"finish_reason":${finish}}`;
    return `${this.#head}[${choice}]}\n\n`;
  }

  #usageChunk(): string {
    if (!this.#usage || !this.#context.request?.includeUsage) return '';
    return `${this.#head}[],"usage":${JSON.stringify(encodeUsage(this.#usage))}}\n\n`;
  }
}

/** A chat upstream's whole answer as a text completion: every choice and its log probabilities survive. */
export function chatToCompletion(body: JsonObject): JsonObject {
  return {
    ...body,
    object: 'text_completion',
    choices: (asArray(body.choices) ?? []).map((choice) => toCompletionChoice(choice, 'message')),
  };
}

/**
 * The same for the data of one event. Undefined: nothing in it for a text client (role, thoughts, tool calls).
 * `[DONE]`, errors and texts that are not JSON come back as they are.
 */
export function chunkToCompletion(data: string): string | undefined {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    return data;
  }
  if (!isObject(chunk) || !Array.isArray(chunk.choices)) return data;
  const choices = chunk.choices
    .map((choice) => toCompletionChoice(choice, 'delta'))
    .filter((choice) => choice.text !== '' || choice.finish_reason !== null);
  const told = choices.length > 0 || (chunk.usage !== undefined && chunk.usage !== null);
  return told ? JSON.stringify({ ...chunk, object: 'text_completion', choices }) : undefined;
}

function toCompletionChoice(value: Json, member: 'message' | 'delta'): JsonObject {
  const choice = asObject(value) ?? {};
  const finish = asString(choice.finish_reason);
  const said = asObject(choice[member]);
  return {
    index: choice.index ?? 0,
    text: (asString(said?.content) ?? '') + (asString(said?.refusal) ?? ''),
    logprobs: choice.logprobs ?? null,
    finish_reason: finish ? completionFinish(finish) : null,
  };
}

/** This API knows `stop`, `length` and `content_filter` only. */
function completionFinish(reason: string): string {
  return reason === 'tool_calls' || reason === 'function_call' ? 'stop' : reason;
}
