// Arithmetic of usage records: cleaning, keys, days and hours, sums (management-api.md §15).
import type { UsageDetail, UsageGroup, UsageSnapshot, UsageTokens } from './usage-types.ts';

export interface Bucket {
  requests: number;
  failed: number;
  input_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  cached_tokens: number;
  total_tokens: number;
}

export const emptyBucket = (): Bucket => ({
  requests: 0,
  failed: 0,
  input_tokens: 0,
  output_tokens: 0,
  reasoning_tokens: 0,
  cached_tokens: 0,
  total_tokens: 0,
});

export function addTo(table: Record<string, number>, key: string, amount: number): void {
  table[key] = (table[key] ?? 0) + amount;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `YYYY-MM-DD` in the server's own zone. */
export function localDay(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `00` to `23`, summed over all days. */
export function localHour(at: number): string {
  return two(new Date(at).getHours());
}

function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.trunc(value) : 0;
}

/** Total as told, else input + output + reasoning, else that + cached (§15). */
export function cleanTokens(tokens: unknown): UsageTokens {
  const given = (typeof tokens === 'object' && tokens !== null ? tokens : {}) as Record<string, unknown>;
  const clean = {
    input_tokens: amount(given.input_tokens),
    output_tokens: amount(given.output_tokens),
    reasoning_tokens: amount(given.reasoning_tokens),
    cached_tokens: amount(given.cached_tokens),
  };
  const sum = clean.input_tokens + clean.output_tokens + clean.reasoning_tokens;
  return { ...clean, total_tokens: amount(given.total_tokens) || sum || clean.cached_tokens };
}

const zeroTime = /^0001-01-01/;
const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 256) : '');

/** Any record, ours or imported, in the stored form. */
export function clean(record: object, now: number): UsageDetail {
  const given = record as Record<string, unknown>;
  const stamp = text(given.timestamp);
  const usable = stamp !== '' && !zeroTime.test(stamp) && !Number.isNaN(Date.parse(stamp));
  const detail: UsageDetail = {
    timestamp: usable ? stamp : new Date(now).toISOString(),
    latency_ms: amount(given.latency_ms ?? given.latencyMs),
    source: text(given.source),
    auth_index: text(given.auth_index ?? given.authIndex),
    tokens: cleanTokens(given.tokens),
    failed: given.failed === true,
  };
  const alias = text(given.alias);
  return alias === '' ? detail : { ...detail, alias };
}

/** What makes two records of one api and model the same; latency is not part of it (recording 474). */
export function detailKey(detail: UsageDetail): string {
  return JSON.stringify([
    Date.parse(detail.timestamp),
    detail.source,
    detail.auth_index,
    detail.failed,
    Object.values(cleanTokens(detail.tokens)),
  ]);
}

export function groupRecords(
  usage: UsageSnapshot,
  by: UsageGroup,
  from = 0,
  to = Number.POSITIVE_INFINITY,
): Record<string, Bucket> {
  const groups = new Map<string, Bucket>();
  for (const [api, perApi] of Object.entries(usage.apis)) {
    for (const [model, perModel] of Object.entries(perApi.models)) {
      for (const detail of perModel.details) {
        const at = Date.parse(detail.timestamp);
        if (at < from || at >= to) continue;
        const key = groupKey(by, api, model, detail, at);
        const bucket = groups.get(key) ?? emptyBucket();
        groups.set(key, bucket);
        bucket.requests += 1;
        if (detail.failed) bucket.failed += 1;
        for (const name of Object.keys(detail.tokens) as (keyof UsageTokens)[]) bucket[name] += detail.tokens[name];
      }
    }
  }
  return Object.fromEntries([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function groupKey(by: UsageGroup, api: string, model: string, detail: UsageDetail, at: number): string {
  switch (by) {
    case 'api':
      return api;
    case 'model':
      return model;
    case 'alias':
      return detail.alias ?? model;
    case 'credential':
      return detail.auth_index;
    case 'day':
      return localDay(at);
    case 'hour':
      return `${localDay(at)}T${localHour(at)}`;
  }
}
