// What may be shown of headers, query strings and texts in a log file (spec/config.md §11.2, redaction and OURS).
import { mask } from '../secret.ts';

export type HeaderSet = Readonly<Record<string, string | number | readonly string[] | undefined>>;

const secretName = /api-?key|token|secret|password|signature/i;
const secretQuery = /^(key|code|state|sig|auth)$|api-?key|api_key|token|secret|password/i;

/** The value of one header as a log may show it. Names in any case. */
export function redactHeader(name: string, value: string): string {
  const lower = name.toLowerCase();
  if (lower === 'cookie') return value.split(';').map(maskPair).join('; ');
  if (lower === 'set-cookie' || lower === 'set-cookie2') return maskCookie(value);
  if (lower.includes('authorization')) return maskCredential(value);
  return secretName.test(lower) ? mask(value) : value;
}

/** `Bearer abc…` keeps its scheme. */
function maskCredential(value: string): string {
  const space = value.trim().indexOf(' ');
  if (space < 0) return mask(value.trim());
  const clean = value.trim();
  return `${clean.slice(0, space)} ${mask(clean.slice(space + 1).trim())}`;
}

function maskPair(pair: string): string {
  const equals = pair.indexOf('=');
  if (equals < 0) return mask(pair.trim());
  return `${pair.slice(0, equals).trim()}=${mask(pair.slice(equals + 1).trim())}`;
}

/** The attributes of a set cookie are no secret. */
function maskCookie(value: string): string {
  const [pair = '', ...attributes] = value.split(';');
  return [maskPair(pair), ...attributes.map((attribute) => attribute.trim())].join('; ');
}

/** `Name: value` lines, one per value. */
export function headerLines(headers: HeaderSet): string {
  let text = '';
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? (value as string[]) : [String(value)]) {
      text += `${name}: ${redactHeader(name, one).replace(/[\r\n]+/g, ' ')}\n`;
    }
  }
  return text;
}

/** A URL or path with the secrets of its query masked; everything else as it came. */
export function redactUrl(url: string): string {
  const query = url.indexOf('?');
  if (query < 0) return withoutUserinfo(url);
  const parts = url
    .slice(query + 1)
    .split('&')
    .map((part) => {
      const equals = part.indexOf('=');
      if (equals < 0) return part;
      const name = decoded(part.slice(0, equals)).replace(/\[\]$/, '');
      return secretQuery.test(name) ? `${part.slice(0, equals)}=${mask(decoded(part.slice(equals + 1)))}` : part;
    });
  return `${withoutUserinfo(url.slice(0, query))}?${parts.join('&')}`;
}

function withoutUserinfo(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/i, '$1');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** Shorter values are not searched for: they would be found in ordinary words. */
const shortestSecret = 8;

/** Replaces every occurrence of the given secrets: upstreams like to quote the key they refuse. */
export function scrub(text: string, secrets: Iterable<string>): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length >= shortestSecret && clean.includes(secret)) clean = clean.replaceAll(secret, mask(secret));
  }
  return clean;
}

/** The same over bytes; the chunk itself is given back when there is nothing to replace. */
export function scrubBytes(chunk: Buffer, secrets: Iterable<string>): Buffer {
  let found = false;
  for (const secret of secrets) if (secret.length >= shortestSecret && chunk.includes(secret)) found = true;
  return found ? Buffer.from(scrub(chunk.toString('latin1'), latin(secrets)), 'latin1') : chunk;
}

/** Secrets as they look when UTF-8 bytes are read as Latin-1. */
function* latin(secrets: Iterable<string>): Generator<string> {
  for (const secret of secrets) yield Buffer.from(secret).toString('latin1');
}
