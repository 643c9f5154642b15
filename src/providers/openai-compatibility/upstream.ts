// OpenAI chat completions at a configured base URL (upstreams.md §2.11).
import { Failure } from '../../failure.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { classifyCommon, quotaReport } from '../failures.ts';
import type { BodyFacts, Upstream, UpstreamCall } from '../provider.ts';
import { askForUsage, refusesUsage } from '../stream-usage.ts';

export const upstream: Upstream = {
  native: (_client, _credential, operation) => (operation === 'compact' ? 'openai-responses' : 'openai-chat'),
  thinking: 'openai',
  countTokens: 'local',
  compact: true,
  adapt(body, call) {
    if (call.operation === 'compact') return withoutStream(body);
    return askForUsage(body, baseUrl(call));
  },
  passThrough,
  request(body, call) {
    const compact = call.operation === 'compact';
    const stream = call.stream && !compact;
    return {
      method: 'POST',
      url: `${baseUrl(call)}${compact ? '/responses/compact' : '/chat/completions'}`,
      headers: {
        'content-type': 'application/json',
        'user-agent': userAgent,
        accept: stream ? 'text/event-stream' : 'application/json',
        ...(stream ? { 'cache-control': 'no-cache' } : {}),
        ...(call.token === '' ? {} : { authorization: `Bearer ${call.token}` }),
      },
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      stream,
    };
  },
  classify: (response, call) =>
    classifyCommon(response, call, {
      protocol: call.operation === 'compact' ? 'openai-responses' : 'openai-chat',
    }),
  retry(failure, call) {
    if (!call.stream || !refusesUsage(failure, baseUrl(call))) return undefined;
    return { variant: { ...call.variant, plainStream: true }, waitMs: 0 };
  },
  quota: quotaReport,
};

/** The client's bytes go up as they are unless a thinking level or its own `stream_options` must be looked at. */
function passThrough(scan: BodyFacts, call: UpstreamCall): Record<string, string> | undefined {
  if (call.operation !== 'generate') return undefined;
  if (scan.has('reasoning_effort') || scan.has('stream_options')) return undefined;
  const { stream_options } = askForUsage({ stream: scan.stream }, baseUrl(call));
  return stream_options === undefined ? {} : { stream_options: JSON.stringify(stream_options) };
}

function baseUrl(call: UpstreamCall): string {
  const base = call.credential.baseUrl;
  if (base) return base.endsWith('/') ? base.replace(/\/+$/, '') : base;
  throw new Failure({ kind: 'unauthorized', status: 401, message: 'missing provider baseURL', scope: 'credential' });
}

function withoutStream(body: JsonObject): JsonObject {
  const { stream: _, ...rest } = body;
  return rest;
}
