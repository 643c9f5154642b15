// What a refusal of Antigravity means for the next try (upstreams.md §2.8).
import type { JsonObject } from '../../protocols/neutral.ts';
import { bodyHint, errorBody } from '../failures.ts';
import { arrayOf, objectOf, textOf } from '../fields.ts';
import type { UpstreamResponse } from '../provider.ts';

/**
 * `full`: the quota is used up until its reset. `instant`, `short`: a rate limit with its wait. `soft`: a 429 that says
 * nothing. `capacity`: a 503, this host is full. `other`: not a matter of quota.
 */
export type RefusalKind = 'full' | 'instant' | 'short' | 'soft' | 'capacity' | 'other';

export interface Refusal {
  kind: RefusalKind;
  /** ms */
  delayMs?: number;
  /** The account has no paid credits either. */
  creditsExhausted: boolean;
}

/** Waits below this are sat out on the same credential, in ms. */
const instantBelowMs = 3_000;
/** Rate limits from this on are quotas in disguise, in ms. */
const fullFromMs = 300_000;

export function readRefusal(response: UpstreamResponse, now: number): Refusal {
  const text = response.body.toLowerCase();
  const creditsExhausted = text.includes('insufficient_g1_credits_balance');
  if (response.status === 503 && text.includes('no capacity available')) return { kind: 'capacity', creditsExhausted };
  if (response.status !== 429) return { kind: 'other', creditsExhausted };
  const body = errorBody(response.body);
  const delayMs = bodyHint(body, now);
  return { kind: kindOf429(body, text, delayMs), creditsExhausted, ...(delayMs === undefined ? {} : { delayMs }) };
}

function kindOf429(body: JsonObject | undefined, text: string, delayMs: number | undefined): RefusalKind {
  if (text.includes('quota_exhausted') || text.includes('insufficient_g1_credits_balance')) return 'full';
  const error = objectOf(body?.error);
  if (error?.status !== 'RESOURCE_EXHAUSTED' || reasonOf(error) !== 'RATE_LIMIT_EXCEEDED') return 'soft';
  if (delayMs === undefined) return 'soft';
  if (delayMs < instantBelowMs) return 'instant';
  return delayMs < fullFromMs ? 'short' : 'full';
}

function reasonOf(error: JsonObject): string {
  const row = arrayOf(error.details)
    .map(objectOf)
    .find((detail) => textOf(detail?.['@type']).endsWith('google.rpc.ErrorInfo'));
  return textOf(row?.reason);
}
