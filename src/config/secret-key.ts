// The management key at rest: bcrypt, cost 10, in the form the reference writes (spec/config.md §1 step 5).
const cost = 10;

/** `$2a$10$…`. Loads bcrypt only when a plain key is there. */
export async function hashSecretKey(plain: string): Promise<string> {
  const { default: bcrypt } = await import('bcryptjs');
  // `$2a$` and `$2b$` are the same function here; the reference writes `$2a$`.
  const salt = (await bcrypt.genSalt(cost)).replace(/^\$2b\$/, '$2a$');
  return bcrypt.hash(plain, salt);
}

/** True when `key` is the one behind `hash` (`$2a$`, `$2b$`, `$2y$`). */
export async function matchesSecretKey(key: string, hash: string): Promise<boolean> {
  const { default: bcrypt } = await import('bcryptjs');
  return bcrypt.compare(key, hash.replace(/^\$2y\$/, '$2b$'));
}
