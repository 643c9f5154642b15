// Is this key one of ours? bcrypt once, then a cached digest; every comparison in constant time (auth.md R15).
import { createHash, timingSafeEqual } from 'node:crypto';
import bcrypt from 'bcryptjs';
import type { Config } from '../../config/index.ts';
import { recognizesKey, rememberKey } from '../../config/secret-key.ts';
import type { Scope } from './route.ts';

export interface KeySources {
  config(): Config;
  envPassword?: string;
  localPassword?: string;
}

export interface KeyMatch {
  scope: Scope;
  /** First 8 hex of the key's SHA-256. */
  keyId: string;
}

interface StoredKey {
  hash: string;
  scope: Scope;
}

const bcryptPrefix = /^\$2[aby]\$/;
/** bcrypt reads no more bytes than this: longer keys would match on their first 72. */
export const maxKeyBytes = 72;
const maxRemembered = 256;

export function isHashed(secret: string): boolean {
  return bcryptPrefix.test(secret);
}

/** Same form as the reference writes: `$2a$`, cost 10. Throws for more than 72 bytes. */
export async function hashKey(secret: string): Promise<string> {
  if (Buffer.byteLength(secret) > maxKeyBytes) throw new RangeError('bcrypt: password length exceeds 72 bytes');
  return (await bcrypt.hash(secret, 10)).replace(/^\$2b\$/, '$2a$');
}

export function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

export function keyId(key: string): string {
  return digest(key).toString('hex').slice(0, 8);
}

function equal(key: Buffer, secret: string | undefined): boolean {
  return secret !== undefined && secret !== '' && timingSafeEqual(key, digest(secret));
}

function remoteManagement(config: Config): Record<string, unknown> {
  const section = config['remote-management'];
  return typeof section === 'object' && section !== null ? (section as Record<string, unknown>) : {};
}

/** `secret-key` and the entries of `management-keys`. */
export function storedKeys(config: Config): StoredKey[] {
  const section = remoteManagement(config);
  const keys: StoredKey[] = [];
  const secret = section['secret-key'];
  if (typeof secret === 'string' && secret !== '') keys.push({ hash: secret, scope: 'admin' });
  const more = section['management-keys'] ?? config['management-keys'];
  for (const entry of Array.isArray(more) ? (more as unknown[]) : []) {
    if (typeof entry !== 'object' || entry === null) continue;
    const { hash, scope } = entry as { hash?: unknown; scope?: unknown };
    if (typeof hash === 'string' && hash !== '') keys.push({ hash, scope: scope === 'admin' ? 'admin' : 'viewer' });
  }
  return keys;
}

export class ManagementKeys {
  readonly #sources: KeySources;
  /** hex digest of key and stored hash → the outcome of the bcrypt comparison. Holds no key. */
  readonly #compared = new Map<string, boolean>();
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(sources: KeySources) {
    this.#sources = sources;
  }

  /** Whether any way in exists; when not, management answers 404. */
  enabled(): boolean {
    const { envPassword, localPassword, config } = this.#sources;
    return Boolean(envPassword) || Boolean(localPassword) || storedKeys(config()).length > 0;
  }

  /** The cheap part: passwords of the process and keys seen before. `undefined`: only bcrypt can tell. */
  known(key: string, local: boolean): KeyMatch | false | undefined {
    const hashed = digest(key);
    const id = hashed.toString('hex').slice(0, 8);
    const env = equal(hashed, this.#sources.envPassword);
    const own = equal(hashed, this.#sources.localPassword) && local;
    if (env || own) return { scope: 'admin', keyId: id };
    let open = false;
    for (const stored of storedKeys(this.#sources.config())) {
      if (!isHashed(stored.hash)) {
        if (equal(hashed, stored.hash)) return { scope: stored.scope, keyId: id };
        continue;
      }
      const outcome = this.#compared.get(memoryKey(hashed, stored.hash));
      if (outcome) return { scope: stored.scope, keyId: id };
      // A key that never came in before is let in by a comparison only, so that a ban slows down the right one too.
      if (outcome === undefined && recognizesKey(key, stored.hash) !== false) open = true;
    }
    return open && Buffer.byteLength(key) <= maxKeyBytes ? undefined : false;
  }

  /** The expensive part, one comparison at a time; false at once when too many wait. */
  async compare(key: string): Promise<KeyMatch | false> {
    if (this.#waiting >= 32) return false;
    this.#waiting++;
    const turn = this.#queue.then(() => this.#compareNow(key));
    this.#queue = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async #compareNow(key: string): Promise<KeyMatch | false> {
    const hashed = digest(key);
    for (const stored of storedKeys(this.#sources.config()).filter(({ hash }) => isHashed(hash))) {
      const memory = memoryKey(hashed, stored.hash);
      let outcome = this.#compared.get(memory);
      if (outcome === undefined) {
        outcome = recognizesKey(key, stored.hash) ?? (await bcrypt.compare(key, stored.hash).catch(() => false));
        this.#remember(memory, outcome);
        if (outcome) rememberKey(key, stored.hash);
      }
      if (outcome) return { scope: stored.scope, keyId: hashed.toString('hex').slice(0, 8) };
    }
    return false;
  }

  #remember(memory: string, outcome: boolean): void {
    if (this.#compared.size >= maxRemembered) {
      for (const [old, accepted] of this.#compared) {
        if (accepted) continue;
        this.#compared.delete(old);
        break;
      }
    }
    if (this.#compared.size < maxRemembered * 2) this.#compared.set(memory, outcome);
  }
}

function memoryKey(key: Buffer, hash: string): string {
  return createHash('sha256').update(key).update(hash).digest('hex');
}

/** Where the key may stand in a request (management-api.md §2.2). `Authorization` wins when it is not empty. */
export function keyOfRequest(headers: Record<string, string | string[] | undefined>): string {
  const authorization = first(headers.authorization).trim();
  if (authorization !== '') {
    const bearer = /^bearer\s+(.+)$/is.exec(authorization);
    return (bearer?.[1] ?? authorization).trim();
  }
  return first(headers['x-management-key']).trim();
}

function first(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}
