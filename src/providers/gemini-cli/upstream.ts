// Cloud Code Assist for Gemini CLI logins (upstreams.md §2.5): Gemini inside `{project, model, request}`.
import { Failure } from '../../failure.ts';
import { prepareGemini } from '../../protocols/gemini/same-protocol.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { endpoint } from '../endpoints.ts';
import { classifyCommon } from '../failures.ts';
import { parseObject } from '../fields.ts';
import { codeAssistPath, unwrapEnvelope } from '../google-envelope.ts';
import type { Upstream, UpstreamCall } from '../provider.ts';

export const upstream: Upstream = {
  native: () => 'gemini',
  thinking: 'gemini-envelope',
  countTokens: 'remote',
  // Safety settings are taken off again where tokens are only counted: see `envelope`.
  adapt: (body) => prepareGemini(body),
  request(body, call) {
    const stream = call.stream && call.operation === 'generate';
    return {
      method: 'POST',
      url: `${baseUrl(call)}${codeAssistPath(call.operation, stream)}`,
      headers: {
        'content-type': 'application/json',
        accept: stream ? 'text/event-stream' : 'application/json',
        authorization: `Bearer ${call.token}`,
        'user-agent': userAgent,
      },
      body: JSON.stringify(envelope(Buffer.isBuffer(body) ? (parseObject(body.toString('utf8')) ?? {}) : body, call)),
      stream,
    };
  },
  unwrap: unwrapEnvelope,
  classify: (response, call) => classifyCommon(response, call, { protocol: 'gemini' }),
};

/** The public API has the model in the path; here it stands beside the request, which must not repeat it. */
function envelope(body: JsonObject, call: UpstreamCall): JsonObject {
  const { model: _, stream: __, ...request } = body;
  if (call.operation === 'count-tokens') {
    const { safetySettings: ___, ...counted } = request;
    return { request: counted };
  }
  const project = call.credential.projectId ?? '';
  if (project === '') {
    throw new Failure({
      kind: 'forbidden',
      status: 403,
      scope: 'credential',
      message: 'This Gemini CLI login has no Google Cloud project; run ./cliproxy -login -project_id <id>',
    });
  }
  return { project, model: call.model, request };
}

function baseUrl(call: UpstreamCall): string {
  return call.credential.baseUrl?.replace(/\/+$/, '') || endpoint(call.config, 'gemini-cli', 'api');
}
