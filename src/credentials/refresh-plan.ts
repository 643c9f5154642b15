// When a credential's token is to be renewed (auth.md §4.3). Pure.
import type { RefreshPolicy } from '../providers/provider.ts';
import type { Credential } from './credential.ts';
import { readRefreshInterval } from './expiry.ts';

/** Between two token calls for one credential, whatever the first one gave (auth.md R10). */
export const minGapMs = 30_000;
const minLeadMs = 60_000;
export const maxBackoffMs = 5 * 60_000;

export type Plan =
  /** Nothing renews it; at `expiresAt`, when known, it is dead. */
  | { readonly kind: 'static'; readonly expiresAt?: number }
  /** Renewed when a request asks for it, never before. */
  | { readonly kind: 'on-request' }
  | { readonly kind: 'due'; readonly at: number };

/** `random`: 0..1, spreads the renewals of many accounts by ±10 % of their lead. */
export function planRefresh(
  credential: Credential,
  policy: RefreshPolicy | undefined,
  now: number,
  random: number,
): Plan {
  const { expiresAt, lastRefreshAt } = credential;
  const fields = credential.fields.reveal();
  if (policy === undefined || !policy.canRefresh(fields)) {
    return expiresAt === undefined ? { kind: 'static' } : { kind: 'static', expiresAt };
  }
  const interval = readRefreshInterval(fields);
  if (policy.leadMs <= 0 && interval === undefined) return { kind: 'on-request' };
  const lead = effectiveLead(interval ?? policy.leadMs, credential) * (0.9 + 0.2 * random);
  const times: number[] = [];
  if (expiresAt !== undefined) times.push(expiresAt - lead);
  // The age of the token counts when its end is unknown, or when the file itself asks for an interval.
  if (lastRefreshAt !== undefined && (expiresAt === undefined || interval !== undefined)) {
    times.push(lastRefreshAt + Math.max(interval ?? policy.leadMs, minLeadMs));
  }
  return { kind: 'due', at: times.length === 0 ? now : Math.min(...times) };
}

/** A token that lives shorter than twice the lead is renewed at half its life: else it would be due at once, for ever. */
function effectiveLead(leadMs: number, { expiresAt, lastRefreshAt }: Credential): number {
  const life = expiresAt !== undefined && lastRefreshAt !== undefined ? expiresAt - lastRefreshAt : 0;
  return Math.max(life > 0 ? Math.min(leadMs, life / 2) : leadMs, minLeadMs);
}

/** Wait after the `failures`-th transient failure in a row, in ms: 30 s, 60 s … 5 min, or what the provider told. */
export function backoff(failures: number, retryAfterMs: number | undefined): number {
  const wait = retryAfterMs ?? minGapMs * 2 ** Math.min(failures - 1, 10);
  return Math.min(Math.max(wait, minGapMs), maxBackoffMs);
}
