// Writes fitted thinking in the words of each upstream (upstreams.md §4.5, §4.6). Never changes its argument.
import type { ModelInfo } from '../../credentials/credential.ts';
import type { Json, JsonObject } from '../neutral.ts';
import type { ThinkingDialect } from './dialect.ts';
import type { FittedThinking } from './fit.ts';
import { object, withMember } from './json.ts';
import { levelOf } from './levels.ts';

/** What a writer may know beside the fitted value. */
export interface WriteContext {
  model: ModelInfo | undefined;
  /** Upstream name; iFlow chooses its fields by it. */
  name: string;
  /** The client's own `includeThoughts`; default true. */
  includeThoughts?: boolean;
}

export function writeThinking(
  dialect: ThinkingDialect,
  body: JsonObject,
  fitted: FittedThinking,
  context: WriteContext,
): JsonObject {
  return writers[dialect](body, fitted, context);
}

type Writer = (body: JsonObject, fitted: FittedThinking, context: WriteContext) => JsonObject;

const writers: Record<ThinkingDialect, Writer> = {
  openai: (body, fitted) => withMember(body, 'reasoning_effort', effortText(fitted)),
  codex: writeCodex,
  claude: writeClaude,
  gemini: writeGemini,
  'gemini-envelope': (body, fitted, context) => {
    const request = object(body.request);
    return request ? { ...body, request: writeGemini(request, fitted, context) } : writeGemini(body, fitted, context);
  },
  kimi: writeKimi,
  iflow: writeIflow,
};

/** OpenAI's one word for it. */
function effortText(fitted: FittedThinking): string | undefined {
  switch (fitted.type) {
    case 'remove':
      return undefined;
    case 'off':
      return 'none';
    case 'level':
      return fitted.level;
    case 'budget':
      return levelOf(fitted.tokens);
    case 'adaptive':
      return 'xhigh';
    case 'auto':
      return 'auto';
  }
}

function writeCodex(body: JsonObject, fitted: FittedThinking): JsonObject {
  const reasoning = withMember(object(body.reasoning) ?? {}, 'effort', effortText(fitted));
  return withMember(body, 'reasoning', Object.keys(reasoning).length > 0 ? reasoning : undefined);
}

function writeClaude(body: JsonObject, fitted: FittedThinking, { model }: WriteContext): JsonObject {
  switch (fitted.type) {
    case 'remove':
      return withEffort(withMember(body, 'thinking', undefined), undefined);
    case 'off':
      return withEffort({ ...body, thinking: { type: 'disabled' } }, undefined);
    case 'adaptive':
      return { ...body, thinking: { type: 'adaptive' } };
    case 'auto': {
      const levels = (model?.thinking?.levels?.length ?? 0) > 0;
      return withEffort({ ...body, thinking: { type: levels ? 'adaptive' : 'enabled' } }, undefined);
    }
    case 'level':
      return withEffort({ ...body, thinking: { type: 'adaptive' } }, fitted.level);
    case 'budget':
      return withEffort({ ...body, thinking: { type: 'enabled', budget_tokens: fitted.tokens } }, undefined);
  }
}

function withEffort(body: JsonObject, effort: string | undefined): JsonObject {
  const config = withMember(object(body.output_config) ?? {}, 'effort', effort);
  return withMember(body, 'output_config', Object.keys(config).length > 0 ? config : undefined);
}

const thinkingKeys = [
  'thinkingLevel',
  'thinking_level',
  'thinkingBudget',
  'thinking_budget',
  'includeThoughts',
  'include_thoughts',
];

function writeGemini(body: JsonObject, fitted: FittedThinking, context: WriteContext): JsonObject {
  const { generation_config: snake, ...rest } = body;
  const { thinkingConfig, thinking_config, ...generation } = object(body.generationConfig) ?? object(snake) ?? {};
  const value = thinkingConfigFor(fitted, generation, context);
  if (value === undefined) {
    if (Object.keys(generation).length === 0) return withMember(rest, 'generationConfig', undefined);
    return { ...rest, generationConfig: generation };
  }
  const others = { ...(object(thinkingConfig) ?? object(thinking_config)) };
  for (const key of thinkingKeys) delete others[key];
  return { ...rest, generationConfig: { ...generation, thinkingConfig: { ...others, ...value } } };
}

function thinkingConfigFor(
  fitted: FittedThinking,
  generation: JsonObject,
  { model, name, includeThoughts = true }: WriteContext,
): JsonObject | undefined {
  const claude = name.includes('claude');
  switch (fitted.type) {
    case 'remove':
      return undefined;
    case 'off':
      return claude ? undefined : { thinkingBudget: 0, includeThoughts: false };
    case 'adaptive':
    case 'auto':
      return { thinkingBudget: -1, includeThoughts };
    case 'level':
      return { thinkingLevel: fitted.level, includeThoughts: fitted.hidden ? false : includeThoughts };
    case 'budget': {
      const tokens = claude ? belowLimit(fitted.tokens, generation.maxOutputTokens, model) : fitted.tokens;
      if (tokens === undefined) return undefined;
      return { thinkingBudget: tokens, includeThoughts: fitted.hidden ? false : includeThoughts };
    }
  }
}

/** Claude behind Gemini's wire: the budget stays under the answer's limit; no room for the least budget, no thinking. */
function belowLimit(tokens: number, limit: Json | undefined, model: ModelInfo | undefined): number | undefined {
  const room = typeof limit === 'number' ? limit : model?.maxOutputTokens;
  if (room === undefined || tokens < room) return tokens;
  return room - 1 < (model?.thinking?.min ?? 1) ? undefined : room - 1;
}

function writeKimi(body: JsonObject, fitted: FittedThinking): JsonObject {
  const { thinking, reasoning_effort, ...rest } = body;
  if (fitted.type === 'remove') return rest;
  if (fitted.type === 'off') return { ...rest, thinking: { type: 'disabled' } };
  return withMember(rest, 'reasoning_effort', effortText(fitted));
}

/** iFlow's models that are switched by a chat template argument (upstreams.md §2.1). */
const templated = new Set(['qwen3-max-preview', 'deepseek-v3.2', 'deepseek-v3.1']);

function writeIflow(body: JsonObject, fitted: FittedThinking, { model, name }: WriteContext): JsonObject {
  if (model?.thinking === undefined) return body;
  const { reasoning_effort, reasoning_split, chat_template_kwargs, ...rest } = body;
  const { enable_thinking, clear_thinking, ...template } = object(chat_template_kwargs) ?? {};
  const withTemplate = (members: JsonObject): JsonObject => {
    const merged = { ...template, ...members };
    return Object.keys(merged).length > 0 ? { ...rest, chat_template_kwargs: merged } : rest;
  };
  if (fitted.type === 'remove') return withTemplate({});
  const on = fitted.type !== 'off';
  const id = name.toLowerCase();
  if (id.startsWith('glm'))
    return withTemplate(on ? { enable_thinking: on, clear_thinking: false } : { enable_thinking: on });
  if (templated.has(id)) return withTemplate({ enable_thinking: on });
  if (id.startsWith('minimax')) return { ...withTemplate({}), reasoning_split: on };
  return withTemplate({});
}
