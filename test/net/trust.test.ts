import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, it } from 'node:test';
import tls from 'node:tls';
import { trustExtraAuthorities } from '../../src/net/trust.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cliproxy-trust-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
};

it('adds the authorities of SSL_CERT_FILE to the built-in ones and says when it cannot', () => {
  const known = String(tls.getCACertificates('default')[0]);
  const warnings: string[] = [];
  const warn = (line: string) => void warnings.push(line);
  trustExtraAuthorities({}, warn);
  trustExtraAuthorities({ SSL_CERT_FILE: file('known.pem', known) }, warn);
  assert.deepEqual(warnings, []);
  assert.ok(tls.getCACertificates('default').length > 1);
  trustExtraAuthorities({ SSL_CERT_FILE: file('none.pem', 'nothing') }, warn);
  trustExtraAuthorities({ SSL_CERT_FILE: path.join(folder, 'missing.pem') }, warn);
  assert.match(String(warnings[0]), /^SSL_CERT_FILE holds no certificates/);
  assert.match(String(warnings[1]), /^SSL_CERT_FILE cannot be used: .*ENOENT/);
});
