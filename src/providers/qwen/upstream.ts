// Qwen's chat API (upstreams.md §2.9): OpenAI chat at the host the login names, with a local limiter.
import { Failure } from '../../failure.ts';
import { userAgent } from '../../version.ts';
import { endpoint, isOverridden } from '../endpoints.ts';
import { classifyCommon } from '../failures.ts';
import { objectOf, parseObject, textOf } from '../fields.ts';
import type { Upstream, UpstreamCall, UpstreamResponse } from '../provider.ts';
import { askForUsage, refusesUsage } from '../stream-usage.ts';
import { SlidingWindow } from './limiter.ts';
import { mergeSystemMessages } from './system-message.ts';

const limiter = new SlidingWindow(60, 60_000);

const quotaCodes: ReadonlySet<string> = new Set(['insufficient_quota', 'quota_exceeded']);
const quotaTexts = ['insufficient_quota', 'quota exceeded', 'free allocated quota exceeded'] as const;

export const upstream: Upstream = {
  native: () => 'openai-chat',
  thinking: 'openai',
  countTokens: 'local',
  adapt: (body, call) => askForUsage(body, baseUrl(call)),
  finish: (body) => mergeSystemMessages(body),
  request(body, call) {
    const waitMs = limiter.take(call.credential.id, call.now());
    if (waitMs > 0) throw tooFast(waitMs);
    const stream = call.stream;
    return {
      method: 'POST',
      url: `${baseUrl(call)}/chat/completions`,
      headers: {
        'content-type': 'application/json',
        accept: stream ? 'text/event-stream' : 'application/json',
        authorization: `Bearer ${call.token}`,
        'user-agent': userAgent,
        'x-dashscope-authtype': 'qwen-oauth',
        'x-dashscope-cachecontrol': 'enable',
      },
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      stream,
    };
  },
  classify: (response, call) => {
    const failure = classifyCommon(response, call, { protocol: 'openai-chat' });
    return isQuota(response) ? asQuota(failure, call) : failure;
  },
  retry: (failure, call) =>
    call.stream && refusesUsage(failure, baseUrl(call)) ? { variant: { ...call.variant }, waitMs: 0 } : undefined,
};

/** A URL from the config (mirror, test) beats the host that the login was given. */
function baseUrl(call: UpstreamCall): string {
  if (call.credential.baseUrl) return call.credential.baseUrl;
  const named = textOf(call.credential.fields.reveal().resource_url);
  if (named === '' || isOverridden(call.config, 'qwen', 'api')) return endpoint(call.config, 'qwen', 'api');
  return resourceUrl(named);
}

/** `portal.qwen.ai` → `https://portal.qwen.ai/v1` (auth.md §3.8). */
export function resourceUrl(named: string): string {
  const url = (/^https?:\/\//i.test(named) ? named : `https://${named}`).replace(/\/+$/, '');
  return url.endsWith('/v1') ? url : `${url}/v1`;
}

function tooFast(waitMs: number): Failure {
  return new Failure({
    kind: 'quota',
    status: 429,
    code: 'rate_limit_exceeded',
    message: `Qwen allows 60 requests a minute for one account; the next is possible in ${Math.ceil(waitMs / 1_000)} s`,
    retryAfterMs: waitMs,
  });
}

function isQuota(response: UpstreamResponse): boolean {
  if (response.status !== 403 && response.status !== 429) return false;
  const body = parseObject(response.body);
  const error = objectOf(body?.error);
  if (quotaCodes.has(textOf(error?.code)) || quotaCodes.has(textOf(error?.type))) return true;
  const said = (textOf(error?.message) || textOf(body?.message) || response.body).toLowerCase();
  return quotaTexts.some((text) => said.includes(text));
}

/** Qwen says 403 when the day's free quota is used up: for clients that is a 429. */
function asQuota(failure: Failure, call: UpstreamCall): Failure {
  const coolingOff = call.credential.disableCooling ?? call.config['disable-cooling'];
  return new Failure({
    kind: 'quota',
    status: 429,
    message: failure.message,
    code: failure.code ?? 'insufficient_quota',
    retryAfterMs: failure.retryAfterMs ?? (coolingOff ? 1_000 : undefined),
    upstreamBody: failure.upstreamBody,
    upstreamProtocol: failure.upstreamProtocol,
  });
}
