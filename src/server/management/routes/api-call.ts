// `POST api-call`: an HTTP call with a credential's token and proxy (management-api.md §17, R14).
import * as z from 'zod';
import type { Credential } from '../../../credentials/credential.ts';
import { textList } from '../access.ts';
import { ApiError } from '../errors.ts';
import { relay } from '../relay.ts';
import { tokenMayGo } from '../relay-guard.ts';
import { type Call, type Route, route } from '../route.ts';

const token = '$TOKEN$';
const methodToken = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}$/;
const headerText = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Refreshed before use when the token ends sooner than this. */
const refreshLeadMs = 30_000;

const body = z.object({
  auth_index: z.string().max(64).nullish(),
  authIndex: z.string().max(64).nullish(),
  AuthIndex: z.string().max(64).nullish(),
  method: z.string().max(64).nullish(),
  url: z.string().max(16_384).nullish(),
  header: z.record(z.string().max(256), z.string().max(16_384)).nullish(),
  data: z.string().nullish(),
});

function targetOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ApiError(400, 'invalid url');
  }
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new ApiError(400, 'invalid url', { message: 'Only http and https URLs with a host.' });
  }
  return url;
}

function headersOf(given: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!methodToken.test(name) || !headerText.test(value)) throw new ApiError(400, 'failed to build request');
    // Framing is ours; an encoding nobody decodes would make the body unreadable.
    if (
      /^(content-length|transfer-encoding|connection|upgrade|expect|accept-encoding|keep-alive|te|trailer)$/i.test(name)
    )
      continue;
    headers[name] = value;
  }
  return headers;
}

function credentialOf(call: Call, index: string | undefined): Credential | undefined {
  if (!index) return undefined;
  const credential = call.deps.store.list().find((candidate) => candidate.authIndex === index);
  if (!credential) throw new ApiError(404, 'auth not found', { message: 'No credential has this auth_index.' });
  return credential;
}

async function tokenOf(call: Call, credential: Credential): Promise<string> {
  let current = credential;
  if (credential.expiresAt !== undefined && credential.expiresAt - call.deps.now() < refreshLeadMs) {
    try {
      current = await call.deps.refresh(credential);
    } catch {
      throw new ApiError(400, 'auth token refresh failed');
    }
  }
  const found = current.token?.reveal() ?? '';
  if (found === '') throw new ApiError(400, 'auth token not found');
  return found;
}

function proxyOf(call: Call, credential: Credential | undefined): string | undefined {
  const proxy = (credential?.proxyUrl || String(call.deps.config.current()['proxy-url'] ?? '')).trim();
  return proxy === '' || /^(direct|none)$/i.test(proxy) ? undefined : proxy;
}

export const apiCallRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: 'api-call',
    tag: 'Relay',
    summary: "Make an HTTP call, with a credential's token where `$TOKEN$` stands in a header",
    description:
      "The token goes only to the provider's own hosts, its configured base URL and `api-call-allowed-hosts`. " +
      'Link-local and cloud metadata addresses are always refused.',
    scope: 'admin',
    body: { kind: 'json', schema: body },
    responses: {
      200: {
        description: 'What the other side answered, whatever its status.',
        schema: z.object({
          status_code: z.int(),
          header: z.record(z.string(), z.array(z.string())),
          body: z.string(),
        }),
      },
      404: { description: 'No credential has this index.' },
      502: { description: 'The call failed.' },
    },
    errors: {
      400: 'No usable method, URL or token.',
      403: 'A destination that is never called, or a host that must not get this token.',
    },
    async answer(call) {
      const { body } = call;
      const method = (body.method ?? '').trim().toUpperCase();
      if (method === '') throw new ApiError(400, 'missing method');
      if (!body.url?.trim()) throw new ApiError(400, 'missing url');
      const url = targetOf(body.url.trim());
      if (!methodToken.test(method) || method === 'CONNECT') throw new ApiError(400, 'failed to build request');
      const headers = headersOf(body.header ?? {});
      const credential = credentialOf(call, body.auth_index ?? body.authIndex ?? body.AuthIndex ?? undefined);
      const tokenHeaders = new Set(Object.keys(headers).filter((name) => headers[name]?.includes(token)));
      const allowed = textList(call.deps.config.current()['api-call-allowed-hosts']);
      const hosts = credential ? call.deps.tokenHosts(credential) : [];
      const mayCarryToken = (to: URL): boolean => tokenMayGo(to, hosts, allowed);
      if (tokenHeaders.size > 0) {
        if (!credential) throw new ApiError(400, 'auth token not found', { message: '$TOKEN$ needs an auth_index.' });
        if (!mayCarryToken(url)) {
          throw new ApiError(403, 'host not allowed', {
            code: 'token_host_not_allowed',
            message: `The token of this credential may not go to ${url.host}; see api-call-allowed-hosts.`,
          });
        }
        const secret = await tokenOf(call, credential);
        for (const name of tokenHeaders) headers[name] = (headers[name] as string).replaceAll(token, secret);
      }
      call.note({ changed: [`api-call ${method} ${url.host}`] });
      const answer = await relay(call.deps.relay, {
        method,
        url,
        headers,
        data: body.data ?? undefined,
        proxyUrl: proxyOf(call, credential),
        mayCarryToken,
        tokenHeaders,
        signal: call.signal,
      });
      return { json: { status_code: answer.status, header: answer.headers, body: answer.body } };
    },
  }),
];
