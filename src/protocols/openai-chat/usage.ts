// Token counts of chat completions (protocols.md §3.3, upstreams.md §1.8).
import { asNumber, asObject, jsonObject } from '../json.ts';
import type { Json, JsonObject, Usage } from '../neutral.ts';

/** `usage` of a chunk or answer; some servers use the Responses names. Undefined when null or without counts. */
export function decodeUsage(value: Json | undefined): Usage | undefined {
  const usage = asObject(value);
  if (!usage) return undefined;
  const input = asNumber(usage.prompt_tokens) ?? asNumber(usage.input_tokens);
  const output = asNumber(usage.completion_tokens) ?? asNumber(usage.output_tokens);
  if (input === undefined && output === undefined) return undefined;
  const inputDetails = asObject(usage.prompt_tokens_details) ?? asObject(usage.input_tokens_details);
  const outputDetails = asObject(usage.completion_tokens_details) ?? asObject(usage.output_tokens_details);
  const result: Usage = { input: input ?? 0, output: output ?? 0 };
  const cacheRead = asNumber(inputDetails?.cached_tokens);
  if (cacheRead !== undefined) result.cacheRead = cacheRead;
  const cacheWrite = asNumber(inputDetails?.cache_write_tokens);
  if (cacheWrite !== undefined) result.cacheWrite = cacheWrite;
  const reasoning = asNumber(outputDetails?.reasoning_tokens);
  if (reasoning !== undefined) result.reasoning = reasoning;
  const total = asNumber(usage.total_tokens);
  if (total !== undefined) result.total = total;
  return result;
}

export function encodeUsage(usage: Usage): JsonObject {
  return jsonObject({
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.total ?? usage.input + usage.output,
    prompt_tokens_details: usage.cacheRead === undefined ? undefined : { cached_tokens: usage.cacheRead },
    completion_tokens_details: usage.reasoning === undefined ? undefined : { reasoning_tokens: usage.reasoning },
  });
}
