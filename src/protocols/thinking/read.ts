// What a client's body says about thinking, in each protocol's own words (upstreams.md §4.3).
import type { Json, JsonObject, ProtocolId, Thinking } from '../neutral.ts';
import { object } from './json.ts';

/** `adaptive`: Anthropic's "as much as you like" without an effort; every target has its own idea of it. */
export type ThinkingIntent = Thinking | { type: 'adaptive' };

/** The client's wish; undefined when the body says nothing. */
export function readThinking(protocol: ProtocolId, body: JsonObject): ThinkingIntent | undefined {
  return readers[protocol](body);
}

/** Whether a Gemini client wants to see thoughts; undefined when it does not say. */
export function readIncludeThoughts(protocol: ProtocolId, body: JsonObject): boolean | undefined {
  if (protocol !== 'gemini') return undefined;
  const config = thinkingConfigOf(body);
  const value = config?.includeThoughts ?? config?.include_thoughts;
  return typeof value === 'boolean' ? value : undefined;
}

const readers: Record<ProtocolId, (body: JsonObject) => ThinkingIntent | undefined> = {
  'openai-chat': (body) => fromLevel(body.reasoning_effort),
  'openai-responses': (body) => fromLevel(object(body.reasoning)?.effort),
  anthropic: fromAnthropic,
  gemini: fromGemini,
};

function fromAnthropic(body: JsonObject): ThinkingIntent | undefined {
  const thinking = object(body.thinking);
  const effort = object(body.output_config)?.effort;
  switch (thinking?.type) {
    case 'disabled':
      return { type: 'off' };
    case 'adaptive':
    case 'auto':
      return fromLevel(effort) ?? { type: 'adaptive' };
    case 'enabled':
      return fromBudget(thinking.budget_tokens) ?? { type: 'auto' };
    default:
      return undefined;
  }
}

function fromGemini(body: JsonObject): ThinkingIntent | undefined {
  const config = thinkingConfigOf(body);
  if (!config) return undefined;
  return (
    fromLevel(config.thinkingLevel ?? config.thinking_level) ??
    fromBudget(config.thinkingBudget ?? config.thinking_budget)
  );
}

/** iFlow's own switches, which clients made for it send (upstreams.md §2.1). */
export function readIflowSwitch(body: JsonObject): ThinkingIntent | undefined {
  const value = object(body.chat_template_kwargs)?.enable_thinking ?? body.reasoning_split;
  if (typeof value !== 'boolean') return undefined;
  return value ? { type: 'auto' } : { type: 'off' };
}

function fromLevel(value: Json | undefined): Thinking | undefined {
  if (typeof value !== 'string') return undefined;
  const level = value.trim().toLowerCase();
  if (level === '' || level === 'thinking_level_unspecified') return undefined;
  if (level === 'none') return { type: 'off' };
  if (level === 'auto') return { type: 'auto' };
  return { type: 'level', level };
}

function fromBudget(value: Json | undefined): Thinking | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  if (value === 0) return { type: 'off' };
  return value < 0 ? { type: 'auto' } : { type: 'budget', tokens: Math.trunc(value) };
}

function thinkingConfigOf(body: JsonObject): JsonObject | undefined {
  const generation = object(body.generationConfig) ?? object(body.generation_config);
  return object(generation?.thinkingConfig) ?? object(generation?.thinking_config);
}
