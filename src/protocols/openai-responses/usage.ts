// Token counts of Responses (protocols.md §3.3).
import type { JsonObject, Usage } from '../neutral.ts';

/** Both detail objects are required by the API's type, also when all is zero. */
export function encodeUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.input,
    input_tokens_details: { cached_tokens: usage.cacheRead ?? 0, cache_write_tokens: usage.cacheWrite ?? 0 },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning ?? 0 },
    total_tokens: usage.total ?? usage.input + usage.output,
  };
}
