// How new content goes over the old one of a credential file, so that nothing a user set is lost. Pure.
import type { Json, JsonObject } from '../protocols/neutral.ts';

/**
 * Keys that belong to a login and its tokens: a new login replaces them, also by leaving them out (auth.md §6.3).
 * All others stay unless the new login brings a value.
 */
const lifecycleKeys = new Set([
  'access_token',
  'refresh_token',
  'id_token',
  'token',
  'token_type',
  'scope',
  'expired',
  'expires_in',
  'timestamp',
  'last_refresh',
  'api_key',
  'cookie',
  'bx_auth',
]);

/** Settings of the user: a login never changes them when the file already has them. */
const userKeys = new Set([
  'disabled',
  'prefix',
  'proxy_url',
  'priority',
  'weight',
  'note',
  'label',
  'headers',
  'excluded_models',
  'excluded-models',
  'disable_cooling',
  'disable-cooling',
  'request_retry',
  'request-retry',
  'websockets',
]);

/** A new login or upload over an existing file (auth.md R8): the login's tokens, the user's settings. */
export function mergeLogin(existing: JsonObject, login: JsonObject): JsonObject {
  const kept = Object.entries(existing).filter(([key]) => !lifecycleKeys.has(key));
  const settings = Object.entries(existing).filter(([key]) => userKeys.has(key));
  const told = Object.entries(login).filter(([, value]) => !isEmpty(value));
  return Object.fromEntries([...kept, ...told, ...settings]);
}

/** A token answer over the file: only what is not empty counts (auth.md R12). A nested `token` is merged likewise. */
export function mergeRefresh(fresh: JsonObject, answer: JsonObject): JsonObject {
  const merged = new Map(Object.entries(fresh));
  for (const [key, value] of Object.entries(answer)) {
    if (isEmpty(value)) continue;
    const before = merged.get(key);
    merged.set(key, key === 'token' && isObject(before) && isObject(value) ? mergeRefresh(before, value) : value);
  }
  return Object.fromEntries(merged);
}

/** Where a login keeps its secrets: when one of them is another, it is another login. */
const secretKeys = ['access_token', 'refresh_token', 'token', 'api_key', 'cookie'] as const;

/**
 * What `after` changed since `before`, applied to `current`: an edit that someone made meanwhile survives. Members of a
 * nested `token` count one by one. When `current` is another login by now, its tokens win over the ones of `after`.
 */
export function applyChanges(current: JsonObject, before: JsonObject, after: JsonObject): JsonObject {
  const result = new Map(Object.entries(current));
  const otherLogin = secretKeys.some((key) => !sameJson(before[key], current[key]));
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is, now] = [before[key], after[key], current[key]];
    if (sameJson(was, is) || (otherLogin && lifecycleKeys.has(key))) continue;
    if (is === undefined) result.delete(key);
    else if (key === 'token' && isObject(was) && isObject(is) && isObject(now)) {
      result.set(key, applyChanges(now, was, is));
    } else result.set(key, is);
  }
  return Object.fromEntries(result);
}

/** One line, keys sorted at every level, `type` and `disabled` always there (auth.md §1 row 14, §2.7). */
export function serialize(fields: JsonObject): string {
  return JSON.stringify(sorted({ disabled: false, type: '', ...fields }));
}

export function sameJson(left: Json | undefined, right: Json | undefined): boolean {
  return left === right || JSON.stringify(sorted(left)) === JSON.stringify(sorted(right));
}

function sorted(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => sorted(item) as Json);
  if (!isObject(value)) return value;
  // fromEntries defines members, so that a member named `__proto__` stays one.
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key]) as Json]),
  );
}

function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isEmpty(value: Json | undefined): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
}
