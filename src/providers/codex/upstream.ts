// The Codex dialect of the Responses API over HTTP (upstreams.md §2.3).

import type { JsonObject } from '../../protocols/neutral.ts';
import { codexAfterRules, codexBody } from '../../protocols/openai-responses/codex-dialect.ts';
import { userAgent } from '../../version.ts';
import { endpoint } from '../endpoints.ts';
import { classifyCommon, quotaReport } from '../failures.ts';
import { objectOf, textOf } from '../fields.ts';
import type { Upstream, UpstreamCall, UpstreamResponse } from '../provider.ts';
import { promptCacheId } from './cache-id.ts';
import { betaHeader, wantsSocket } from './websocket.ts';

export const upstream: Upstream = {
  native: () => 'openai-responses',
  thinking: 'codex',
  countTokens: 'local',
  compact: true,
  /** The backend answers a generate call as a stream only. */
  streams: (call) => call.operation !== 'compact',
  adapt(body, call) {
    if (call.operation === 'compact') return codexBody(body, { model: call.model, compact: true });
    const adapted = call.client === 'openai-responses' ? codexBody(body, { model: call.model }) : withSummary(body);
    const cacheId = promptCacheId(adapted, call);
    return cacheId === undefined ? adapted : { ...adapted, prompt_cache_key: cacheId };
  },
  finish(body, call) {
    const finished = { ...body, model: call.model };
    return call.operation === 'compact' ? finished : codexAfterRules(finished);
  },
  request(body, call) {
    const stream = call.operation !== 'compact';
    const socket = wantsSocket(call);
    return {
      method: 'POST',
      url: `${codexBaseUrl(call)}/responses${stream ? '' : '/compact'}`,
      headers: {
        ...(socket ? configuredBeta(call) : {}),
        ...clientHeaders(call, socket ? socketClientHeaders : httpClientHeaders),
        'content-type': 'application/json',
        accept: stream ? 'text/event-stream' : 'application/json',
        'user-agent': userAgent,
        ...accountHeaders(call),
        ...sessionHeader(body, socket ? 'conversation_id' : 'session_id'),
        ...(socket ? { 'openai-beta': betaHeader(call.headers) } : {}),
      },
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      stream,
    };
  },
  classify: classifyCodex,
  quota: quotaReport,
};

export function codexBaseUrl(call: Pick<UpstreamCall, 'credential' | 'config'>): string {
  return call.credential.baseUrl?.replace(/\/+$/, '') || endpoint(call.config, 'codex', 'api');
}

/** Who pays: the account of a ChatGPT login is told beside its token. */
export function accountHeaders(call: Pick<UpstreamCall, 'credential' | 'token'>): Record<string, string> {
  const account = call.credential.kind === 'oauth' ? textOf(call.credential.fields.reveal().account_id) : '';
  return {
    authorization: `Bearer ${call.token}`,
    ...(account === '' ? {} : { 'chatgpt-account-id': account }),
  };
}

/** What a client's request may carry on to the backend. Its `User-Agent` is not among it: we say who we are. */
const httpClientHeaders = [
  'version',
  'x-codex-turn-metadata',
  'x-client-request-id',
  'x-codex-beta-features',
  'originator',
];

/** `codex-header-defaults.beta-features`, for logins over WebSocket whose client sends none (spec/config.md §4). */
function configuredBeta(call: UpstreamCall): Record<string, string> {
  const features = call.config['codex-header-defaults']['beta-features'];
  return features === '' || call.credential.kind !== 'oauth' ? {} : { 'x-codex-beta-features': features };
}

/** More of them when the client came by WebSocket itself (upstreams.md §2.4). */
const socketClientHeaders = [...httpClientHeaders, 'x-codex-turn-state', 'x-responsesapi-include-timing-metrics'];

export function clientHeaders(call: Pick<UpstreamCall, 'headers'>, names: readonly string[]): Record<string, string> {
  const copied: Record<string, string> = {};
  for (const name of names) {
    const value = call.headers[name];
    const text = (Array.isArray(value) ? value[0] : value)?.trim();
    if (text) copied[name] = text;
  }
  return copied;
}

function sessionHeader(body: JsonObject | Buffer, name: string): Record<string, string> {
  const id = Buffer.isBuffer(body) ? '' : textOf(body.prompt_cache_key);
  // A header value takes less than a JSON string does.
  return /^[\x21-\x7e]{1,256}$/.test(id) ? { [name]: id } : {};
}

/** Thoughts can only be shown to clients of other protocols when a summary is asked for. */
function withSummary(body: JsonObject): JsonObject {
  const reasoning = objectOf(body.reasoning) ?? {};
  return { ...body, reasoning: { effort: 'medium', ...reasoning, summary: reasoning.summary ?? 'auto' } };
}

const capacityTexts = ['selected model is at capacity', 'model is at capacity. please try a different model'];

/** A model at capacity is a quota matter whatever its status says. */
export function classifyCodex(response: UpstreamResponse, call: Pick<UpstreamCall, 'token' | 'now'>) {
  const lower = response.body.toLowerCase();
  const full = capacityTexts.some((text) => lower.includes(text));
  return classifyCommon(response, call, { protocol: 'openai-responses', ...(full ? { status: 429 } : {}) });
}
