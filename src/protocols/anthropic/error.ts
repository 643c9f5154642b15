// Errors in the Messages API's envelope (protocols.md §3.6; https://docs.claude.com/en/api/errors).

import type { Failure } from '../../failure.ts';
import { parseObject } from '../json.ts';
import type { JsonObject } from '../neutral.ts';
import { errorWords, statusOf } from '../status.ts';

/** HTTP status of an error that came inside a stream. */
export function errorStatus(type: string | undefined): number {
  return statusOf(type) ?? 502;
}

/** An upstream's own Anthropic error is handed on as it came; everything else in a fresh envelope. */
export function encodeError(failure: Failure): { status: number; body: JsonObject } {
  if (failure.upstreamBody !== undefined && failure.upstreamProtocol === 'anthropic') {
    const body = parseObject(failure.upstreamBody);
    if (body) return { status: failure.status, body };
  }
  return { status: failure.status, body: errorBody(failure) };
}

export function errorBody(failure: Failure): JsonObject {
  return {
    type: 'error',
    error: {
      ...(failure.details as JsonObject | undefined),
      type: errorWords(failure.status).anthropic,
      message: failure.message,
    },
  };
}
