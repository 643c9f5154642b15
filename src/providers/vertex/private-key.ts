// Repairs RSA private keys that lost their shape on the way through shells, chats and YAML (auth.md §3.10).
import { createPrivateKey, type KeyObject } from 'node:crypto';

/** The key as PKCS#1 PEM. Throws an `Error` with a short reason that holds nothing of the key. */
export function repairPrivateKey(text: string): string {
  const clean = text
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replaceAll('\ufffd', '')
    .replace(/\\r\\n|\\n/g, '\n')
    .replace(/\r\n?/g, '\n')
    .trim();
  const found = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----([\s\S]*?)-----END \1-----/.exec(clean);
  const label = found?.[1] ?? 'PRIVATE KEY';
  if (/ENCRYPTED/.test(label)) throw new Error('private_key is encrypted');
  const base64 = (found?.[2] ?? clean).replace(/[^A-Za-z0-9+/=]/g, '');
  if (base64 === '') throw new Error('private_key is not PEM');
  // The label may be wrong or lost; the content says what it is.
  const labels = [label, 'PRIVATE KEY', 'RSA PRIVATE KEY'].filter((name, index, all) => all.indexOf(name) === index);
  const key = labels.map((name) => readKey(pem(name, base64))).find((candidate) => candidate !== undefined);
  if (key === undefined) throw new Error('private_key cannot be read');
  if (key.asymmetricKeyType !== 'rsa') throw new Error('private_key is not an RSA key');
  return key.export({ type: 'pkcs1', format: 'pem' }).toString();
}

function pem(label: string, base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function readKey(text: string): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch {
    return undefined;
  }
}
