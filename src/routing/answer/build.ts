// Chooses the pipe for an answer: what the upstream sends (JSON or events, which protocol) against what the client wants.
import type { Failure } from '../../failure.ts';
import { filterPlaceholders } from '../../protocols/gemini/index.ts';
import { protocols } from '../../protocols/index.ts';
import type { JsonObject, ProtocolId, StreamPart } from '../../protocols/neutral.ts';
import type { AnswerContext, Emit, StreamDecoder } from '../../protocols/protocol.ts';
import { restoreToolNames } from '../../protocols/tool-names.ts';
import { isErrorStatus, streamFailure } from '../../providers/failures.ts';
import type { Provider, UpstreamCall, UpstreamResponse } from '../../providers/provider.ts';
import type { ClientRequest } from '../client-request.ts';
import { emptyAnswer, notJson } from './failures.ts';
import { MapStreamPipe } from './map-stream.ts';
import { PassThroughPipe } from './pass-through.ts';
import type { AnswerPipe } from './pipe.ts';
import { TranslateStreamPipe } from './translate-stream.ts';
import { FoldPipe, FoldResponsesPipe, JsonPipe, JsonToStreamPipe } from './whole.ts';

export interface BuildOptions {
  client: ClientRequest;
  call: UpstreamCall;
  provider: Provider;
  native: ProtocolId;
  same: boolean;
  /** The upstream leg was asked to stream. */
  expectStream: boolean;
  /** Another model answers than the one asked for. */
  fallback: boolean;
}

export function buildPipe(options: BuildOptions, headers: UpstreamResponse['headers']): AnswerPipe {
  const type = String(headers['content-type'] ?? '').toLowerCase();
  if (type.includes('text/html')) throw notJson();
  const events = type.includes('text/event-stream') || (options.expectStream && !type.includes('json'));
  const { client } = options;
  if (client.operation === 'count-tokens') return countPipe(options);
  if (client.stream && client.operation === 'generate') return events ? streamPipe(options) : tellJson(options);
  return events ? foldPipe(options) : jsonPipe(options);
}

/**
 * The name to show instead of the upstream's own: an alias, because it is the only name that the client knows. A prefix or
 * a thinking suffix only chooses; the upstream's name is the answer's (spec/protocols.md §3.2, spec/upstreams.md §8 row 20).
 */
function shownModel({ client, call, fallback }: BuildOptions): string | undefined {
  // A fallback must not show in the answer's body: a header names the model that answered (spec/routing.md D17).
  if (fallback) return client.model;
  const aliased = call.info !== undefined && call.info.id !== call.model;
  return aliased ? client.model : undefined;
}

function answerContext(options: BuildOptions): AnswerContext {
  return { model: shownModel(options) ?? options.call.model, request: options.client.neutral() };
}

function toolName(options: BuildOptions): ((name: string) => string) | undefined {
  const restored = restoreToolNames(options.client.neutral(), { provider: options.provider.id });
  return restored.size === 0 ? undefined : (name) => restored.get(name) ?? name;
}

/** The upstream's stream decoder; what an encoder added to the request is taken out of the answer again. */
function decoderOf(options: BuildOptions): (emit: Emit) => StreamDecoder {
  const { client, call, provider, native } = options;
  if (provider.id !== 'antigravity') return (emit) => protocols[native].streamDecoder(emit);
  return (emit) => protocols[native].streamDecoder(filterPlaceholders(client.neutral(), call.model, emit));
}

/** The same for whole answers. */
function partsOf(options: BuildOptions, json: JsonObject): StreamPart[] {
  const { client, call, provider, native } = options;
  const decoded = protocols[native].decodeResponse(json);
  if (provider.id !== 'antigravity') return decoded;
  const parts: StreamPart[] = [];
  const emit = filterPlaceholders(client.neutral(), call.model, (part) => parts.push(part));
  for (const part of decoded) emit(part);
  return parts;
}

function failureOfPart(options: BuildOptions): (part: Extract<StreamPart, { type: 'error' }>) => Failure {
  return (part) => streamFailure(part, options.call.now);
}

/** An error told in the upstream's own words, in the data of an event or as a whole body. */
function failureOfData(options: BuildOptions): (data: string) => Failure {
  return (data) => {
    const found: StreamPart[] = [];
    const decoder = protocols[options.native].streamDecoder((part) => found.push(part));
    try {
      decoder.event({ event: '', data });
    } catch {
      // Unreadable errors are errors all the same.
    }
    const error = found.find((part) => part.type === 'error');
    return streamFailure(error ?? { message: 'the upstream reported an error in its answer' }, options.call.now);
  };
}

function encodeFailure(options: BuildOptions): (failure: Failure) => string {
  const { client } = options;
  return (failure) => client.protocol.streamEncoder({ model: client.model }).fail(failure);
}

function streamPipe(options: BuildOptions): AnswerPipe {
  const { client, provider, native, same } = options;
  const unwrap = provider.upstream.unwrap;
  if (!same) {
    return new TranslateStreamPipe({
      decoder: decoderOf(options),
      encoder: client.protocol.streamEncoder(answerContext(options)),
      unwrap,
      toolName: toolName(options),
      failureOf: failureOfPart(options),
    });
  }
  const common = {
    protocol: native,
    model: shownModel(options),
    failureOf: failureOfData(options),
    encodeFailure: encodeFailure(options),
  };
  const wantsUsage = native !== 'openai-chat' || asksForUsage(client);
  const reshape = client.face?.event;
  if (unwrap || reshape || native === 'openai-responses') {
    return new MapStreamPipe({ ...common, unwrap, reshape, wantsUsage });
  }
  return new PassThroughPipe({ ...common, wantsUsage });
}

/** `stream_options.include_usage`, from the bytes: most requests say nothing about it. */
function asksForUsage(client: ClientRequest): boolean {
  return client.bytes.includes('"include_usage"') && client.neutral().includeUsage === true;
}

function jsonPipe(options: BuildOptions): AnswerPipe {
  const { client, call, provider, native, same } = options;
  const model = shownModel(options);
  return new JsonPipe({
    native,
    unwrap: provider.upstream.unwrap,
    inspect: inspector(options),
    convert: (json, text) => {
      if (same) {
        const named = model !== undefined && typeof json.model === 'string' ? { ...json, model } : json;
        if (client.face) return JSON.stringify(client.face.answer(named));
        return named === json ? text : JSON.stringify(named);
      }
      return JSON.stringify(encodeWhole(options, partsOf(options, json)));
    },
  });
  function encodeWhole(built: BuildOptions, parts: StreamPart[]): JsonObject {
    const error = parts.find((part) => part.type === 'error');
    if (error) throw streamFailure(error, call.now);
    return client.protocol.encodeResponse(renamed(parts, toolName(built)), answerContext(built));
  }
}

/** `input_tokens` (Anthropic) or `totalTokens` (Gemini), told in the client's own form (spec/upstreams.md §1.12). */
function countPipe(options: BuildOptions): AnswerPipe {
  const { client, call, provider, native, same } = options;
  return new JsonPipe({
    native,
    unwrap: provider.upstream.unwrap,
    inspect: (json) =>
      countIn(json) === undefined
        ? provider.upstream.classify({ status: statusIn(json.error), headers: {}, body: JSON.stringify(json) }, call)
        : undefined,
    convert: (json, text) => (same ? text : tokenCountAnswer(client.protocolId, countIn(json) ?? 0)),
  });
}

function countIn(json: JsonObject): number | undefined {
  const count = json.input_tokens ?? json.totalTokens;
  return typeof count === 'number' ? count : undefined;
}

/** A token count in a client protocol's own form. */
export function tokenCountAnswer(protocol: ProtocolId, tokens: number): string {
  if (protocol === 'anthropic') return JSON.stringify({ input_tokens: tokens });
  if (protocol === 'gemini') {
    return JSON.stringify({ totalTokens: tokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: tokens }] });
  }
  return JSON.stringify({ usage: { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens } });
}

function renamed(parts: readonly StreamPart[], name: ((name: string) => string) | undefined): readonly StreamPart[] {
  if (name === undefined) return parts;
  return parts.map((part) => (part.type === 'tool-start' ? { ...part, name: name(part.name) } : part));
}

function foldPipe(options: BuildOptions): AnswerPipe {
  const { client, provider, native, same } = options;
  if (same && native === 'openai-responses') {
    const model = shownModel(options);
    return new FoldResponsesPipe(failureOfData(options), (response) =>
      JSON.stringify(model === undefined ? response : { ...response, model }),
    );
  }
  return new FoldPipe({
    decoder: decoderOf(options),
    unwrap: provider.upstream.unwrap,
    toolName: toolName(options),
    failureOf: failureOfPart(options),
    encode: (parts) => JSON.stringify(client.protocol.encodeResponse(parts, answerContext(options))),
  });
}

function tellJson(options: BuildOptions): AnswerPipe {
  const { client, provider, native } = options;
  return new JsonToStreamPipe(
    { native, unwrap: provider.upstream.unwrap, inspect: inspector(options) },
    (json) => {
      const encoder = client.protocol.streamEncoder(answerContext(options));
      const parts = partsOf(options, json);
      const error = parts.find((part) => part.type === 'error');
      if (error) throw streamFailure(error, options.call.now);
      return (
        renamed(parts, toolName(options))
          .map((part) => encoder.write(part))
          .join('') + encoder.end()
      );
    },
    encodeFailure(options),
  );
}

/** A 200 that is no answer: the provider's own signs first, then an `error` member or nothing in it. */
function inspector(options: BuildOptions): (json: JsonObject, text: string) => Failure | undefined {
  const { provider, call, native } = options;
  return (json) => {
    const own = provider.upstream.inspect?.(json, call);
    if (own) return own;
    if (json.error !== undefined && json.error !== null && !isAnswer[native](json)) {
      return provider.upstream.classify(
        { status: statusIn(json.error), headers: {}, body: JSON.stringify({ error: json.error }) },
        call,
      );
    }
    return isAnswer[native](json) ? undefined : emptyAnswer();
  };
}

const isAnswer: Record<ProtocolId, (json: JsonObject) => boolean> = {
  'openai-chat': (json) =>
    Array.isArray(json.choices) && (json.choices.length > 0 ? holdsObjects(json.choices) : json.usage != null),
  'openai-responses': (json) =>
    json.status !== 'failed' &&
    (holdsObjects(json.output) || json.object === 'response' || json.object === 'response.compaction'),
  anthropic: (json) => json.type !== 'error' && (holdsObjects(json.content) || typeof json.stop_reason === 'string'),
  gemini: (json) =>
    (Array.isArray(json.candidates) && json.candidates.length > 0 && holdsObjects(json.candidates)) ||
    json.promptFeedback != null ||
    json.usageMetadata != null,
};

/** A list of objects, perhaps empty: `[[[[…]]]]` is no answer. */
function holdsObjects(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((item: unknown) => typeof item === 'object' && item !== null && !Array.isArray(item))
  );
}

function statusIn(error: unknown): number {
  const { code, status } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    status?: unknown;
  };
  for (const value of [status, code]) {
    const number = typeof value === 'string' ? Number(value) : value;
    if (typeof number === 'number' && isErrorStatus(number)) return number;
  }
  return 502;
}
