// What is answered without an upstream: token estimates, and operations a provider does not have.
import { Failure } from '../failure.ts';
import type { ProtocolId } from '../protocols/neutral.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { splitSuffix } from '../protocols/thinking/index.ts';
import { providers } from '../providers/index.ts';
import { estimateTokens } from '../providers/tokens.ts';
import { tokenCountAnswer } from '../routing/answer/build.ts';
import type { ClientRequest } from '../routing/client-request.ts';
import type { Router } from '../routing/router.ts';

/** The JSON answer, or undefined when an upstream must be asked. Throws `Failure` for an unknown model. */
export function answerLocally(
  client: ClientRequest,
  router: Router,
  protocols: Readonly<Record<ProtocolId, Protocol>>,
): string | undefined {
  if (client.operation === 'generate') return undefined;
  const split = splitSuffix(client.model);
  const entry = router.registry.find(client.model) ?? router.entry(split.base);
  const picked = router.pick(entry, { tried: new Set(), session: undefined });
  const upstream = picked && providers.get(picked.credential.provider)?.upstream;
  if (picked === undefined || upstream === undefined) return undefined;
  if (client.operation === 'compact') {
    if (upstream.compact !== true) {
      throw new Failure({ kind: 'invalid-request', status: 501, message: '/responses/compact not supported' });
    }
    if (client.stream)
      throw new Failure({
        kind: 'invalid-request',
        status: 400,
        message: 'streaming not supported for /responses/compact',
      });
    return undefined;
  }
  if (upstream.countTokens === 'remote') {
    // Not worth a fast path: what cannot be read is told here and not asked upstream.
    client.neutral();
    return undefined;
  }
  const body = protocols['openai-chat'].encodeRequest(client.neutral(), {
    model: picked.candidate.upstreamModel,
    stream: false,
    provider: 'openai-compatibility',
  });
  return tokenCountAnswer(client.protocolId, estimateTokens(picked.candidate.upstreamModel, body));
}
