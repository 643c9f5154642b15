// Private keys of service accounts as they arrive: what shells, chats and YAML did to them repaired (auth.md §3.10).
import { createPrivateKey, type KeyObject } from 'node:crypto';

/** The RSA key in `text`. Throws an `Error` with a short reason that holds nothing of the key. */
export function readPrivateKey(text: string): KeyObject {
  const clean = text
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replaceAll('\ufffd', '')
    .replace(/\\r\\n|\\n/g, '\n')
    .replace(/\r\n?/g, '\n')
    .trim();
  const framed = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----([\s\S]*?)-----END \1-----/.exec(clean);
  const label = framed?.[1] ?? 'PRIVATE KEY';
  if (label.includes('ENCRYPTED')) throw new Error('private_key is encrypted');
  const base64 = (framed?.[2] ?? clean).replace(/[^A-Za-z0-9+/=]/g, '');
  if (base64 === '') throw new Error('private_key is not PEM');
  // The label may be wrong or lost; the content says what it is.
  const labels = new Set([label, 'PRIVATE KEY', 'RSA PRIVATE KEY']);
  const key = [...labels].map((name) => parse(pem(name, base64))).find((candidate) => candidate !== undefined);
  if (key === undefined) throw new Error('private_key cannot be read');
  if (key.asymmetricKeyType !== 'rsa') throw new Error('private_key is not an RSA key');
  return key;
}

/** The same key as clean PKCS#1 PEM, for the credential file. */
export function repairPrivateKey(text: string): string {
  return readPrivateKey(text).export({ type: 'pkcs1', format: 'pem' }).toString();
}

/** RFC 7468 §2: a frame and lines of 64 columns. */
function pem(label: string, base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function parse(text: string): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch {
    return undefined;
  }
}
