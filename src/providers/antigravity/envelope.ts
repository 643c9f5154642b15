// The envelope of an Antigravity request (upstreams.md §2.8).
import { createHash, randomUUID } from 'node:crypto';
import type { JsonObject } from '../../protocols/neutral.ts';
import { arrayOf, objectOf, textOf } from '../fields.ts';
import type { UpstreamCall } from '../provider.ts';

/** What the account pays with when `enabledCreditTypes` names it. */
const creditType = 'GOOGLE_ONE_AI';

export interface EnvelopeOptions {
  project: string;
  /** Spend the account's paid credits. */
  credits: boolean;
}

export function envelope(body: JsonObject, call: UpstreamCall, options: EnvelopeOptions): JsonObject {
  const { model: _, stream: __, safetySettings: ___, ...request } = body;
  if (call.operation === 'count-tokens') return { request };
  const image = call.model.includes('image');
  return {
    project: options.project,
    model: call.model,
    request: image ? request : { ...request, sessionId: sessionId(request) },
    requestType: image ? 'image_gen' : 'agent',
    requestId: image ? `image_gen/${call.now()}/${randomUUID()}/12` : `agent-${randomUUID()}`,
    // A label in the body, not a header; ours says who we are.
    userAgent: 'cliproxy',
    ...(options.credits ? { enabledCreditTypes: [creditType] } : {}),
  };
}

/**
 * The same conversation has the same id, so that the service can reuse its cache: `-` and the first 8 bytes of
 * SHA-256 over the first user text, as a non-negative 63-bit integer.
 */
export function sessionId(request: JsonObject): string {
  const digest = createHash('sha256').update(firstUserText(request)).digest();
  return `-${digest.readBigUInt64BE(0) & 0x7fff_ffff_ffff_ffffn}`;
}

function firstUserText(request: JsonObject): string {
  for (const item of arrayOf(request.contents)) {
    const content = objectOf(item);
    if (content?.role !== 'user') continue;
    for (const part of arrayOf(content.parts)) {
      const text = objectOf(part)?.text;
      if (textOf(text) !== '') return text as string;
    }
  }
  return '';
}
