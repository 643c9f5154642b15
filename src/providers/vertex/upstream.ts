// generateContent at Vertex AI, for service accounts and API keys (upstreams.md §2.7).
import { Failure } from '../../failure.ts';
import { prepareGemini } from '../../protocols/gemini/index.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { endpoint, isOverridden } from '../endpoints.ts';
import { classifyCommon } from '../failures.ts';
import { generateMethod, modelPath } from '../gemini/upstream.ts';
import type { Upstream, UpstreamCall } from '../provider.ts';
import { isImagen, predictBody, predictionAsContent } from './imagen.ts';
import { serviceAccountToken } from './token.ts';

export const upstream: Upstream = {
  native: () => 'gemini',
  thinking: 'gemini',
  countTokens: 'remote',
  streams: (call) => call.stream && !predicts(call),
  token: async (credential, context) =>
    credential.kind === 'service-account'
      ? serviceAccountToken(credential, context)
      : (credential.token?.reveal() ?? ''),
  adapt: (body, call) =>
    call.operation === 'count-tokens' || predicts(call) ? body : prepareGemini(body, call.credential.provider),
  finish(body, call) {
    if (predicts(call)) return predictBody(body);
    const { model: _, session_id: __, stream: ___, ...rest } = body;
    return call.operation === 'count-tokens' ? countBody(rest) : rest;
  },
  request(body, call) {
    const stream = call.stream && call.operation === 'generate' && !predicts(call);
    return {
      method: 'POST',
      url: `${modelUrl(call)}:${action(call, stream)}`,
      headers: {
        'content-type': 'application/json',
        accept: stream ? 'text/event-stream' : 'application/json',
        'user-agent': userAgent,
        ...(call.credential.kind === 'service-account'
          ? { authorization: `Bearer ${call.token}` }
          : { 'x-goog-api-key': call.token }),
      },
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      stream,
    };
  },
  unwrap: predictionAsContent,
  classify: (response, call) => classifyCommon(response, call, { protocol: 'gemini' }),
};

/** Image models answer `:predict`, which API keys do not reach. */
function predicts(call: UpstreamCall): boolean {
  return call.operation === 'generate' && isImagen(call.model) && call.credential.kind === 'service-account';
}

function action(call: UpstreamCall, stream: boolean): string {
  if (predicts(call)) return 'predict';
  return call.operation === 'count-tokens' ? 'countTokens' : generateMethod(stream);
}

/** Vertex counts system text and tools, but not settings of the answer. */
function countBody(body: JsonObject): JsonObject {
  const { generationConfig: _, safetySettings: __, toolConfig: ___, ...rest } = body;
  return rest;
}

function modelUrl(call: UpstreamCall): string {
  const { credential, config } = call;
  const model = modelPath(call.model);
  if (credential.kind !== 'service-account') {
    const base = credential.baseUrl?.replace(/\/+$/, '') || endpoint(config, 'vertex', 'api');
    return `${base}/v1/publishers/google/models/${model}`;
  }
  const project = credential.projectId ?? '';
  if (project === '') {
    throw new Failure({
      kind: 'forbidden',
      status: 403,
      scope: 'credential',
      message: 'this Vertex AI credential names no project; import the key again',
    });
  }
  const location = credential.location || 'us-central1';
  const place = `/v1/projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(location)}`;
  return `${regionalBase(call, location)}${place}/publishers/google/models/${model}`;
}

/** Each location has a host of its own, except `global`. */
function regionalBase(call: UpstreamCall, location: string): string {
  if (call.credential.baseUrl) return call.credential.baseUrl.replace(/\/+$/, '');
  const base = endpoint(call.config, 'vertex', 'api');
  if (location === 'global' || isOverridden(call.config, 'vertex', 'api')) return base;
  return base.replace('https://', `https://${location}-`);
}
