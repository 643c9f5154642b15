// iFlow's chat API: OpenAI chat with signed headers (upstreams.md §2.1).
import { randomUUID } from 'node:crypto';
import { Failure } from '../../failure.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { endpoint } from '../endpoints.ts';
import { classifyCommon } from '../failures.ts';
import { mergeHeaders } from '../headers.ts';
import type { Upstream, UpstreamCall } from '../provider.ts';
import { askForUsage, refusesUsage } from '../stream-usage.ts';
import { businessError, unmaskChunk } from './business-errors.ts';
import { signature } from './signature.ts';

/** Stands in for an empty tool list, which iFlow refuses in streams. */
const placeholderTool: JsonObject = {
  type: 'function',
  function: { name: 'noop', description: 'Does nothing. Never call it.', parameters: { type: 'object' } },
};

export const upstream: Upstream = {
  native: () => 'openai-chat',
  thinking: 'iflow',
  countTokens: 'local',
  adapt(body, call) {
    const adapted = askForUsage(body, baseUrl(call));
    const emptyTools = Array.isArray(adapted.tools) && adapted.tools.length === 0;
    return adapted.stream === true && emptyTools ? { ...adapted, tools: [placeholderTool] } : adapted;
  },
  request(body, call) {
    if (call.token === '') {
      throw new Failure({ kind: 'unauthorized', status: 401, scope: 'credential', message: 'iFlow: missing api key' });
    }
    const stream = call.stream;
    return {
      method: 'POST',
      url: `${baseUrl(call)}/chat/completions`,
      headers: headers(call, stream),
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      stream,
      signed: true,
    };
  },
  unwrap: unmaskChunk,
  classify: (response, call) => classifyCommon(response, call, { protocol: 'openai-chat' }),
  inspect: (body) => businessError(body),
  retry: (failure, call) => nextTry(failure, call),
};

function baseUrl(call: UpstreamCall): string {
  return call.credential.baseUrl?.replace(/\/+$/, '') || endpoint(call.config, 'iflow', 'api');
}

/** Signed last, over what is really sent: a custom User-Agent or session id takes part in the signature. */
function headers(call: UpstreamCall, stream: boolean): Record<string, string> {
  const unsigned = call.variant.unsigned === true;
  const merged = mergeHeaders(
    {
      'content-type': 'application/json',
      authorization: `Bearer ${call.token}`,
      'user-agent': userAgent,
      'session-id': `session-${randomUUID()}`,
      ...(unsigned ? {} : { accept: stream ? 'text/event-stream' : 'application/json' }),
    },
    call.credential.headers,
  );
  if (unsigned) return merged;
  const timestamp = merged['x-iflow-timestamp'] ?? String(call.now());
  return {
    ...merged,
    'x-iflow-timestamp': timestamp,
    'x-iflow-signature': signature(call.token, merged['user-agent'] ?? '', merged['session-id'] ?? '', timestamp),
  };
}

function nextTry(
  failure: Failure,
  call: UpstreamCall,
): { variant: Record<string, unknown>; waitMs: number } | undefined {
  if (failure.status === 406 && call.variant.unsigned !== true) {
    return { variant: { ...call.variant, unsigned: true }, waitMs: 0 };
  }
  if (call.stream && refusesUsage(failure, baseUrl(call))) return { variant: { ...call.variant }, waitMs: 0 };
  return undefined;
}
