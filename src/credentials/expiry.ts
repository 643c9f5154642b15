// When a credential file says that its token ends, was refreshed, or wants to be refreshed (auth.md §4.1). Pure.
import { milliseconds } from '../config/index.ts';
import type { Json, JsonObject } from '../protocols/neutral.ts';

/** Order matters: the first key with a readable time wins. */
const expiryKeys = ['expired', 'expire', 'expires_at', 'expiresAt', 'expiry', 'expires'] as const;
const lastRefreshKeys = ['last_refresh', 'lastRefresh', 'last_refreshed_at', 'lastRefreshedAt'] as const;
const intervalKeys = [
  'refresh_interval_seconds',
  'refreshIntervalSeconds',
  'refresh_interval',
  'refreshInterval',
] as const;

/** Numbers above this are ms, below s: 10^12 s is the year 33658, 10^12 ms is 2001. */
const msThreshold = 1e12;

/** Unix ms when the token ends: top-level keys first, then those of a nested `token`. */
export function readExpiry(fields: JsonObject): number | undefined {
  return firstInstant(fields, expiryKeys) ?? nested(fields, (token) => firstInstant(token, expiryKeys));
}

/** Unix ms of the last refresh. */
export function readLastRefresh(fields: JsonObject): number | undefined {
  return firstInstant(fields, lastRefreshKeys) ?? nested(fields, (token) => firstInstant(token, lastRefreshKeys));
}

/** The file's own refresh interval in ms: a number of seconds, or a duration such as `90m`. */
export function readRefreshInterval(fields: JsonObject): number | undefined {
  for (const key of intervalKeys) {
    const value = fields[key];
    const ms = typeof value === 'number' || typeof value === 'string' ? milliseconds(String(value)) : undefined;
    if (ms !== undefined && ms > 0) return ms;
  }
  return undefined;
}

/**
 * Unix ms of one written time: RFC 3339 (any number of decimals), `YYYY-MM-DD HH:mm[:ss]` without a zone read as UTC,
 * Unix seconds or milliseconds as number or digits.
 */
export function parseInstant(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return fromUnix(value);
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return fromUnix(Number(text));
  const match = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2})?(\.\d+)?\s?([Zz]|[+-]\d{2}:?\d{2})?$/.exec(text);
  if (match === null) return undefined;
  const [, date, minutes, seconds = ':00', fraction = '', zone = 'Z'] = match;
  // ECMAScript promises three decimals only; Go writes nine.
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
  const ms = Date.parse(`${date}T${minutes}${seconds}${fraction.slice(0, 4)}${offset}`);
  // Go's zero time, `0001-01-01T00:00:00Z`, means "not known".
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}

/** RFC 3339 in UTC with whole seconds, as all our files are written. */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function fromUnix(value: number): number | undefined {
  if (!Number.isFinite(value) || value <= 0) return undefined;
  const ms = value >= msThreshold ? value : value * 1_000;
  return ms <= 8.64e15 ? ms : undefined;
}

function firstInstant(fields: JsonObject, keys: readonly string[]): number | undefined {
  for (const key of keys) {
    const instant = parseInstant(fields[key]);
    if (instant !== undefined) return instant;
  }
  return undefined;
}

function nested<T>(fields: JsonObject, read: (token: JsonObject) => T | undefined): T | undefined {
  for (const key of ['token', 'Token']) {
    const token = fields[key];
    if (token !== null && typeof token === 'object' && !Array.isArray(token)) {
      const found = read(token);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
