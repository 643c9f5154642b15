// What an upstream's refusal means: status and body → Failure. Shared by all providers (upstreams.md §1.10, §8 rows 12–20).
import { STATUS_CODES } from 'node:http';
import { Failure, type FailureKind } from '../failure.ts';
import type { Json, JsonObject, ProtocolId } from '../protocols/neutral.ts';
import { mask } from '../secret.ts';
import type { UpstreamCall, UpstreamResponse } from './provider.ts';
import { retryHint } from './retry-hints.ts';

export { bodyHint, goDuration, quotaReport, retryAfter, retryHint, unifiedReset } from './retry-hints.ts';

/** Statuses that say all there is to say. Other 4xx: this credential cannot, another may. Other 5xx: passing. */
const kindOfStatus: Readonly<Record<number, FailureKind>> = {
  400: 'invalid-request',
  401: 'unauthorized',
  402: 'forbidden',
  403: 'forbidden',
  404: 'not-found',
  405: 'invalid-request',
  408: 'transient',
  409: 'invalid-request',
  411: 'invalid-request',
  413: 'invalid-request',
  414: 'invalid-request',
  415: 'invalid-request',
  422: 'invalid-request',
  429: 'quota',
  431: 'invalid-request',
  503: 'overloaded',
  504: 'timeout',
  529: 'overloaded',
};

export function kindForStatus(status: number): FailureKind {
  return kindOfStatus[status] ?? 'transient';
}

/** A plan or key without this model (upstreams.md §1.10). */
const unsupportedModelTexts = [
  'model_not_supported',
  'requested model is not supported',
  'requested model is unsupported',
  'requested model is unavailable',
  'model is not supported',
  'model not supported',
  'unsupported model',
  'model unavailable',
  'not available for your plan',
  'not available for your account',
];

/** Codes that blame the request, whatever the status (§8 row 16). */
const clientFaultCodes = new Set([
  'context_length_exceeded',
  'invalid_prompt',
  'cyber_policy',
  'message_too_big',
  'string_above_max_length',
  'invalid_value',
  'unsupported_value',
  'previous_response_not_found',
  'invalid_request_error',
]);

export interface ClassifyOptions {
  /** Protocol of the error body; default: OpenAI's, whose envelope nearly everybody copies. */
  protocol?: ProtocolId;
  /** Status to use instead of the response's. */
  status?: number;
}

type ClassifiedCall = Pick<UpstreamCall, 'token' | 'now'>;

/** The common reading of a non-2xx answer. Providers refine it. */
export function classifyCommon(
  response: UpstreamResponse,
  call: ClassifiedCall,
  options: ClassifyOptions = {},
): Failure {
  const body = errorBody(response.body);
  const status = options.status ?? response.status;
  const kind = isChallenge(response) ? 'transient' : kindOf(status, body, response.body);
  const hinted = status === 429 || status === 503 || status === 529;
  return new Failure({
    kind,
    status,
    message: withoutToken(errorMessage(response.body, body, status), call.token),
    retryAfterMs: hinted ? retryHint(response.headers, body, call.now()) : undefined,
    scope: scopeOf(kind, status),
    upstreamBody: body === undefined ? undefined : withoutToken(asObjectText(response.body, body), call.token),
    upstreamProtocol: body === undefined ? undefined : (options.protocol ?? 'openai-chat'),
  });
}

function kindOf(status: number, body: JsonObject | undefined, text: string): FailureKind {
  const lower = text.toLowerCase();
  if (status === 400 || status === 422) {
    if (isUnsupportedModel(lower)) return 'model-unsupported';
    const fault = credentialFault(body, lower);
    if (fault) return fault;
  }
  if (status === 404 && isMissingItem(lower)) return 'invalid-request';
  const blamable = status >= 400 && status < 500 && ![401, 402, 403, 404, 408, 429].includes(status);
  if (blamable && hasClientFaultCode(body)) return 'invalid-request';
  return kindForStatus(status);
}

function scopeOf(kind: FailureKind, status: number): 'request' | 'model' | 'credential' {
  if (kind === 'invalid-request') return 'request';
  if (kind === 'unauthorized' || (kind === 'forbidden' && (status === 400 || status === 402))) return 'credential';
  // A 4xx without a meaning of its own: others are asked, nothing is cooled.
  if (kind === 'transient' && status > 400 && status < 500 && status !== 403 && status !== 408) return 'request';
  return 'model';
}

export function isUnsupportedModel(text: string): boolean {
  const lower = text.toLowerCase();
  return unsupportedModelTexts.some((known) => lower.includes(known));
}

/** Faults of the key that come with status 400. */
function credentialFault(body: JsonObject | undefined, lower: string): FailureKind | undefined {
  const error = object(body?.error);
  const reasons = Array.isArray(error?.details) ? error.details.map((detail) => object(detail)?.reason) : [];
  if (reasons.includes('API_KEY_INVALID')) return 'unauthorized';
  if (error?.status === 'FAILED_PRECONDITION' && /location|billing/.test(lower)) return 'forbidden';
  if (lower.includes('credit balance is too low')) return 'forbidden';
  return undefined;
}

/** Responses items that were never stored: the conversation is at fault, not the credential. */
function isMissingItem(lower: string): boolean {
  return (
    lower.includes('item with id') &&
    lower.includes('not found') &&
    lower.includes('items are not persisted when `store` is set to false')
  );
}

export function hasClientFaultCode(body: JsonObject | undefined): boolean {
  const error = object(body?.error) ?? body;
  return [error?.code, error?.type].some((code) => typeof code === 'string' && clientFaultCodes.has(code));
}

/** A bot-challenge page of Cloudflare instead of the API: says nothing about the credential. */
export function isChallenge(response: UpstreamResponse): boolean {
  if (response.status !== 403 && response.status !== 503 && response.status !== 429) return false;
  if (String(response.headers['cf-mitigated'] ?? '').toLowerCase() === 'challenge') return true;
  return isHtml(response.body) && /cf-chl|challenge-platform|just a moment\.\.\.|cf_chl_opt/i.test(response.body);
}

function isHtml(text: string): boolean {
  return /^\s*(<!doctype html|<html|<head)/i.test(text);
}

/** The body as a JSON object; Gemini's stream form, an array with one error, counts as that error. */
export function errorBody(text: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return object((Array.isArray(parsed) ? parsed[0] : parsed) as Json);
  } catch {
    return undefined;
  }
}

function asObjectText(text: string, body: JsonObject): string {
  return text.trimStart().startsWith('{') ? text : JSON.stringify(body);
}

const longestMessage = 2000;

/** What the upstream said, for people: its own message, the title of an HTML page, the text, or the status. */
export function errorMessage(text: string, body: JsonObject | undefined, status: number): string {
  const error = body?.error;
  const nested = object(error);
  const candidates = [nested?.message, nested?.detail, error, body?.message, body?.detail, body?.msg];
  for (const candidate of candidates) {
    if (typeof candidate === 'string' && candidate.trim() !== '') return candidate;
  }
  const plain = text.trim();
  if (plain === '') return `status ${status}`;
  const title = isHtml(plain) ? /<title[^>]*>([^<]*)<\/title>/i.exec(plain)?.[1]?.trim() : undefined;
  return title || plain.slice(0, longestMessage);
}

function withoutToken(text: string, token: string): string {
  return token.length >= 8 && text.includes(token) ? text.replaceAll(token, mask(token)) : text;
}

/** Names of errors that come without a status, inside a 200 stream: OpenAI, Anthropic and Google words. */
const statusOfName: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  invalid_prompt: 400,
  invalid_value: 400,
  unsupported_value: 400,
  context_length_exceeded: 400,
  string_above_max_length: 400,
  cyber_policy: 400,
  previous_response_not_found: 400,
  invalid_argument: 400,
  failed_precondition: 400,
  message_too_big: 413,
  request_too_large: 413,
  authentication_error: 401,
  invalid_api_key: 401,
  unauthenticated: 401,
  token_expired: 401,
  billing_error: 402,
  permission_error: 403,
  permission_denied: 403,
  not_found_error: 404,
  model_not_found: 404,
  not_found: 404,
  timeout_error: 504,
  deadline_exceeded: 504,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  resource_exhausted: 429,
  insufficient_quota: 429,
  usage_limit_reached: 429,
  usage_not_included: 429,
  quota_exceeded: 429,
  server_error: 500,
  api_error: 500,
  internal_server_error: 500,
  internal: 500,
  server_is_overloaded: 503,
  slow_down: 503,
  unavailable: 503,
  overloaded_error: 529,
};

export interface ErrorWords {
  message: string;
  status?: number;
  code?: string;
  kind?: string;
}

/** A status that clients know. Business codes that look like one (439, 449) do not count; 529 is Anthropic's. */
export function isErrorStatus(status: number): boolean {
  return status >= 400 && (STATUS_CODES[status] !== undefined || status === 529);
}

/** Status of an error told inside a 200 answer; 502 when its words are unknown. */
export function statusOfError(error: ErrorWords): number {
  if (error.status !== undefined && isErrorStatus(error.status)) return error.status;
  for (const name of [error.code, error.kind]) {
    const status = name === undefined ? undefined : statusOfName[name.toLowerCase()];
    if (status !== undefined) return status;
    if (name !== undefined && isErrorStatus(Number(name))) return Number(name);
  }
  return 502;
}

/** An error event of a 200 stream as a Failure (§8 row 3). */
export function streamFailure(error: ErrorWords, now: () => number): Failure {
  const status = statusOfError(error);
  const words: JsonObject = { message: error.message };
  if (error.code !== undefined) words.code = error.code;
  if (error.kind !== undefined) words.type = error.kind;
  const text = JSON.stringify({ error: words });
  const failure = classifyCommon({ status, headers: {}, body: text }, { token: '', now }, { protocol: 'openai-chat' });
  return new Failure({
    kind: failure.kind,
    status,
    message: error.message || failure.message,
    code: error.code,
    retryAfterMs: failure.retryAfterMs,
    scope: failure.scope,
  });
}

function object(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
