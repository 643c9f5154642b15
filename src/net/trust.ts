// Extra certificate authorities from the environment, for users behind a TLS-inspecting proxy and for tests.
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

/** Go and OpenSSL programs read the second, Node programs the first: users have either set. */
const variables = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'] as const;

/**
 * Adds the certificates of these files to the ones every TLS connection of the process trusts. Call once, before the
 * first connection: a single executable does not read NODE_EXTRA_CA_CERTS reliably by itself. `warn` gets one line per
 * file that cannot be used.
 */
export function trustExtraAuthorities(env: NodeJS.ProcessEnv, warn: (line: string) => void): void {
  const extra: string[] = [];
  for (const name of variables) {
    const file = env[name];
    if (!file) continue;
    try {
      const found = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
      if (found === null) warn(`${name} names a file without certificates: ${file}`);
      else extra.push(...found);
    } catch (error) {
      warn(`${name} cannot be read: ${file} (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  if (extra.length === 0) return;
  const known = new Set(tls.getCACertificates('default'));
  const missing = [...new Set(extra)].filter(
    (certificate) => !known.has(`${certificate}\n`) && !known.has(certificate),
  );
  if (missing.length === 0) return;
  try {
    tls.setDefaultCACertificates([...known, ...missing]);
  } catch (error) {
    warn(`certificates of NODE_EXTRA_CA_CERTS or SSL_CERT_FILE are broken (${(error as NodeJS.ErrnoException).code})`);
  }
}
