// Prompt cache ids towards Codex (upstreams.md §2.3): stable for a client, never shared by two of them.
import { createHash } from 'node:crypto';
import type { JsonObject } from '../../protocols/neutral.ts';
import { optionalText } from '../fields.ts';
import type { UpstreamCall } from '../provider.ts';

/** A Responses client's own key; else one per client key and model; none for clients without a key. */
export function promptCacheId(body: JsonObject, call: UpstreamCall): string | undefined {
  const own = optionalText(body.prompt_cache_key);
  if (own !== undefined || call.client === 'openai-responses') return own;
  return call.clientKey === '' ? undefined : uuidFrom(`cliproxy:codex:${call.clientKey}:${call.model}`);
}

/** A name-based UUID (RFC 9562 §5.8, version 8: our own hash). */
function uuidFrom(name: string): string {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
