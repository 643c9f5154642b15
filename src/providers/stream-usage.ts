// Asking OpenAI-type upstreams for token counts in streams, and remembering which of them refuse the question
// (upstreams.md §8 row 8).
import type { Failure } from '../failure.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { objectOf } from './fields.ts';

/** Base URLs that answered 400 to `stream_options`. Few by nature: one per configured upstream. */
const refusing = new Set<string>();

/** Adds `stream_options.include_usage` to a streaming body, unless this upstream refuses it. */
export function askForUsage(body: JsonObject, baseUrl: string): JsonObject {
  if (body.stream !== true) return body;
  if (refusing.has(baseUrl)) {
    const { stream_options: _, ...rest } = body;
    return rest;
  }
  return { ...body, stream_options: { ...objectOf(body.stream_options), include_usage: true } };
}

/** True once per upstream: the failure names the field, so that the same request without it is worth one more try. */
export function refusesUsage(failure: Failure, baseUrl: string): boolean {
  if (failure.status !== 400 || refusing.has(baseUrl)) return false;
  const refused = /stream_options|include_usage/.test(`${failure.message} ${failure.upstreamBody ?? ''}`);
  if (refused) refusing.add(baseUrl);
  return refused;
}
