// generateContent at Google's Gemini API (upstreams.md §2.6).
import { prepareGemini } from '../../protocols/gemini/index.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { endpoint } from '../endpoints.ts';
import { classifyCommon } from '../failures.ts';
import type { Upstream, UpstreamCall } from '../provider.ts';

export const upstream: Upstream = {
  native: () => 'gemini',
  thinking: 'gemini',
  countTokens: 'remote',
  adapt: (body, call) => (call.operation === 'count-tokens' ? body : prepareGemini(body, call.credential.provider)),
  finish: finishGenerate,
  request(body, call) {
    const stream = streams(call);
    const method = call.operation === 'count-tokens' ? 'countTokens' : generateMethod(stream);
    return {
      method: 'POST',
      url: `${baseUrl(call)}/v1beta/models/${modelPath(call.model)}:${method}`,
      headers: {
        'content-type': 'application/json',
        accept: stream ? 'text/event-stream' : 'application/json',
        'user-agent': userAgent,
        ...(call.credential.kind === 'oauth'
          ? { authorization: `Bearer ${call.token}` }
          : { 'x-goog-api-key': call.token }),
      },
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      stream,
    };
  },
  classify: (response, call) => classifyCommon(response, call, { protocol: 'gemini' }),
};

export function streams(call: UpstreamCall): boolean {
  return call.stream && call.operation === 'generate';
}

export function generateMethod(stream: boolean): string {
  return stream ? 'streamGenerateContent?alt=sse' : 'generateContent';
}

/** A model name as a piece of a URL path. */
export function modelPath(model: string): string {
  return encodeURIComponent(model.replace(/^models\//, '')).replaceAll('%2F', '/');
}

/** The model stands in the path; `session_id` and `stream` are words of other APIs. */
export function finishGenerate(body: JsonObject, call: UpstreamCall): JsonObject {
  const { model: _, session_id: __, stream: ___, ...rest } = body;
  return call.operation === 'count-tokens' ? countBody(rest, call.model) : rest;
}

/**
 * countTokens takes `contents` alone; everything else that costs tokens goes inside `generateContentRequest`
 * (https://ai.google.dev/api/tokens).
 */
function countBody(body: JsonObject, model: string): JsonObject {
  if (body.generateContentRequest !== undefined) return body;
  const { contents = [], tools, toolConfig } = body;
  const system = body.systemInstruction ?? body.system_instruction;
  if (system === undefined && tools === undefined) return { contents };
  const request: JsonObject = { model: `models/${model.replace(/^models\//, '')}`, contents };
  if (system !== undefined) request.systemInstruction = system;
  if (tools !== undefined) request.tools = tools;
  if (toolConfig !== undefined) request.toolConfig = toolConfig;
  return { generateContentRequest: request };
}

function baseUrl(call: UpstreamCall): string {
  return call.credential.baseUrl?.replace(/\/+$/, '') || endpoint(call.config, 'gemini', 'api');
}
