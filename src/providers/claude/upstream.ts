// The Messages API as an upstream (upstreams.md §2.2). `messages.ts` holds what Kimi's Claude-like endpoint shares.
import { endpoint } from '../endpoints.ts';
import { classifyCommon, quotaReport } from '../failures.ts';
import type { Upstream, UpstreamCall } from '../provider.ts';
import { adaptMessages, finishMessages, isSubscription, messagesRequest } from './messages.ts';

export const upstream: Upstream = {
  native: () => 'anthropic',
  thinking: 'claude',
  countTokens: 'remote',
  adapt: adaptMessages,
  finish: finishMessages,
  request: (body, call) => {
    const base = baseUrl(call);
    return messagesRequest(body, call, { baseUrl: base, auth: authHeader(base, call) });
  },
  classify: (response, call) => classifyCommon(response, call, { protocol: 'anthropic' }),
  quota: quotaReport,
};

function baseUrl(call: UpstreamCall): string {
  return call.credential.baseUrl?.replace(/\/+$/, '') || endpoint(call.config, 'claude', 'api');
}

/** API keys go in `x-api-key` to Anthropic itself and as Bearer anywhere else; subscription tokens always as Bearer. */
function authHeader(base: string, call: UpstreamCall): Record<string, string> {
  const anthropic = new URL(base).origin === 'https://api.anthropic.com';
  if (anthropic && !isSubscription(call)) return { 'x-api-key': call.token };
  return { authorization: `Bearer ${call.token}` };
}
