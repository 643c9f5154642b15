// Models of a credential, and the static catalogue (management-api.md §14).
import * as z from 'zod';
import type { ModelInfo } from '../../../credentials/credential.ts';
import { ApiError } from '../errors.ts';
import { mainParam } from '../query.ts';
import { type Route, route } from '../route.ts';
import { findCredential, nameOf } from './auth-files.ts';

const channels = [
  'claude',
  'gemini',
  'vertex',
  'gemini-cli',
  'aistudio',
  'codex',
  'qwen',
  'iflow',
  'kimi',
  'antigravity',
] as const;

const modelBody = z.looseObject({ id: z.string() });

/** Only what is known: absent members are left out. */
function compact(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== null));
}

function brief(model: ModelInfo): Record<string, unknown> {
  return compact({ id: model.id, display_name: model.displayName, type: model.type, owned_by: model.ownedBy });
}

const generationMethods = ['generateContent', 'countTokens', 'createCachedContent', 'batchGenerateContent'];

function thinking(model: ModelInfo): Record<string, unknown> | undefined {
  const support = model.thinking;
  if (!support) return undefined;
  return compact({
    min: support.min || undefined,
    max: support.max || undefined,
    zero_allowed: support.zeroAllowed || undefined,
    dynamic_allowed: support.dynamicAllowed || undefined,
    levels: support.levels,
  });
}

function full(model: ModelInfo): Record<string, unknown> {
  const gemini = model.type === 'gemini';
  return compact({
    id: model.id,
    object: 'model',
    created: model.created ?? 0,
    owned_by: model.ownedBy,
    type: model.type,
    display_name: model.displayName,
    name: gemini ? `models/${model.id}` : model.type === 'antigravity' ? model.id : undefined,
    version: model.version,
    description: model.description,
    context_length: gemini ? undefined : model.contextLength,
    max_completion_tokens: gemini ? undefined : model.maxOutputTokens,
    inputTokenLimit: gemini ? model.contextLength : undefined,
    outputTokenLimit: gemini ? model.maxOutputTokens : undefined,
    supportedGenerationMethods: gemini ? generationMethods : undefined,
    thinking: thinking(model),
  });
}

export const modelRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'auth-files/models',
    tag: 'Models',
    summary: 'Models that a credential serves now',
    description: 'Prefix and alias applied; empty for an unknown or disabled credential.',
    scope: 'viewer',
    query: z.object({ name: mainParam() }),
    responses: { 200: { description: 'The models.', schema: z.object({ models: z.array(modelBody) }) } },
    errors: { 400: 'No name.' },
    answer(call) {
      const name = call.query.name?.trim();
      if (!name) throw new ApiError(400, 'name is required');
      const credential = findCredential(call, name) ?? call.deps.store.get(name);
      if (!credential || credential.disabled) return { json: { models: [] } };
      const family = call.deps.store
        .list()
        .filter((each) => each.id === credential.id || (credential.id !== name && nameOf(each) === name));
      const models = new Map<string, ModelInfo>();
      for (const each of family) for (const model of call.deps.router.modelsFor(each.id)) models.set(model.id, model);
      return { json: { models: [...models.values()].map(brief) } };
    },
  }),
  route({
    method: 'GET',
    path: 'model-definitions/:channel',
    tag: 'Models',
    summary: 'The built-in model catalogue of a channel',
    scope: 'viewer',
    params: z.object({ channel: z.string().meta({ enum: [...channels] }) }),
    responses: {
      200: { description: 'The catalogue.', schema: z.object({ channel: z.string(), models: z.array(modelBody) }) },
    },
    errors: { 400: 'No such channel.' },
    answer(call) {
      const asked = call.params.channel.trim();
      const channel = asked.toLowerCase();
      const models = (channels as readonly string[]).includes(channel) ? call.deps.catalog(channel) : undefined;
      if (!models) throw new ApiError(400, 'unknown channel', { extra: { channel: asked } });
      return { json: { channel, models: models.map(full) } };
    },
  }),
];
