import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import test from 'node:test';
import { repairPrivateKey } from '../../../src/providers/vertex/private-key.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();

const damaged: [what: string, text: string][] = [
  ['as Google writes it', pkcs8],
  ['as PKCS#1', pkcs1],
  ['with Windows line ends', pkcs8.replaceAll('\n', '\r\n')],
  ['with blanks for line ends', pkcs8.replaceAll('\n', ' ').trim()],
  ['without any line ends', pkcs8.replaceAll('\n', '')],
  ['with written-out \\n', pkcs8.replaceAll('\n', '\\n')],
  ['with terminal colours', `\u001b[32m${pkcs8}\u001b[0m`],
  ['without its frame', pkcs8.replace(/-----[A-Z ]+-----/g, '')],
  ['with the wrong label', pkcs8.replaceAll('PRIVATE KEY', 'RSA PRIVATE KEY')],
  ['indented', pkcs8.replace(/^/gm, '    ')],
];
for (const [what, text] of damaged) {
  test(`a key ${what} becomes clean PKCS#1`, () => {
    assert.equal(repairPrivateKey(text), pkcs1);
  });
}

const { privateKey: elliptic } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const useless: [what: string, text: string, reason: RegExp][] = [
  ['an elliptic curve key', elliptic.export({ type: 'pkcs8', format: 'pem' }).toString(), /not an RSA key/],
  ['a public key', createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(), /cannot be read/],
  ['half a key', pkcs8.slice(0, 400), /cannot be read/],
  ['no key', '???', /not PEM/],
];
for (const [what, text, reason] of useless) {
  test(`${what} is refused without a word of it`, () => {
    assert.throws(
      () => repairPrivateKey(text),
      (error: Error) => reason.test(error.message) && error.message.length < 60,
    );
  });
}
