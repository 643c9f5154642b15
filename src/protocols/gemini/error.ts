// Errors in Google's envelope (protocols.md §3.6; google.rpc.Code).

import type { Failure } from '../../failure.ts';
import { parseObject } from '../json.ts';
import type { JsonObject } from '../neutral.ts';
import { errorWords } from '../status.ts';

/** An upstream's own Google error is handed on as it came; everything else in a fresh envelope. */
export function encodeError(failure: Failure): { status: number; body: JsonObject } {
  if (failure.upstreamBody !== undefined && failure.upstreamProtocol === 'gemini') {
    const body = parseObject(failure.upstreamBody);
    if (body) return { status: failure.status, body };
  }
  return { status: failure.status, body: errorBody(failure) };
}

export function errorBody(failure: Failure): JsonObject {
  const { status, message } = failure;
  return {
    error: { ...(failure.details as JsonObject | undefined), code: status, message, status: errorWords(status).gemini },
  };
}
