// Masks secrets in configuration answers, and puts them back when a masked list is sent in again (R10).
import { mask as cut } from '../../secret.ts';

type Json = unknown;

/** A mask may end in half a character: JSON has no such thing (RFC 8259 §8.2). */
export function mask(text: string): string {
  return cut(text).toWellFormed();
}

const secretNames = new Set([
  'api-key',
  'api-keys',
  'upstream-api-key',
  'secret-key',
  'hash',
  'client-secret',
  'access_token',
  'refresh_token',
  'id_token',
  'cookie',
  'private_key',
]);
const secretHeader = /authorization|api-?key|token|secret|cookie|password/i;

/** The URL's user and password are secrets, the rest is not. */
function redactedUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)([^/@]*)@/i, (_all, scheme: string, user: string) => {
    return `${scheme}${user.includes(':') ? `${user.split(':')[0]}:...` : '...'}@`;
  });
}

function maskedText(name: string, inHeaders: boolean, value: string): string {
  if (value === '') return value;
  if (inHeaders) return secretHeader.test(name) ? mask(value) : value;
  if (secretNames.has(name)) return mask(value);
  return name === 'proxy-url' || name === 'proxy_url' ? redactedUrl(value) : value;
}

/** A copy with every secret masked; `name` is the key the value stands under. */
export function redacted(name: string, value: Json, inHeaders = false): Json {
  if (typeof value === 'string') return maskedText(name, inHeaders, value);
  if (Array.isArray(value)) return value.map((item) => redacted(name, item, inHeaders));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, redacted(key, member, inHeaders || name === 'headers')]),
  );
}

interface Stored {
  place: string;
  masked: string;
  original: string;
  taken: boolean;
}

function secretsOf(name: string, value: Json, inHeaders: boolean, found: Stored[]): void {
  if (typeof value === 'string') {
    const masked = maskedText(name, inHeaders, value);
    // One that is its own mask counts too: the order tells equal masks apart.
    const secret = inHeaders ? secretHeader.test(name) : secretNames.has(name);
    if (secret || masked !== value)
      found.push({ place: placeOf(name, inHeaders), masked, original: value, taken: false });
  } else if (Array.isArray(value)) {
    for (const item of value) secretsOf(name, item, inHeaders, found);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) secretsOf(key, member, inHeaders || name === 'headers', found);
  }
}

const placeOf = (name: string, inHeaders: boolean): string => (inHeaders ? `header ${name}` : name);

/**
 * `incoming` with each masked value replaced by the secret it stands for in `stored`. Two secrets with the same mask
 * are told apart by their order.
 */
export function unmasked(name: string, incoming: Json, stored: Json): Json {
  const known: Stored[] = [];
  secretsOf(name, stored, false, known);
  const restore = (key: string, value: Json, inHeaders: boolean): Json => {
    if (typeof value === 'string') {
      const fits = known.filter((secret) => secret.place === placeOf(key, inHeaders) && secret.masked === value);
      const match = fits.find((secret) => !secret.taken) ?? fits[0];
      if (!match) return value;
      match.taken = true;
      return match.original;
    }
    if (Array.isArray(value)) return value.map((item) => restore(key, item, inHeaders));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([member, inner]) => [member, restore(member, inner, inHeaders || key === 'headers')]),
    );
  };
  return restore(name, incoming, false);
}
