// How long an upstream asks us to wait: every hint that providers are known to give (upstreams.md §8 row 12).
import type { Json, JsonObject } from '../protocols/neutral.ts';
import type { QuotaReport, UpstreamResponse } from './provider.ts';

type Headers = UpstreamResponse['headers'];

/** Wait in ms from `now`, from the most specific source; undefined when nothing is said. Never negative. */
export function retryHint(headers: Headers, body: JsonObject | undefined, now: number): number | undefined {
  const wait =
    bodyHint(body, now) ??
    unifiedReset(headers, now) ??
    positive(milliseconds(first(headers['retry-after-ms']))) ??
    retryAfter(first(headers['retry-after']), now) ??
    rateLimitReset(headers, now);
  return wait === undefined ? undefined : Math.max(0, Math.ceil(wait));
}

/** Hints in the error body: Google's details, Codex' usage limits, "after 7s" in the message. */
export function bodyHint(body: JsonObject | undefined, now: number): number | undefined {
  const error = object(body?.error) ?? body;
  if (!error) return undefined;
  return googleDetails(error.details) ?? usageLimitReset(error, now) ?? afterSeconds(error.message);
}

/** `google.rpc.RetryInfo.retryDelay` (`"0.847s"`), then `google.rpc.ErrorInfo.metadata.quotaResetDelay` (`"373.8ms"`). */
function googleDetails(details: Json | undefined): number | undefined {
  if (!Array.isArray(details)) return undefined;
  const rows = details.map(object).filter((row) => row !== undefined);
  const typed = (suffix: string) => rows.find((row) => String(row['@type'] ?? '').endsWith(suffix));
  return (
    goDuration(typed('google.rpc.RetryInfo')?.retryDelay) ??
    goDuration(object(typed('google.rpc.ErrorInfo')?.metadata)?.quotaResetDelay)
  );
}

/** Codex: `resets_at` in Unix seconds, before `resets_in_seconds`. */
function usageLimitReset(error: JsonObject, now: number): number | undefined {
  const at = number(error.resets_at);
  if (at !== undefined && at * 1000 > now) return at * 1000 - now;
  const seconds = number(error.resets_in_seconds);
  return seconds !== undefined && seconds > 0 ? seconds * 1000 : undefined;
}

function afterSeconds(message: Json | undefined): number | undefined {
  const match = typeof message === 'string' ? /\bafter (\d+(?:\.\d+)?)\s?s\b/i.exec(message) : null;
  return match ? Number(match[1]) * 1000 : undefined;
}

/** Anthropic's subscription windows: until the last reset among the windows that reject. */
export function unifiedReset(headers: Headers, now: number): number | undefined {
  let latest: number | undefined;
  for (const window of ['', '-5h', '-7d']) {
    if (first(headers[`anthropic-ratelimit-unified${window}-status`])?.toLowerCase() !== 'rejected') continue;
    const reset = Number(first(headers[`anthropic-ratelimit-unified${window}-reset`])) * 1000;
    if (reset > now) latest = Math.max(latest ?? 0, reset);
  }
  return latest === undefined ? undefined : latest - now;
}

/** `Retry-After` (RFC 9110 §10.2.3): seconds or an HTTP date. */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return positive(Number(value) * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : positive(date - now);
}

/** `x-ratelimit-reset`, `x-ratelimit-reset-requests` …: of the exhausted limits when it is told which, else of all. */
function rateLimitReset(headers: Headers, now: number): number | undefined {
  const resets = Object.keys(headers)
    .filter((name) => name.startsWith('x-ratelimit-reset'))
    .map((name) => ({
      wait: resetValue(first(headers[name]), now),
      remaining: first(headers[name.replace('-reset', '-remaining')]),
    }))
    .filter((row) => row.wait !== undefined);
  const exhausted = resets.filter((row) => row.remaining !== undefined && Number(row.remaining) <= 0);
  const waits = (exhausted.length > 0 ? exhausted : resets).map((row) => row.wait ?? 0);
  return waits.length > 0 ? Math.max(...waits) : undefined;
}

/** Seconds, Unix seconds, Unix ms, a Go duration (`6m0s`) or a date. */
function resetValue(value: string | undefined, now: number): number | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  const plain = Number(value);
  if (!Number.isNaN(plain)) {
    if (plain > 1e12) return positive(plain - now);
    return positive(plain > 1e9 ? plain * 1000 - now : plain * 1000);
  }
  const duration = goDuration(value);
  if (duration !== undefined) return duration;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : positive(date - now);
}

const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000001 };

/** Go's duration text (`1h2m3s`, `373.8ms`) in ms; undefined for anything else. */
export function goDuration(value: Json | undefined): number | undefined {
  if (typeof value !== 'string' || !/^(\d+(\.\d+)?(h|ms|m|us|µs|ns|s))+$/.test(value)) return undefined;
  let total = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)/g)) {
    total += Number(amount) * (units[unit as string] as number);
  }
  return total;
}

/** What a successful answer tells about the quota left, for quota-aware selection. */
export function quotaReport(headers: Headers, now: number): QuotaReport | undefined {
  if (!tellsQuota(headers)) return undefined;
  const windows = [...unifiedWindows(headers), ...codexWindows(headers, now), ...countedLimits(headers, now)];
  return windows.toSorted((a, b) => (a.remaining ?? 1) - (b.remaining ?? 1))[0];
}

/** Most answers say nothing: not worth a dozen look-ups each. */
function tellsQuota(headers: Headers): boolean {
  for (const name in headers) if (/^(?:x-ratelimit|anthropic-ratelimit|x-codex)-/.test(name)) return true;
  return false;
}

function unifiedWindows(headers: Headers): QuotaReport[] {
  return ['-5h', '-7d'].flatMap((window) => {
    const used = fraction(first(headers[`anthropic-ratelimit-unified${window}-utilization`]));
    if (used === undefined) return [];
    const reset = Number(first(headers[`anthropic-ratelimit-unified${window}-reset`]));
    return [{ remaining: 1 - used, resetAt: reset > 0 ? reset * 1000 : undefined }];
  });
}

function codexWindows(headers: Headers, now: number): QuotaReport[] {
  return ['primary', 'secondary'].flatMap((window) => {
    const used = Number(first(headers[`x-codex-${window}-used-percent`]) ?? Number.NaN);
    if (Number.isNaN(used)) return [];
    const seconds = Number(first(headers[`x-codex-${window}-reset-after-seconds`]) ?? Number.NaN);
    return [
      {
        remaining: Math.min(1, Math.max(0, 1 - used / 100)),
        resetAt: Number.isNaN(seconds) ? undefined : now + seconds * 1000,
      },
    ];
  });
}

function countedLimits(headers: Headers, now: number): QuotaReport[] {
  return ['requests', 'tokens'].flatMap((kind) => {
    const limit = Number(first(headers[`x-ratelimit-limit-${kind}`]) ?? Number.NaN);
    const left = Number(first(headers[`x-ratelimit-remaining-${kind}`]) ?? Number.NaN);
    if (!(limit > 0) || Number.isNaN(left)) return [];
    const wait = resetValue(first(headers[`x-ratelimit-reset-${kind}`]), now);
    return [
      { remaining: Math.min(1, Math.max(0, left / limit)), resetAt: wait === undefined ? undefined : now + wait },
    ];
  });
}

function fraction(value: string | undefined): number | undefined {
  const parsed = Number(value ?? Number.NaN);
  return Number.isNaN(parsed) ? undefined : Math.min(1, Math.max(0, parsed));
}

function milliseconds(value: string | undefined): number | undefined {
  const parsed = Number(value ?? Number.NaN);
  return Number.isNaN(parsed) ? undefined : parsed;
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function number(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function object(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
