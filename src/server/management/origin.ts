// Browsers: which pages may read answers (CORS), which may write (Origin), and under which names we answer (Host) (R9).
import { isIP } from 'node:net';
import { isLoopback, plainAddress } from './client-address.ts';

const allowHeaders = 'Authorization, Content-Type, If-Match, If-None-Match, X-Management-Key, Last-Event-ID';
const exposeHeaders =
  'ETag, X-CPA-VERSION, X-CPA-COMMIT, X-CPA-BUILD-DATE, X-Request-Id, Retry-After, Content-Disposition';

export type OriginVerdict = 'none' | 'same' | 'allowed' | 'foreign';

export function originVerdict(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): OriginVerdict {
  if (origin === undefined || origin === '') return 'none';
  let url: URL;
  try {
    url = new URL(origin);
  } catch {
    return 'foreign';
  }
  if (host !== undefined && url.host === normalHost(host, url.protocol)) return 'same';
  return allowed.some((entry) => entry.trim().replace(/\/$/, '').toLowerCase() === url.origin) ? 'allowed' : 'foreign';
}

/** Lower case, without the default port of the scheme. */
function normalHost(host: string, protocol: string): string {
  try {
    return new URL(`${protocol}//${host}`).host;
  } catch {
    return host;
  }
}

export function corsHeaders(verdict: OriginVerdict, origin: string | undefined): Record<string, string> {
  if (verdict !== 'allowed' || origin === undefined) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': exposeHeaders,
  };
}

export function preflightHeaders(methods: readonly string[]): Record<string, string> {
  return {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': allowHeaders,
    'access-control-max-age': '600',
  };
}

/** DNS rebinding: a page that made its own name point at loopback still sends that name in `Host`. */
export function hostAllowed(host: string | undefined, bindHost: string, allowed: readonly string[]): boolean {
  if (host === undefined) return true;
  const name = hostName(host);
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (isIP(name) !== 0) return isLoopback(name) || name === plainAddress(bindHost) || isAnyAddress(bindHost);
  return name === bindHost.toLowerCase() || allowed.some((entry) => hostName(entry.trim()) === name);
}

/** An address cannot be rebound: with a bind to all interfaces any of our own is fine. */
function isAnyAddress(bindHost: string): boolean {
  return bindHost === '' || bindHost === '0.0.0.0' || bindHost === '::';
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return plainAddress(bracketed?.[1] ?? host.replace(/:\d*$/, '')).toLowerCase();
}
