// Which client keys open the client routes. Source: spec/routing.md §16.
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Digest under which a key is known everywhere else: logs, cache ids, limits. Never the key itself. */
export function keyDigest(key: string): string {
  return hash('sha256', key, 'hex');
}

export interface KeyRing {
  /** No keys at all: everybody is let in (and the server listens on loopback unless told otherwise). */
  readonly open: boolean;
  /** Digest of the first presented key that is known; `''` when no key is asked for; undefined when none fits. */
  check(request: IncomingMessage): string | undefined;
}

/**
 * Keys are known by their digests only: a lookup by digest takes the same time however much of a guess was right, and
 * no plain key is compared, or kept.
 */
export function keyRing(keys: readonly string[]): KeyRing {
  const known = new Set(keys.map(keyDigest));
  if (known.size === 0) return { open: true, check: () => '' };
  return {
    open: false,
    check(request) {
      for (const key of presentedKeys(request)) {
        const digest = keyDigest(key);
        if (known.has(digest)) return digest;
      }
      return undefined;
    },
  };
}

/** Everything that may be a key, in the order of the sheet. */
export function presentedKeys(request: IncomingMessage): string[] {
  const { headers } = request;
  const keys: string[] = [];
  const authorization = headers.authorization?.trim();
  if (authorization) keys.push(bearerToken(authorization));
  for (const name of ['x-goog-api-key', 'x-api-key'] as const) {
    const value = headers[name];
    if (typeof value === 'string' && value.trim() !== '') keys.push(value.trim());
  }
  const url = request.url ?? '';
  const query = url.indexOf('?');
  if (query < 0) return keys;
  const parameters = new URLSearchParams(url.slice(query + 1));
  for (const name of ['key', 'auth_token']) {
    const value = parameters.get(name)?.trim();
    if (value) keys.push(value);
  }
  return keys;
}

/** What follows `Bearer`; the whole value when it names no scheme. */
function bearerToken(authorization: string): string {
  if (authorization.startsWith('Bearer ')) return authorization.slice(7).trim();
  const bearer = /^bearer\s+(.+)$/i.exec(authorization);
  return bearer ? (bearer[1] as string).trim() : authorization;
}
