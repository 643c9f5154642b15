// Makes one HTTP call for `api-call`, redirects included, every hop checked.
import type { Dispatcher } from 'undici';
import type { ManagementDeps } from './deps.ts';
import { ApiError } from './errors.ts';
import { checkDestination } from './relay-guard.ts';
import { limits } from './request-body.ts';

export interface RelayCall {
  method: string;
  url: URL;
  headers: Record<string, string>;
  data?: string;
  proxyUrl?: string;
  /** Whether headers that carry the token may go to this URL. */
  mayCarryToken(url: URL): boolean;
  /** Names of the headers that carry the token. */
  tokenHeaders: ReadonlySet<string>;
  signal: AbortSignal;
}

export interface RelayAnswer {
  status: number;
  headers: Record<string, string[]>;
  body: string;
}

const maxRedirects = 10;
const timeoutMs = 60_000;
const redirects = new Set([301, 302, 303, 307, 308]);

export async function relay(network: ManagementDeps['relay'], call: RelayCall): Promise<RelayAnswer> {
  let { method, url, data } = call;
  let headers = { ...call.headers };
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(timeoutMs)]);
  for (let hop = 0; ; hop++) {
    const destination = await checkDestination(url, (name) => network.lookup(name));
    if (!destination.ok && destination.reason === 'refused') {
      throw new ApiError(403, 'destination not allowed', {
        message: 'Link-local and cloud metadata addresses are refused.',
      });
    }
    // Behind a proxy names may only resolve there.
    const pinned = destination.ok ? destination.addresses : [];
    if (pinned.length === 0 && !call.proxyUrl) throw new ApiError(502, 'request failed', { message: 'Unknown host.' });
    const lease = network.lease({ proxyUrl: call.proxyUrl, pinned, url });
    const answer = await once(lease.dispatcher, { method, url, headers, data, signal }).finally(() => lease.release());
    const next = redirects.has(answer.status) ? location(answer.headers, url) : undefined;
    if (!next || hop >= maxRedirects) return answer;
    if (answer.status === 303 || (answer.status < 303 && method === 'POST')) {
      method = method === 'HEAD' ? 'HEAD' : 'GET';
      data = undefined;
    }
    headers = headersAfterRedirect(headers, url, next, call);
    url = next;
  }
}

function location(headers: Record<string, string[]>, base: URL): URL | undefined {
  const text = headers.Location?.[0];
  if (!text || !URL.canParse(text, base)) return undefined;
  const url = new URL(text, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ApiError(403, 'destination not allowed', { message: 'A redirect led away from http and https.' });
  }
  return url;
}

const neverAcross = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key', 'x-goog-api-key', 'host']);

function headersAfterRedirect(
  headers: Record<string, string>,
  from: URL,
  to: URL,
  call: RelayCall,
): Record<string, string> {
  const sameOrigin = from.origin === to.origin;
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => {
      const lower = name.toLowerCase();
      if (!sameOrigin && neverAcross.has(lower)) return false;
      return !call.tokenHeaders.has(name) || (sameOrigin && call.mayCarryToken(to));
    }),
  );
}

async function once(
  dispatcher: Dispatcher,
  request: { method: string; url: URL; headers: Record<string, string>; data?: string; signal: AbortSignal },
): Promise<RelayAnswer> {
  let response: Dispatcher.ResponseData;
  try {
    response = await dispatcher.request({
      origin: request.url.origin,
      path: `${request.url.pathname}${request.url.search}`,
      method: request.method as Dispatcher.HttpMethod,
      headers: request.headers,
      body: request.data,
      signal: request.signal,
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'UND_ERR_INVALID_ARG') throw new ApiError(400, 'failed to build request');
    throw new ApiError(502, 'request failed', { message: `The call failed${code ? ` (${code})` : ''}.` });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limits.multipart) break;
      chunks.push(chunk);
    }
  } catch {
    throw new ApiError(502, 'failed to read response');
  }
  if (size > limits.multipart) {
    throw new ApiError(413, 'response too large', { message: `An answer may have at most ${limits.multipart} bytes.` });
  }
  return {
    status: response.statusCode,
    headers: canonicalHeaders(response.headers),
    body: Buffer.concat(chunks).toString('utf8'),
  };
}

/** `content-type` → `Content-Type`, values as lists: the shape the panel reads. */
function canonicalHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string[]> {
  const canonical: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    canonical[name.replace(/(^|-)([a-z])/g, (_all, dash: string, letter: string) => dash + letter.toUpperCase())] = [
      value,
    ].flat();
  }
  return canonical;
}
