// Which client keys open the client routes. Source: spec/routing.md §16.
import { hash, timingSafeEqual } from 'node:crypto';
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

interface Known {
  digest: string;
  bytes: Buffer;
}

/**
 * Keys are compared as digests: a lookup by digest, confirmed in constant time, tells an attacker nothing about how much
 * of a guess was right.
 */
export function keyRing(keys: readonly string[]): KeyRing {
  const known = new Map<string, Known>();
  for (const key of keys) {
    const bytes = hash('sha256', key, 'buffer');
    known.set(bytes.toString('hex'), { digest: bytes.toString('hex'), bytes });
  }
  if (known.size === 0) return { open: true, check: () => '' };
  return {
    open: false,
    check(request) {
      for (const key of presentedKeys(request)) {
        const bytes = hash('sha256', key, 'buffer');
        const found = known.get(bytes.toString('hex'));
        if (found && timingSafeEqual(found.bytes, bytes)) return found.digest;
      }
      return undefined;
    },
  };
}

/** Everything that may be a key, in the order of the sheet. */
export function* presentedKeys(request: IncomingMessage): Generator<string> {
  const { headers } = request;
  const authorization = headers.authorization?.trim();
  if (authorization) {
    const bearer = /^bearer\s+(.+)$/i.exec(authorization);
    yield bearer ? (bearer[1] as string).trim() : authorization;
  }
  for (const name of ['x-goog-api-key', 'x-api-key'] as const) {
    const value = headers[name];
    if (typeof value === 'string' && value.trim() !== '') yield value.trim();
  }
  const url = request.url ?? '';
  const query = url.indexOf('?');
  if (query < 0) return;
  const parameters = new URLSearchParams(url.slice(query + 1));
  for (const name of ['key', 'auth_token']) {
    const value = parameters.get(name)?.trim();
    if (value) yield value;
  }
}
