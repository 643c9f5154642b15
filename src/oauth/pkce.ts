// Proof Key for Code Exchange, RFC 7636: only who started a login can redeem its code.
import { createHash, randomBytes } from 'node:crypto';

export interface Pkce {
  /** 43 to 128 characters, RFC 7636 §4.1. */
  verifier: string;
  /** base64url(SHA-256(verifier)), method S256. */
  challenge: string;
}

export type RandomBytes = (size: number) => Buffer;

/** 96 random bytes give the longest verifier that the RFC allows, 32 the shortest. */
export function createPkce(bytes = 96, random: RandomBytes = randomBytes): Pkce {
  const verifier = random(bytes).toString('base64url');
  return { verifier, challenge: challengeOf(verifier) };
}

export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier, 'ascii').digest('base64url');
}
