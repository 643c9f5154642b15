// What the Messages API demands of a body that thinks (upstreams.md §2.2, §4.6).

import { asNumber, isObject } from '../json.ts';
import type { JsonObject } from '../neutral.ts';

export interface ModelLimits {
  /** Tokens; from the catalog. */
  maxOutputTokens?: number | undefined;
  /** Smallest budget that the model takes. */
  minBudget?: number | undefined;
}

const THINKS = new Set(['enabled', 'adaptive', 'auto']);

/**
 * A limit is present, a forced tool call does not think, a thinking body has temperature 1 and a budget below the limit.
 * The argument is not changed.
 */
export function withThinkingLimits(body: JsonObject, limits: ModelLimits = {}): JsonObject {
  const result: JsonObject = { ...body };
  if (asNumber(body.max_tokens) === undefined) result.max_tokens = limits.maxOutputTokens ?? 1024;
  if (forcesTool(body)) return withoutThinking(result);
  const thinking = body.thinking;
  if (!isObject(thinking) || typeof thinking.type !== 'string' || !THINKS.has(thinking.type)) return result;
  if (body.temperature !== undefined && body.temperature !== 1) result.temperature = 1;
  const budget = asNumber(thinking.budget_tokens);
  const max = result.max_tokens as number;
  if (budget !== undefined && budget >= max && max - 1 >= (limits.minBudget ?? 1)) {
    result.thinking = { ...thinking, budget_tokens: max - 1 };
  }
  return result;
}

export function forcesTool(body: JsonObject): boolean {
  const choice = body.tool_choice;
  return isObject(choice) && (choice.type === 'any' || choice.type === 'tool');
}

/** Without `thinking` and `output_config.effort`; an `output_config` that held nothing else goes too. */
export function withoutThinking(body: JsonObject): JsonObject {
  const result: JsonObject = { ...body };
  delete result.thinking;
  if (isObject(body.output_config)) {
    const { effort: _, ...rest } = body.output_config;
    if (Object.keys(rest).length > 0) result.output_config = rest;
    else delete result.output_config;
  }
  return result;
}
