// GET /v1/models and /v1beta/models, in the caller's own dialect. Source: spec/upstreams.md §6.
import type { IncomingMessage } from 'node:http';
import { Failure } from '../../failure.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import type { Route } from '../../routing/candidate.ts';

/** Anthropic's SDK and clients say who they are by version header or user agent. */
export function wantsAnthropicList(request: IncomingMessage): boolean {
  return request.headers['anthropic-version'] !== undefined || /^claude-cli/i.test(request.headers['user-agent'] ?? '');
}

/** Google's SDK asks below `/v1` as well, where only its headers tell it from others. */
export function wantsGeminiList(request: IncomingMessage): boolean {
  return request.headers['x-goog-api-key'] !== undefined || request.headers['x-goog-api-client'] !== undefined;
}

export function openaiModel({ id, info }: Route): JsonObject {
  return {
    id,
    object: 'model',
    ...(info.created ? { created: info.created } : {}),
    owned_by: info.ownedBy,
  };
}

export function openaiList(routes: readonly Route[]): JsonObject {
  return { object: 'list', data: routes.map(openaiModel) };
}

export function anthropicModel({ id, info }: Route): JsonObject {
  return {
    id,
    object: 'model',
    owned_by: info.ownedBy,
    // RFC 3339, as the official API and its SDK have it.
    created_at: new Date((info.created ?? 0) * 1000).toISOString().replace('.000Z', 'Z'),
    type: 'model',
    display_name: info.displayName ?? id,
  };
}

export function anthropicList(routes: readonly Route[]): JsonObject {
  return {
    data: routes.map(anthropicModel),
    has_more: false,
    first_id: routes[0]?.id ?? '',
    last_id: routes.at(-1)?.id ?? '',
  };
}

export function geminiModel({ id, info }: Route): JsonObject {
  return {
    name: `models/${id}`,
    version: info.version ?? '',
    displayName: info.displayName ?? id,
    description: info.description ?? info.displayName ?? id,
    ...(info.contextLength ? { inputTokenLimit: info.contextLength } : {}),
    ...(info.maxOutputTokens ? { outputTokenLimit: info.maxOutputTokens } : {}),
    supportedGenerationMethods: ['generateContent', 'countTokens'],
  };
}

export function geminiList(routes: readonly Route[]): JsonObject {
  return { models: routes.map(geminiModel) };
}

/** One model by the rest of the path, with or without `models/`; 404 otherwise. */
export function findModel(routes: readonly Route[], path: string): Route {
  let name = path;
  try {
    name = decodeURIComponent(path);
  } catch {
    // An undecodable name is an unknown one.
  }
  const id = name.replace(/^models\//, '');
  const found =
    routes.find((route) => route.id === id) ?? routes.find((route) => route.id.toLowerCase() === id.toLowerCase());
  if (found) return found;
  throw new Failure({
    kind: 'not-found',
    status: 404,
    code: 'model_not_found',
    message: `unknown model ${JSON.stringify(id.slice(0, 256))}`,
    scope: 'request',
  });
}
