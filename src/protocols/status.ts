// One table from HTTP status to each protocol's error words, and back (protocols.md §3.6).
import { lookup } from './json.ts';

export interface ErrorWords {
  /** OpenAI `error.type`. */
  openai: string;
  /** OpenAI `error.code`; absent where the API gives none. */
  code?: string;
  /** Anthropic `error.type`. */
  anthropic: string;
  /** Gemini `error.status`. */
  gemini: string;
}

const words: Record<number, ErrorWords> = {
  400: { openai: 'invalid_request_error', anthropic: 'invalid_request_error', gemini: 'INVALID_ARGUMENT' },
  401: {
    openai: 'authentication_error',
    code: 'invalid_api_key',
    anthropic: 'authentication_error',
    gemini: 'UNAUTHENTICATED',
  },
  402: { openai: 'invalid_request_error', anthropic: 'billing_error', gemini: 'FAILED_PRECONDITION' },
  403: {
    openai: 'permission_error',
    code: 'insufficient_quota',
    anthropic: 'permission_error',
    gemini: 'PERMISSION_DENIED',
  },
  404: {
    openai: 'invalid_request_error',
    code: 'model_not_found',
    anthropic: 'not_found_error',
    gemini: 'NOT_FOUND',
  },
  408: { openai: 'invalid_request_error', anthropic: 'timeout_error', gemini: 'DEADLINE_EXCEEDED' },
  409: { openai: 'invalid_request_error', anthropic: 'invalid_request_error', gemini: 'ABORTED' },
  413: { openai: 'invalid_request_error', anthropic: 'request_too_large', gemini: 'INVALID_ARGUMENT' },
  429: {
    openai: 'rate_limit_error',
    code: 'rate_limit_exceeded',
    anthropic: 'rate_limit_error',
    gemini: 'RESOURCE_EXHAUSTED',
  },
  500: { openai: 'server_error', code: 'internal_server_error', anthropic: 'api_error', gemini: 'INTERNAL' },
  502: { openai: 'server_error', code: 'internal_server_error', anthropic: 'api_error', gemini: 'INTERNAL' },
  503: { openai: 'server_error', code: 'internal_server_error', anthropic: 'api_error', gemini: 'UNAVAILABLE' },
  504: {
    openai: 'server_error',
    code: 'internal_server_error',
    anthropic: 'timeout_error',
    gemini: 'DEADLINE_EXCEEDED',
  },
  529: {
    openai: 'server_error',
    code: 'internal_server_error',
    anthropic: 'overloaded_error',
    gemini: 'UNAVAILABLE',
  },
};

/** What each protocol calls this status; unlisted ones read as 400 or 500. */
export function errorWords(status: number): ErrorWords {
  return words[status] ?? (words[status >= 500 ? 500 : 400] as ErrorWords);
}

/** Status of an error told inside a 200 answer, by its type, code or Google status word. */
const statuses: Record<string, number> = {
  invalid_request_error: 400,
  invalid_request: 400,
  invalid_prompt: 400,
  invalid_value: 400,
  unsupported_value: 400,
  context_length_exceeded: 400,
  string_above_max_length: 400,
  previous_response_not_found: 400,
  cyber_policy: 400,
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  authentication_error: 401,
  invalid_api_key: 401,
  token_expired: 401,
  UNAUTHENTICATED: 401,
  billing_error: 402,
  permission_error: 403,
  PERMISSION_DENIED: 403,
  not_found_error: 404,
  model_not_found: 404,
  NOT_FOUND: 404,
  timeout_error: 504,
  DEADLINE_EXCEEDED: 504,
  request_too_large: 413,
  message_too_big: 413,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  too_many_requests: 429,
  insufficient_quota: 429,
  usage_limit_reached: 429,
  usage_not_included: 429,
  RESOURCE_EXHAUSTED: 429,
  server_error: 500,
  internal_server_error: 500,
  internal_error: 500,
  api_error: 500,
  INTERNAL: 500,
  server_is_overloaded: 503,
  slow_down: 503,
  UNAVAILABLE: 503,
  overloaded_error: 529,
};

/** The status that the first known word stands for. */
export function statusOf(...told: readonly (string | undefined)[]): number | undefined {
  for (const word of told) {
    const status = word === undefined ? undefined : lookup(statuses, word);
    if (status !== undefined) return status;
  }
  return undefined;
}
