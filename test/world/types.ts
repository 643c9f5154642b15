// The words that the parts of the fake world share.
import type { JsonObject } from '../../src/protocols/neutral.ts';
import type { Call } from './call.ts';

/** Who is played. The last four are API-key services. */
export const providerIds = [
  'iflow',
  'claude',
  'codex',
  'gemini-cli',
  'antigravity',
  'qwen',
  'kimi',
  'vertex',
  'gemini',
  'openai',
  'anthropic',
  'codex-key',
] as const;
export type FakeProviderId = (typeof providerIds)[number];

/** What a request was for. */
export type CallKind =
  | 'token' // authorization code → tokens
  | 'refresh'
  | 'device' // device flow: codes for the user
  | 'poll' // device flow: is it approved?
  | 'user-info'
  | 'cookie-get'
  | 'cookie-post'
  | 'onboard'
  | 'projects'
  | 'chat'
  | 'count'
  | 'models'
  | 'page'
  | 'unknown';

export interface Route {
  method: 'GET' | 'POST';
  /** Below the provider's prefix; a string must match whole. */
  path: string | RegExp;
  kind: CallKind;
  /** Shape of errors and streams. */
  wire: Wire;
  /** Reads account, model and stream flag, before scripts are matched. Throws nothing; notes problems. */
  identify?(call: Call): void;
  serve(call: Call): void | Promise<void>;
}

export interface FakeProvider {
  id: FakeProviderId;
  routes: readonly Route[];
  /** Purpose → path, for the config's `endpoints.<provider>`. */
  endpoints: Readonly<Record<string, string>>;
}

export type ErrorKind =
  | 'rate-limit'
  | 'quota'
  | 'unauthorized'
  | 'forbidden'
  | 'server-error'
  | 'overloaded'
  | 'invalid-request'
  | 'not-found'
  | 'invalid-grant';

export interface WireError {
  status: number;
  headers?: Record<string, string>;
  body: JsonObject;
}

/** How one protocol writes errors. */
export interface Wire {
  error(kind: ErrorKind, options: { retryAfter?: number; model: string }): WireError;
  /** An error event inside a 200 stream. */
  errorEvent(): string;
}

export const statusOf: Readonly<Record<ErrorKind, number>> = {
  'rate-limit': 429,
  quota: 429,
  unauthorized: 401,
  forbidden: 403,
  'server-error': 500,
  overloaded: 503,
  'invalid-request': 400,
  'not-found': 404,
  'invalid-grant': 400,
};

/** Whole seconds, rounded up (RFC 9110 §10.2.3). */
export function retryAfterHeader(seconds: number | undefined): Record<string, string> {
  return seconds === undefined ? {} : { 'retry-after': String(Math.ceil(seconds)) };
}
