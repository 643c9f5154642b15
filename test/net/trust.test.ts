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
  const [known] = tls.getCACertificates('default') as [string];
  const warnings: string[] = [];
  const count = tls.getCACertificates('default').length;
  trustExtraAuthorities({}, (line) => warnings.push(line));
  trustExtraAuthorities({ SSL_CERT_FILE: file('known.pem', known) }, (line) => warnings.push(line));
  assert.deepEqual(warnings, []);
  assert.ok(tls.getCACertificates('default').length >= count);
  trustExtraAuthorities({ SSL_CERT_FILE: file('none.pem', 'nothing') }, (line) => warnings.push(line));
  trustExtraAuthorities({ SSL_CERT_FILE: path.join(folder, 'missing.pem') }, (line) => warnings.push(line));
  assert.match(warnings[0] as string, /^SSL_CERT_FILE holds no certificates/);
  assert.match(warnings[1] as string, /^SSL_CERT_FILE cannot be used: .*ENOENT/);
});
