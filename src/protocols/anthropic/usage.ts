// Token counts of the Messages API ↔ ours (protocols.md §3.3): Anthropic's `input_tokens` has neither read nor written cache in it.

import { asNumber } from '../json.ts';
import type { JsonObject, Usage } from '../neutral.ts';

export function readUsage(usage: JsonObject): Usage {
  const cacheRead = asNumber(usage.cache_read_input_tokens);
  const cacheWrite = asNumber(usage.cache_creation_input_tokens);
  const result: Usage = {
    input: (asNumber(usage.input_tokens) ?? 0) + (cacheRead ?? 0) + (cacheWrite ?? 0),
    output: asNumber(usage.output_tokens) ?? 0,
  };
  if (cacheRead !== undefined) result.cacheRead = cacheRead;
  if (cacheWrite !== undefined) result.cacheWrite = cacheWrite;
  return result;
}

/**
 * Later numbers win; what only `message_start` told stays (upstreams.md §8 row 7). Some servers repeat the input counts
 * as zeros at the end: those say nothing.
 */
export function mergeUsage(before: JsonObject | undefined, after: JsonObject): JsonObject {
  if (!before) return after;
  const merged: JsonObject = { ...before };
  for (const [key, value] of Object.entries(after)) {
    if (value === null || (value === 0 && key !== 'output_tokens' && merged[key])) continue;
    merged[key] = value;
  }
  return merged;
}

/** The type requires counts, so zeros without any. */
export function writeUsage(usage: Usage | undefined): JsonObject {
  const cacheRead = usage?.cacheRead ?? 0;
  const cacheWrite = usage?.cacheWrite ?? 0;
  return {
    input_tokens: Math.max(0, (usage?.input ?? 0) - cacheRead - cacheWrite),
    output_tokens: usage?.output ?? 0,
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: cacheWrite,
  };
}
