// Access tokens for service accounts: a signed assertion is exchanged (RFC 7523 §2.1), the token kept until it is nearly over.
import { createHash, sign } from 'node:crypto';
import type { Credential } from '../../credentials/credential.ts';
import { Failure } from '../../failure.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, isOverridden } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import { type RefreshContext, RefreshError } from '../provider.ts';
import { callToken, lifetimeOf } from '../token-exchange.ts';
import { readPrivateKey } from './private-key.ts';

const scope = 'https://www.googleapis.com/auth/cloud-platform';
/** ms before its end at which a token is no longer used. */
const lead = 5 * 60_000;

interface Minted {
  token: string;
  expiresAt: number;
}

/** By content of the key and endpoint, so that a changed file gets a token of its own. Bounded by `forget`. */
const cache = new Map<string, Promise<Minted>>();
const cacheLimit = 1000;

/** A valid token of the account; one exchange at a time per account. Throws `Failure`. */
export async function serviceAccountToken(credential: Credential, context: RefreshContext): Promise<string> {
  const account = objectOf(credential.fields.reveal().service_account) ?? {};
  const url = tokenUrl(account, context);
  const key = createHash('sha256')
    .update(`${url}\0${JSON.stringify(account)}`)
    .digest('hex');
  const known = cache.get(key);
  if (known) {
    const minted = await known.catch(() => undefined);
    if (minted && minted.expiresAt - lead > context.now()) return minted.token;
    if (cache.get(key) === known) cache.delete(key);
  }
  let pending = cache.get(key);
  if (!pending) {
    pending = mint(account, url, credential.proxyUrl, context);
    if (cache.size >= cacheLimit) cache.delete(cache.keys().next().value ?? '');
    cache.set(key, pending);
  }
  try {
    return (await pending).token;
  } catch (error) {
    if (cache.get(key) === pending) cache.delete(key);
    throw asFailure(error);
  }
}

async function mint(
  account: JsonObject,
  url: string,
  proxyUrl: string | undefined,
  context: RefreshContext,
): Promise<Minted> {
  const now = context.now();
  const reply = await callToken(
    {
      provider: 'Vertex AI',
      url,
      form: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: assertion(account, url, now) },
      ...(proxyUrl === undefined ? {} : { proxyUrl }),
    },
    // One exchange serves many requests: none of them may cancel it.
    { ...context, signal: undefined },
  );
  const token = textOf(reply.access_token);
  if (token === '') throw new RefreshError('Vertex AI: token answer without an access token', { permanent: false });
  return { token, expiresAt: now + lifetimeOf(reply) * 1000 };
}

/** RS256 JWT of one hour (https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth). */
export function assertion(account: JsonObject, audience: string, now: number): string {
  const key = readPrivateKey(textOf(account.private_key));
  const keyId = textOf(account.private_key_id);
  const issuedAt = Math.floor(now / 1000);
  const header = { alg: 'RS256', typ: 'JWT', ...(keyId === '' ? {} : { kid: keyId }) };
  const claims = { iss: textOf(account.client_email), scope, aud: audience, iat: issuedAt, exp: issuedAt + 3600 };
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${encode(header)}.${encode(claims)}`;
  return `${unsigned}.${sign('RSA-SHA256', Buffer.from(unsigned), key).toString('base64url')}`;
}

function tokenUrl(account: JsonObject, { config }: RefreshContext): string {
  const own = textOf(account.token_uri);
  return own === '' || isOverridden(config, 'vertex', 'token') ? endpoint(config, 'vertex', 'token') : own;
}

function asFailure(error: unknown): Failure {
  const permanent = !(error instanceof RefreshError) || error.permanent;
  return new Failure({
    kind: permanent ? 'forbidden' : 'transient',
    status: 500,
    message: error instanceof Error ? error.message : 'Vertex AI: no access token',
    scope: 'credential',
    retryAfterMs: error instanceof RefreshError ? error.retryAfterMs : undefined,
    cause: error,
  });
}
