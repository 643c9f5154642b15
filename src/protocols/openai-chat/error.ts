// OpenAI's error envelope, shared by chat, completions and Responses (protocols.md §3.6).
import type { Failure } from '../../failure.ts';
import { asNumber, asObject, asString, asText, jsonObject, parseObject } from '../json.ts';
import type { Json, JsonObject, StreamPart } from '../neutral.ts';
import { errorWords, statusOf } from '../status.ts';

const family: ReadonlySet<string> = new Set(['openai-chat', 'openai-responses']);

/** Upstreams of the same family are quoted verbatim; anything else is put in the family's own envelope. */
export function encodeError(failure: Failure): { status: number; body: JsonObject } {
  const verbatim =
    failure.upstreamBody !== undefined && family.has(failure.upstreamProtocol ?? '')
      ? parseObject(failure.upstreamBody)
      : undefined;
  return { status: failure.status, body: verbatim ?? { error: errorObject(failure) } };
}

export function errorObject(failure: Failure): JsonObject {
  const words = errorWords(failure.status);
  return jsonObject({
    message: failure.message,
    type: words.openai,
    code: failure.code ?? words.code,
    ...(failure.details as JsonObject | undefined),
  });
}

/** An error object told inside an answer: `{"error":{message,type,code}}`, or a bare text. */
export function decodeErrorPart(error: Json | undefined): StreamPart & { type: 'error' } {
  const object = asObject(error);
  const kind = asText(object?.type);
  const code = asText(object?.code) ?? asNumber(object?.code)?.toString();
  const numeric = asNumber(object?.status) ?? asNumber(object?.code);
  const status = numeric !== undefined && numeric >= 400 && numeric < 600 ? numeric : statusOf(code, kind);
  return {
    type: 'error',
    message: asText(object?.message) ?? asString(error) ?? 'upstream reported an error',
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code }),
    ...(kind === undefined ? {} : { kind }),
  };
}
