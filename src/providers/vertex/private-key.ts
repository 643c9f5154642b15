// Private keys of service accounts, as they arrive: line ends changed or lost on the way (auth.md §3.8).
import { createPrivateKey, type KeyObject } from 'node:crypto';

/** The RSA key in `text`; throws a short error without key material. */
export function readPrivateKey(text: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(repairPem(text));
  } catch {
    throw new Error('the service account has no readable private key');
  }
  if (key.asymmetricKeyType !== 'rsa') throw new Error('the private key of the service account is not an RSA key');
  return key;
}

/** PEM with its frame and 64-column lines rebuilt (RFC 7468 §2). */
export function repairPem(text: string): string {
  const clean = text
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, '')
    .replaceAll('\\n', '\n')
    .replace(/\r\n?/g, '\n');
  const framed = /-----BEGIN ([A-Z ]+)-----([\s\S]*?)-----END \1-----/.exec(clean);
  const label = framed?.[1] ?? 'PRIVATE KEY';
  const base64 = (framed?.[2] ?? clean).replace(/[^A-Za-z0-9+/=]/g, '');
  return `-----BEGIN ${label}-----\n${base64.match(/.{1,64}/g)?.join('\n') ?? ''}\n-----END ${label}-----\n`;
}
