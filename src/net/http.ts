import type { JsonObject } from '../protocols/neutral.ts';

/** Small HTTP client for token endpoints, onboarding and user info: not for chat traffic. */
export interface HttpClient {
  /**
   * One call. Follows no redirect, decodes gzip/deflate/br, ends after `timeoutMs` (default 30,000).
   * `proxyUrl`: the credential's own; undefined = the global one, then the environment (auth.md §2.8).
   * Rejects with `HttpError` only for transport failures; any HTTP status resolves.
   */
  request(url: string, options?: HttpOptions): Promise<HttpResponse>;
}

export interface HttpOptions {
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  /** Sent as application/x-www-form-urlencoded. */
  form?: Record<string, string>;
  /** Sent as application/json. */
  json?: unknown;
  proxyUrl?: string;
  /** ms */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface HttpResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Decoded, cut at 1 MiB. */
  text: string;
  /** The body as a JSON object; undefined when it is none (HTML, challenge page). */
  json: JsonObject | undefined;
}

/** No answer came: DNS, connect, TLS, proxy, time limit. `message` is short and holds no URL path, key or token. */
export class HttpError extends Error {
  readonly code: string;
  constructor(message: string, options: { code: string; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'HttpError';
    this.code = options.code;
  }
}
