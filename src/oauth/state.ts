// The `state` of one login: unguessable, single use, safe as part of a file name.
import { randomBytes } from 'node:crypto';
import type { RandomBytes } from './pkce.ts';

/** 128 random bits as 32 hex digits, for every provider (auth.md §2.3). */
export function createState(random: RandomBytes = randomBytes): string {
  return random(16).toString('hex');
}

/** `[A-Za-z0-9._-]`, 1 to 128 characters, no `..`: it becomes part of a file name (auth.md §5.3 #5). */
export function isValidState(state: string): boolean {
  return /^[A-Za-z0-9._-]{1,128}$/.test(state) && !state.includes('..');
}
