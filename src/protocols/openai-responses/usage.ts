// Token counts of Responses (protocols.md §3.3).
import { asObject, parseObject } from '../json.ts';
import type { JsonObject, Usage } from '../neutral.ts';
import { decodeUsage } from '../openai-chat/usage.ts';

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

/** For pass-through: usage told by one SSE data text or a whole answer. Parses only texts that can hold it. */
export function readUsage(data: string): Usage | undefined {
  if (!data.includes('"usage":{') && !data.includes('"usage": {')) return undefined;
  const body = parseObject(data);
  return decodeUsage(asObject(body?.response)?.usage ?? body?.usage);
}
