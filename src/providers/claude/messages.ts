// Messages API requests: body rules, betas and headers that every upstream speaking it wants (upstreams.md §2.2).
import { mergeBetas, takeBetas, withCacheBreakpoints, withThinkingLimits } from '../../protocols/anthropic/index.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { objectOf } from '../fields.ts';
import { mergeHeaders } from '../headers.ts';
import type { UpstreamCall, UpstreamRequest } from '../provider.ts';

const apiVersion = '2023-06-01';

/** What `POST /v1/messages/count_tokens` does not take. */
const generateOnly = [
  'max_tokens',
  'stream',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'metadata',
  'service_tier',
];

export function adaptMessages(body: JsonObject, call: UpstreamCall): JsonObject {
  if (call.operation === 'count-tokens') return without(body, generateOnly);
  const limit = call.info?.maxOutputTokens;
  // Our own default for clients of other protocols may be more than a small model can give.
  const tooMuch = call.client !== 'anthropic' && typeof body.max_tokens === 'number' && limit !== undefined;
  return tooMuch && (body.max_tokens as number) > limit ? { ...body, max_tokens: limit } : body;
}

/** After payload rules: limits that the API enforces, then cache breakpoints. */
export function finishMessages(body: JsonObject, call: UpstreamCall): JsonObject {
  const { maxOutputTokens, thinking } = call.info ?? {};
  const limited =
    call.operation === 'count-tokens'
      ? body
      : withThinkingLimits(body, { maxOutputTokens, minBudget: thinking?.min ?? undefined });
  return withCacheBreakpoints(limited);
}

export interface MessagesTarget {
  baseUrl: string;
  /** Header that authenticates. */
  auth: Record<string, string>;
  /** More headers, below the user's own. */
  headers?: Record<string, string>;
}

export function messagesRequest(
  body: JsonObject | Buffer,
  call: UpstreamCall,
  target: MessagesTarget,
): UpstreamRequest & { signed: boolean } {
  const taken = Buffer.isBuffer(body) ? { body, betas: [] } : takeBetas(body);
  const counting = call.operation === 'count-tokens';
  const stream = call.stream && !counting;
  const betas = mergeBetas(header(call, 'anthropic-beta'), taken.betas, ownBetas(taken.body, call));
  const headers = mergeHeaders(
    {
      'content-type': 'application/json',
      accept: stream ? 'text/event-stream' : 'application/json',
      'anthropic-version': header(call, 'anthropic-version') ?? apiVersion,
      'user-agent': userAgent,
      ...(betas === '' ? {} : { 'anthropic-beta': betas }),
      ...target.headers,
      ...target.auth,
    },
    call.credential.headers,
  );
  // Compressed event streams arrive in bursts; even the user's own header does not change that.
  if (stream) headers['accept-encoding'] = 'identity';
  return {
    method: 'POST',
    url: `${target.baseUrl}/v1/messages${counting ? '/count_tokens' : ''}?beta=true`,
    headers,
    body: Buffer.isBuffer(taken.body) ? taken.body : JSON.stringify(taken.body),
    stream,
    signed: true,
  };
}

/** Features that the request needs: a subscription token, thinking between tool calls, the client's wish for 1M tokens. */
function ownBetas(body: JsonObject | Buffer, call: UpstreamCall): string[] {
  const betas: string[] = [];
  const subscription = isSubscription(call);
  if (subscription) betas.push('oauth-2025-04-20');
  if (subscription || (!Buffer.isBuffer(body) && thinksWithTools(body))) betas.push('interleaved-thinking-2025-05-14');
  if (call.headers['x-cpa-claude-1m'] !== undefined) betas.push('context-1m-2025-08-07');
  return betas;
}

/** A Claude plan's token instead of an API key. */
export function isSubscription(call: UpstreamCall): boolean {
  return (
    call.token.includes('sk-ant-oat') || (call.credential.provider === 'claude' && call.credential.kind === 'oauth')
  );
}

function thinksWithTools(body: JsonObject): boolean {
  const type = objectOf(body.thinking)?.type;
  return type !== undefined && type !== 'disabled' && Array.isArray(body.tools) && body.tools.length > 0;
}

function header(call: UpstreamCall, name: string): string | undefined {
  const value = call.headers[name];
  const text = (Array.isArray(value) ? value.join(',') : value)?.trim();
  return text || undefined;
}

function without(body: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !keys.includes(key)));
}
