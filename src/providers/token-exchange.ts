// One call to a token endpoint: what all refreshes share – reading the answer, judging a refusal, naming the new fields.
import { formatInstant } from '../credentials/expiry.ts';
import { HttpError, type HttpOptions, type HttpResponse } from '../net/http.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { userAgent } from '../version.ts';
import { numberOf, objectOf, textOf } from './fields.ts';
import { type RefreshContext, RefreshError } from './provider.ts';

export interface TokenCall {
  /** As printed: `Claude`. */
  provider: string;
  url: string;
  form?: Record<string, string>;
  json?: JsonObject;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  /** The credential's own `proxy_url`. */
  proxyUrl?: string;
  /** Texts that must not appear in an error message. */
  secrets?: readonly string[];
  /** Further refusals that only a new login heals. */
  isPermanent?: (response: HttpResponse, reply: RefusedToken) => boolean;
}

/** What a refusal said, in whatever of the usual places. */
export interface RefusedToken {
  code: string;
  description: string;
}

/** Refusals that no retry heals (RFC 6749 §5.2; OpenAI's own codes). */
const permanentCodes: ReadonlySet<string> = new Set([
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'refresh_token_reused',
  'refresh_token_expired',
  'refresh_token_invalidated',
]);

/** A provider's own wait is believed within these limits, in ms (auth.md §4.3). */
const retryAfterLimits = { min: 30_000, max: 300_000 } as const;

/** Used when an answer names no `expires_in` (RFC 6749 §5.1 allows that), in s. */
const assumedLifetime = 3_600;

/** Sends the call; gives the JSON object of a 2xx answer. Throws `RefreshError` for everything else. */
export async function callToken(call: TokenCall, context: RefreshContext): Promise<JsonObject> {
  const options: HttpOptions = {
    method: call.method ?? 'POST',
    headers: { accept: 'application/json', 'user-agent': userAgent, ...call.headers },
  };
  if (call.form !== undefined) options.form = call.form;
  if (call.json !== undefined) options.json = call.json;
  if (call.proxyUrl) options.proxyUrl = call.proxyUrl;
  if (context.signal !== undefined) options.signal = context.signal;

  let response: HttpResponse;
  try {
    response = await context.http.request(call.url, options);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    throw new RefreshError(`${call.provider}: token endpoint not reached: ${error.message}`, {
      permanent: false,
      cause: error,
    });
  }
  const reply = response.json;
  if (response.status >= 200 && response.status < 300 && reply !== undefined) return reply;

  const refused = readRefusal(reply);
  const permanent = permanentCodes.has(refused.code) || (call.isPermanent?.(response, refused) ?? false);
  const retryAfterMs = permanent ? undefined : readRetryAfter(response, context.now());
  const said =
    reply === undefined ? describeBody(response) : [refused.code, refused.description].filter(Boolean).join(' - ');
  throw new RefreshError(
    `${call.provider}: token refresh failed (status ${response.status})${said === '' ? '' : `: ${redact(said, call.secrets)}`}`,
    { permanent, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  );
}

/**
 * The fields that a token answer gives a credential file. Absent and empty values are left out, so that a merge never
 * blanks what is known (auth.md R12). Throws when there is no access token.
 */
export function tokenFields(
  provider: string,
  reply: JsonObject,
  context: RefreshContext,
  refresh: { permanent?: boolean } = {},
): JsonObject {
  const accessToken = textOf(reply.access_token);
  if (accessToken === '') {
    const said = readRefusal(reply);
    const detail = [said.code, said.description].filter(Boolean).join(' - ');
    throw new RefreshError(
      `${provider}: token answer without an access token${detail === '' ? '' : `: ${redact(detail)}`}`,
      {
        permanent: refresh.permanent ?? permanentCodes.has(said.code),
      },
    );
  }
  const now = context.now();
  const fields: JsonObject = {
    access_token: accessToken,
    // Relative to our own clock, so that a clock that is wrong does not matter (auth.md R16).
    expired: formatInstant(now + lifetimeOf(reply) * 1_000),
    last_refresh: formatInstant(now),
  };
  for (const key of ['refresh_token', 'id_token', 'token_type', 'scope'] as const) {
    const value = textOf(reply[key]);
    if (value !== '') fields[key] = value;
  }
  return fields;
}

/** s until the new token ends; Kimi sends a fraction. */
export function lifetimeOf(reply: JsonObject): number {
  const seconds = numberOf(reply.expires_in);
  return seconds !== undefined && seconds > 0 ? Math.floor(seconds) : assumedLifetime;
}

/** Error code and text, from RFC 6749 bodies, OpenAI's nested ones and iFlow's `code`/`message`. */
export function readRefusal(reply: JsonObject | undefined): RefusedToken {
  if (reply === undefined) return { code: '', description: '' };
  const inner = objectOf(reply.error);
  const code = inner === undefined ? textOf(reply.error) || codeText(reply) : textOf(inner.code) || textOf(inner.type);
  const description =
    textOf(reply.error_description) || textOf(inner?.message) || textOf(reply.message) || textOf(reply.detail);
  return { code, description };
}

function codeText(reply: JsonObject): string {
  return typeof reply.code === 'number' ? String(reply.code) : textOf(reply.code);
}

function describeBody(response: HttpResponse): string {
  const text = response.text.trim();
  if (text === '') return 'empty answer';
  if (/^<(?:!doctype|html|\?xml)/i.test(text)) {
    const title = /<title[^>]*>([^<]*)<\/title>/i.exec(text)?.[1]?.trim();
    return title ? `an HTML page, "${title.slice(0, 100)}", instead of JSON` : 'an HTML page instead of JSON';
  }
  return `not JSON: ${text.slice(0, 300)}`;
}

function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text.slice(0, 300).replaceAll(/\s+/g, ' ');
  for (const secret of secrets) if (secret.length >= 4) clean = clean.replaceAll(secret, `${secret.slice(0, 4)}…`);
  return clean;
}

function readRetryAfter(response: HttpResponse, now: number): number | undefined {
  const header = response.headers['retry-after'];
  const text = (Array.isArray(header) ? header[0] : header)?.trim();
  if (!text) return undefined;
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, retryAfterLimits.min), retryAfterLimits.max);
}
