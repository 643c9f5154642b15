// Extra certificate authorities from SSL_CERT_FILE, for users behind a TLS-inspecting proxy.
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

/**
 * Adds the certificates of `SSL_CERT_FILE` (what Go and OpenSSL programs read) to the ones every TLS connection of the
 * process trusts. `NODE_EXTRA_CA_CERTS` is read by Node itself, in a single executable too (tried with 26.10). Call
 * once, before the first connection. `warn` gets one line when the file cannot be used.
 */
export function trustExtraAuthorities(env: NodeJS.ProcessEnv, warn: (line: string) => void): void {
  const file = env.SSL_CERT_FILE;
  // Reading the built-in list takes some 10 ms: not when there is nothing to add.
  if (!file || file === env.NODE_EXTRA_CA_CERTS) return;
  try {
    const found = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
    if (found === null) {
      warn(`SSL_CERT_FILE holds no certificates: ${file}`);
      return;
    }
    tls.setDefaultCACertificates([...new Set([...tls.getCACertificates('default'), ...found])]);
  } catch (error) {
    warn(`SSL_CERT_FILE cannot be used: ${file} (${(error as NodeJS.ErrnoException).code})`);
  }
}
