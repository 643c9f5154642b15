// iFlow's browser cookies as people paste them: strict reading, one normal form (auth.md §3.2).
import type { JsonObject } from '../../protocols/neutral.ts';
import { textOf } from '../fields.ts';

export interface IflowCookie {
  /** `a=1; BXAuth=x; c=3;` */
  text: string;
  bxAuth: string;
}

export type ParsedCookie = { ok: true; cookie: IflowCookie } | { ok: false; reason: string };

const malformed = 'invalid cookie format: expected name=value; name2=value2';
/** RFC 6265 §4.1.1: a cookie name is an HTTP token. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Values as browsers show them: no blanks, controls, or separators. */
const cookieValue = /^[^\s;\u0000-\u001f\u007f]*$/;

export function parseIflowCookie(pasted: string): ParsedCookie {
  const text = pasted
    .trim()
    .replace(/^cookie:\s*/i, '')
    .trim();
  if (text === '') return { ok: false, reason: 'cookie cannot be empty' };
  const pairs: string[] = [];
  let bxAuth: string | undefined;
  for (const part of text.split(/[;\r\n]/)) {
    const pair = part.trim();
    if (pair === '') continue;
    const split = pair.indexOf('=');
    const name = pair.slice(0, Math.max(split, 0)).trim();
    const value = pair.slice(split + 1).trim();
    if (split < 1 || !token.test(name) || !cookieValue.test(value)) return { ok: false, reason: malformed };
    // A browser sends the most specific cookie of a name first (RFC 6265 §5.4), so the first one counts.
    if (name === 'BXAuth') bxAuth ??= value;
    pairs.push(`${name}=${value}`);
  }
  if (bxAuth === undefined) return { ok: false, reason: 'cookie missing BXAuth field' };
  if (bxAuth === '') return { ok: false, reason: 'cookie missing BXAuth field: its value is empty' };
  return { ok: true, cookie: { text: `${pairs.join('; ')};`, bxAuth } };
}

/** The BXAuth of a credential file: its own field, or inside the stored cookie. */
export function bxAuthOf(fields: JsonObject): string | undefined {
  const stored = textOf(fields.bx_auth);
  if (stored !== '') return stored;
  for (const part of textOf(fields.cookie).split(';')) {
    const [name, ...value] = part.trim().split('=');
    if (name === 'BXAuth' && value.length > 0) return value.join('=').trim() || undefined;
  }
  return undefined;
}
