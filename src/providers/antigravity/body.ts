// Antigravity's own rules for a Gemini body (upstreams.md §2.8, §4.6).
import type { JsonObject } from '../../protocols/neutral.ts';
import { numberOf, objectOf } from '../fields.ts';

export const isClaudeModel = (model: string): boolean => model.includes('claude');

/** Claude models validate calls against the tools' schemas; others take no limit of the answer. */
export function adaptForModel(body: JsonObject, model: string): JsonObject {
  if (isClaudeModel(model)) return body.tools === undefined ? body : withValidatedCalls(body);
  const config = objectOf(body.generationConfig);
  if (config?.maxOutputTokens === undefined) return body;
  const { maxOutputTokens: _, ...others } = config;
  if (Object.keys(others).length > 0) return { ...body, generationConfig: others };
  const { generationConfig: __, ...rest } = body;
  return rest;
}

function withValidatedCalls(body: JsonObject): JsonObject {
  const toolConfig = objectOf(body.toolConfig) ?? {};
  const calling = objectOf(toolConfig.functionCallingConfig) ?? {};
  return { ...body, toolConfig: { ...toolConfig, functionCallingConfig: { ...calling, mode: 'VALIDATED' } } };
}

/**
 * A thinking budget must stay below the answer's limit. When that leaves less than the model's least budget, it cannot
 * think at all within this limit, and the wish is dropped.
 */
export function limitBudget(body: JsonObject, least: number): JsonObject {
  const config = objectOf(body.generationConfig);
  const thinking = objectOf(config?.thinkingConfig);
  const budget = numberOf(thinking?.thinkingBudget);
  const limit = numberOf(config?.maxOutputTokens);
  if (config === undefined || budget === undefined || limit === undefined || budget < limit) return body;
  const { thinkingConfig: _, ...others } = config;
  const fits = limit - 1 >= least;
  return {
    ...body,
    generationConfig: fits ? { ...others, thinkingConfig: { ...thinking, thinkingBudget: limit - 1 } } : others,
  };
}
