// The management key at rest: bcrypt, cost 10, in the form the reference writes (spec/config.md §1 step 5).
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const cost = 10;

/** bcrypt hash → what its key looks like to this process. Useless outside of it: neither the key nor a hash of it. */
const recognized = new Map<string, Buffer>();
let ownSecret: Buffer | undefined;

function impression(key: string): Buffer {
  ownSecret ??= randomBytes(32);
  return createHmac('sha256', ownSecret).update(key).digest();
}

/** `key` is the one behind `hash`: other keys are told apart at once from now on, without a bcrypt run for each guess. */
export function rememberKey(key: string, hash: string): void {
  if (recognized.size >= 64) recognized.clear();
  recognized.set(hash, impression(key));
}

/** Undefined: only bcrypt can tell. */
export function recognizesKey(key: string, hash: string): boolean | undefined {
  const known = recognized.get(hash);
  return known && timingSafeEqual(known, impression(key));
}

/** `$2a$10$…`. Loads bcrypt only when a plain key is there. */
export async function hashSecretKey(plain: string): Promise<string> {
  const { default: bcrypt } = await import('bcryptjs');
  // `$2a$` and `$2b$` are the same function here; the reference writes `$2a$`.
  const salt = (await bcrypt.genSalt(cost)).replace(/^\$2b\$/, '$2a$');
  const hash = await bcrypt.hash(plain, salt);
  rememberKey(plain, hash);
  return hash;
}

/** True when `key` is the one behind `hash` (`$2a$`, `$2b$`, `$2y$`). */
export async function matchesSecretKey(key: string, hash: string): Promise<boolean> {
  const { default: bcrypt } = await import('bcryptjs');
  return bcrypt.compare(key, hash.replace(/^\$2y\$/, '$2b$'));
}
