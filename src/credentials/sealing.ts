// Credential files sealed at rest: AES-256-GCM (NIST SP 800-38D) with a key from the environment or a key file.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JsonObject } from '../protocols/neutral.ts';
import { parseObject } from '../providers/fields.ts';
import { Secret } from '../secret.ts';
import { serialize } from './merge.ts';

/** `type` stays readable; everything else, e-mail included, is inside. */
interface SealedFields {
  alg: 'A256GCM';
  /** base64url */
  salt: string;
  iv: string;
  tag: string;
  data: string;
}

export class SealError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SealError';
  }
}

export interface Sealer {
  seal(fields: JsonObject): JsonObject;
  /** @throws SealError for another key or a changed file */
  unseal(content: JsonObject): JsonObject;
}

/**
 * The sealer that the environment asks for, or undefined: `CLIPROXY_MASTER_KEY` (a passphrase, or 32 bytes as hex or
 * base64) or `CLIPROXY_MASTER_KEY_FILE` (its content likewise).
 * @throws SealError when the key file cannot be read or the key is shorter than 16 characters
 */
export function sealerFromEnvironment(env: NodeJS.ProcessEnv): Sealer | undefined {
  const file = env.CLIPROXY_MASTER_KEY_FILE;
  let text = env.CLIPROXY_MASTER_KEY?.trim();
  if (!text && file) {
    try {
      text = readFileSync(file, 'utf8').trim();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new SealError(`the key file of CLIPROXY_MASTER_KEY_FILE cannot be read: ${file} (${code})`, error);
    }
    if (text === '') throw new SealError(`the key file of CLIPROXY_MASTER_KEY_FILE is empty: ${file}`);
  }
  return text ? createSealer(new Secret(text)) : undefined;
}

export function createSealer(masterKey: Secret): Sealer {
  const text = masterKey.reveal();
  if (text.length < 16) throw new SealError('CLIPROXY_MASTER_KEY must have at least 16 characters');
  const raw = rawKey(text);
  const keys = new Map<string, Buffer>();
  const keyFor = (salt: string): Buffer => {
    let key = keys.get(salt);
    if (key === undefined) {
      const bytes = Buffer.from(salt, 'base64url');
      // A random key needs no stretching; a passphrase does (RFC 7914, some 60 ms: once per salt, not per file).
      key = raw
        ? Buffer.from(hkdfSync('sha256', raw, bytes, 'cliproxy sealing', 32))
        : scryptSync(text, bytes, 32, cost);
      keys.set(salt, key);
    }
    return key;
  };

  return {
    seal(fields) {
      const type = typeof fields.type === 'string' ? fields.type : '';
      // One salt per installation: the first one met, so that a folder of thousands needs one derivation.
      const salt = keys.keys().next().value ?? randomBytes(16).toString('base64url');
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', keyFor(salt), iv).setAAD(associated(type));
      const data = Buffer.concat([cipher.update(serialize(fields), 'utf8'), cipher.final()]);
      const sealed: SealedFields = {
        alg: 'A256GCM',
        salt,
        iv: iv.toString('base64url'),
        tag: cipher.getAuthTag().toString('base64url'),
        data: data.toString('base64url'),
      };
      return { sealed: { ...sealed }, type };
    },
    unseal(content) {
      const sealed = content.sealed as Partial<SealedFields> | undefined;
      const parts = [sealed?.salt, sealed?.iv, sealed?.tag, sealed?.data];
      if (sealed?.alg !== 'A256GCM' || !parts.every((part) => typeof part === 'string')) {
        throw new SealError('sealed in an unknown way');
      }
      const [salt, iv, tag, data] = parts as [string, string, string, string];
      try {
        const decipher = createDecipheriv('aes-256-gcm', keyFor(salt), Buffer.from(iv, 'base64url'), {
          authTagLength: 16,
        })
          .setAAD(associated(typeof content.type === 'string' ? content.type : ''))
          .setAuthTag(Buffer.from(tag, 'base64url'));
        const text = Buffer.concat([decipher.update(Buffer.from(data, 'base64url')), decipher.final()]).toString(
          'utf8',
        );
        const fields = parseObject(text);
        if (fields !== undefined) return fields;
      } catch (error) {
        throw new SealError('sealed with another key, or damaged', error);
      }
      throw new SealError('sealed content is not a credential');
    },
  };
}

export function isSealed(content: JsonObject): boolean {
  return content.sealed !== null && typeof content.sealed === 'object';
}

const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 } as const;

/** The readable type is bound to the content: it cannot be exchanged. */
function associated(type: string): Buffer {
  return Buffer.from(`cliproxy credential 1 ${type}`);
}

function rawKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  return undefined;
}
