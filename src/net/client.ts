// The small HTTP client for token endpoints, onboarding and user info (auth.md §2.8); chat traffic dispatches directly.
import type { JsonObject } from '../protocols/neutral.ts';
import { userAgent } from '../version.ts';
import { acceptEncoding, createDecoder, DecodeError } from './decode.ts';
import type { Dispatchers } from './dispatchers.ts';
import { type HttpClient, HttpError, type HttpOptions, type HttpResponse } from './http.ts';

const defaultTimeoutMs = 30_000;
const maxBytes = 1024 * 1024;

export function createHttpClient(options: { dispatchers: Dispatchers }): HttpClient {
  const { dispatchers } = options;
  return {
    async request(url, given = {}) {
      const target = new URL(url);
      const timeout = AbortSignal.timeout(given.timeoutMs ?? defaultTimeoutMs);
      const signal = given.signal ? AbortSignal.any([given.signal, timeout]) : timeout;
      // Throws for an unusable proxy: before anything is dialled.
      const dispatcher = dispatchers.dispatcherFor(given.proxyUrl, target.origin);
      try {
        signal.throwIfAborted();
        const answer = await dispatcher.request({
          origin: target.origin,
          path: target.pathname + target.search,
          method: given.method ?? (given.form || given.json !== undefined ? 'POST' : 'GET'),
          ...encodeRequest(given),
          signal,
        });
        const text = await readText(answer.body, answer.headers['content-encoding'], signal);
        return { status: answer.statusCode, headers: answer.headers, text, json: parseObject(text) };
      } catch (error) {
        throw describe(error, target.hostname, dispatchers.proxyFor(given.proxyUrl, target.origin), signal, timeout);
      }
    },
  };
}

function encodeRequest(given: HttpOptions): { headers: Record<string, string>; body?: string } {
  const headers: Record<string, string> = { 'user-agent': userAgent, 'accept-encoding': acceptEncoding };
  let body: string | undefined;
  if (given.form) {
    headers['content-type'] = 'application/x-www-form-urlencoded';
    body = new URLSearchParams(given.form).toString();
  } else if (given.json !== undefined) {
    headers['content-type'] = 'application/json';
    body = JSON.stringify(given.json);
  }
  for (const [name, value] of Object.entries(given.headers ?? {})) headers[name.toLowerCase()] = value;
  return body === undefined ? { headers } : { headers, body };
}

type Body = AsyncIterable<Buffer> & { destroy(error?: Error): unknown } & NodeJS.ReadableStream;

async function readText(body: Body, encoding: string | string[] | undefined, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  let stop = () => {};
  try {
    const decoder = createDecoder(encoding);
    body.on('error', (error) => decoder.destroy(error));
    stop = () => void decoder.destroy(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    for await (const chunk of body.pipe(decoder) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= maxBytes) break;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    body.on('error', () => {});
    body.destroy();
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8');
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** An answer that is a web page: a bot wall, a login page, a proxy's error page (auth.md R19). */
export function isHtml(response: Pick<HttpResponse, 'headers' | 'text'>): boolean {
  if (String(response.headers['content-type'] ?? '').includes('text/html')) return true;
  return /^\s*<(?:!doctype\s+html|html|head)\b/i.test(response.text);
}

/** One short line about an unexpected answer: `<title>` of a page, else the beginning of the text (≤ 300 characters). */
export function summarize(response: Pick<HttpResponse, 'headers' | 'text'>): string {
  if (!isHtml(response)) return response.text.replace(/\s+/g, ' ').trim().slice(0, 300);
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(response.text)?.[1]?.replace(/\s+/g, ' ').trim();
  return title ? `a web page titled "${title.slice(0, 100)}"` : 'a web page instead of JSON';
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name cannot be resolved',
  EAI_AGAIN: 'its name cannot be resolved now',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ENETUNREACH: 'network unreachable',
  EHOSTUNREACH: 'host unreachable',
  ETIMEDOUT: 'connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'connection timed out',
  UND_ERR_SOCKET: 'connection closed',
  // Upstream calls have no such limit: only a proxy that is asked for a tunnel has.
  UND_ERR_HEADERS_TIMEOUT: 'the proxy does not answer',
  UND_ERR_ABORTED: 'the proxy refused the connection',
  UND_ERR_PRX_TLS: 'the TLS certificate of the proxy is not trusted',
  CERT_HAS_EXPIRED: 'its TLS certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its TLS certificate is not trusted (set NODE_EXTRA_CA_CERTS)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its TLS certificate is not trusted (set NODE_EXTRA_CA_CERTS)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its TLS certificate is not trusted (set NODE_EXTRA_CA_CERTS)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its TLS certificate is not trusted (set NODE_EXTRA_CA_CERTS)',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its TLS certificate is for another name',
};

/** Why a transport failed, for people: no URL, address, key or token in it. */
export function networkReason(error: unknown): { code: string; reason: string } {
  if (error instanceof HttpError) return { code: error.code, reason: error.message };
  if (error instanceof DecodeError) return { code: 'ERR_BAD_ENCODING', reason: error.message };
  const { code, errors, message } = error as { code?: unknown; errors?: unknown[]; message?: unknown };
  // Happy eyeballs reports one error for each address it tried.
  if (Array.isArray(errors) && errors.length > 0 && reasons[String(code)] === undefined)
    return networkReason(errors[0]);
  const known = typeof code === 'string' ? code : 'ERR_NETWORK';
  const tunnel = /^Proxy response \((\d{3})\)/.exec(String(message))?.[1];
  if (tunnel !== undefined) return { code: 'ERR_PROXY_REFUSED', reason: `the proxy answered ${tunnel}` };
  return { code: known, reason: reasons[known] ?? `network error (${known})` };
}

function describe(error: unknown, host: string, proxy: string | undefined, signal: AbortSignal, timeout: AbortSignal) {
  const way = proxy === undefined ? host : `${host} through the proxy ${proxy}`;
  if (timeout.aborted && signal.reason === timeout.reason) {
    return new HttpError(`no answer from ${way} in time`, { code: 'ERR_TIMEOUT', cause: error });
  }
  if (signal.aborted) return new HttpError('aborted', { code: 'ERR_ABORTED', cause: signal.reason });
  const { code, reason } = networkReason(error);
  return new HttpError(`${way}: ${reason}`, { code, cause: error });
}
