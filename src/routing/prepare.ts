// The client's request → the bytes for one upstream: translated, or the client's own bytes with the model spliced.
// Order of steps: spec/upstreams.md §1.1.

import { protocols } from '../protocols/index.ts';
import type { JsonObject, ProtocolId, Thinking } from '../protocols/neutral.ts';
import { applyThinking, readIncludeThoughts, readThinking } from '../protocols/thinking/index.ts';
import { mergeHeaders } from '../providers/headers.ts';
import type { Provider, UpstreamCall, UpstreamRequest } from '../providers/provider.ts';
import type { Route } from './candidate.ts';
import type { ClientRequest } from './client-request.ts';
import { type PayloadRules, payloadRules } from './payload-rules.ts';
import { member, splice } from './scan.ts';

export interface Prepared {
  request: UpstreamRequest;
  native: ProtocolId;
  /** The client's protocol is the upstream's: answers are passed through. */
  same: boolean;
}

export interface PrepareOptions {
  client: ClientRequest;
  call: UpstreamCall;
  provider: Provider;
  route: Route;
  /** Model as requested, without suffix. */
  base: string;
  /** Thinking from a suffix of the model name or of the configured alias; beats the body. */
  suffix: Thinking | undefined;
}

export function prepare(options: PrepareOptions): Prepared {
  const { client, call, provider } = options;
  const upstream = provider.upstream;
  const native = upstream.native(client.protocolId, call.credential, call.operation);
  const same = native === client.protocolId && !client.translateAlways;
  const rules = payloadRules(call.config);
  const spliced = same && rules.empty && options.suffix === undefined ? splicedBody(client, call, provider) : undefined;
  const body = spliced ?? nativeBody(options, native, same, rules);
  const request = upstream.request(body, call);
  if (!request.signed) request.headers = mergeHeaders(request.headers, call.credential.headers);
  return { request, native, same };
}

/** The fast path; undefined when the body must be parsed. */
function splicedBody(client: ClientRequest, call: UpstreamCall, provider: Provider): Buffer | undefined {
  const { scan } = client;
  if (scan === undefined || client.face !== undefined || provider.upstream.passThrough === undefined) return undefined;
  const has = (name: string): boolean => member(scan, name) !== undefined;
  const add = provider.upstream.passThrough({ model: client.model, stream: client.stream, has }, call);
  if (add === undefined) return undefined;
  const replace: Record<string, string> = client.model === call.model ? {} : { model: JSON.stringify(call.model) };
  return splice(client.bytes, scan, replace, add);
}

function nativeBody(options: PrepareOptions, native: ProtocolId, same: boolean, rules: PayloadRules): JsonObject {
  const { client, call, provider, route, base } = options;
  const upstream = provider.upstream;
  const streams = upstream.streams?.(call) ?? call.stream;
  const read = (): JsonObject => client.face?.request(client.json()) ?? client.json();
  const clientBody = same ? read() : undefined;
  let body: JsonObject = same
    ? {
        ...(clientBody ?? read()),
        ...('model' in (clientBody ?? {}) || native !== 'gemini' ? { model: call.model } : {}),
      }
    : protocols[native].encodeRequest(client.neutral(), {
        model: call.model,
        stream: streams,
        provider: provider.id,
      });
  const neutral = same ? undefined : client.neutral();
  body = applyThinking(body, {
    dialect: upstream.thinking,
    client: client.protocolId,
    native,
    intent: neutral ? neutral.thinking : clientBody && readThinking(client.protocolId, clientBody),
    suffix: options.suffix,
    includeThoughts: neutral
      ? neutral.includeThoughts
      : clientBody && readIncludeThoughts(client.protocolId, clientBody),
    info: route.info,
    model: call.model,
  });
  // What the client itself said, thinking included: `default` rules never overrule it.
  const original = rules.empty ? undefined : structuredClone(body);
  body = upstream.adapt(body, call);
  if (original !== undefined) {
    body = rules.apply(body, {
      native,
      provider: provider.id,
      names: [call.model, base, client.model],
      original,
    });
  }
  return upstream.finish?.(body, call) ?? body;
}
