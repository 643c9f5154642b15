// The secrets of one credential, so that texts which quote them can be cleaned before they are written anywhere.
import type { Credential } from '../credentials/credential.ts';

const secretField = /token|secret|password|cookie|private_key|api_?-?key|bxauth/i;
const known = new WeakMap<Credential, readonly string[]>();

export function secretsOf(credential: Credential): readonly string[] {
  let secrets = known.get(credential);
  if (secrets === undefined) {
    const found = new Set<string>();
    for (const secret of [credential.token, credential.refreshToken]) if (secret) found.add(secret.reveal());
    collect(credential.fields.reveal(), found, 0);
    for (const [name, value] of Object.entries(credential.headers))
      if (/auth|key|token|secret|cookie/i.test(name)) found.add(value);
    secrets = [...found].filter((text) => text.length >= 8);
    known.set(credential, secrets);
  }
  return secrets;
}

function collect(value: unknown, found: Set<string>, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > 4) return;
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner === 'string') {
      if (secretField.test(name) && !/_?type$|_uri$|_url$|expir/i.test(name)) found.add(inner);
    } else collect(inner, found, depth + 1);
  }
}
