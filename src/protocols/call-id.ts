// Ids for tool calls and answers that the wire gave none.
import { randomBytes } from 'node:crypto';

/** 24 characters of `[A-Za-z0-9_-]`: fit for every protocol's ids. */
export function randomId(): string {
  return randomBytes(18).toString('base64url');
}
