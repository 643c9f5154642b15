// Kimi's two faces (upstreams.md §2.10): Anthropic messages for clients that speak it and for token counts, OpenAI chat
// for all others.
import type { ProtocolId } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { adaptMessages, finishMessages, messagesRequest } from '../claude/messages.ts';
import { endpoint } from '../endpoints.ts';
import { classifyCommon } from '../failures.ts';
import type { Upstream, UpstreamCall } from '../provider.ts';
import { askForUsage, refusesUsage } from '../stream-usage.ts';
import { deviceHeaders, deviceIdOf } from './device.ts';
import { repairToolMessages } from './tool-messages.ts';

export const upstream: Upstream = {
  native: (client, _credential, operation) => nativeOf(client, operation),
  thinking: 'kimi',
  countTokens: 'remote',
  adapt(body, call) {
    if (speaksAnthropic(call)) return adaptMessages(body, call);
    return askForUsage({ ...body, model: call.model.replace(/^kimi-/, '') }, baseUrl(call));
  },
  finish: (body, call) => (speaksAnthropic(call) ? finishMessages(body, call) : repairToolMessages(body)),
  request(body, call) {
    const auth = { authorization: `Bearer ${call.token}` };
    const device = deviceHeaders(deviceIdOf(call.credential.fields.reveal()));
    if (speaksAnthropic(call)) return messagesRequest(body, call, { baseUrl: baseUrl(call), auth, headers: device });
    return {
      method: 'POST',
      url: `${baseUrl(call)}/v1/chat/completions`,
      headers: {
        'content-type': 'application/json',
        accept: call.stream ? 'text/event-stream' : 'application/json',
        'user-agent': userAgent,
        ...device,
        ...auth,
      },
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      stream: call.stream,
    };
  },
  classify: (response, call) =>
    classifyCommon(response, call, { protocol: speaksAnthropic(call) ? 'anthropic' : 'openai-chat' }),
  retry: (failure, call) =>
    call.stream && refusesUsage(failure, baseUrl(call)) ? { variant: { ...call.variant }, waitMs: 0 } : undefined,
};

function nativeOf(client: ProtocolId, operation?: UpstreamCall['operation']): ProtocolId {
  return client === 'anthropic' || operation === 'count-tokens' ? 'anthropic' : 'openai-chat';
}

function speaksAnthropic(call: UpstreamCall): boolean {
  return nativeOf(call.client, call.operation) === 'anthropic';
}

function baseUrl(call: UpstreamCall): string {
  return call.credential.baseUrl?.replace(/\/+$/, '') || endpoint(call.config, 'kimi', 'api');
}
