// Keeping an iFlow login alive: OAuth tokens with their user info (auth.md §3.1), or the API key of a stored browser
// session (auth.md §3.2).
import { formatInstant, parseInstant } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import { type RefreshContext, RefreshError, type RefreshPolicy } from '../provider.ts';
import { callToken, type RefusedToken, readRefusal, tokenFields } from '../token-exchange.ts';

/** Life that a renewed key is given when the answer names none that can be read, in ms. */
const assumedKeyLife = 48 * 3_600_000;

export const refresh: RefreshPolicy = {
  leadMs: 24 * 3_600_000,
  canRefresh: (fields, config) =>
    textOf(fields.refresh_token) !== '' || (isCookieLogin(fields) && config?.iflow['cookie-auto-renew'] !== false),
  refresh: (fields, context) =>
    textOf(fields.refresh_token) === '' ? renewApiKey(fields, context) : refreshTokens(fields, context),
};

function isCookieLogin(fields: JsonObject): boolean {
  return sessionCookie(fields) !== undefined && keyName(fields) !== '';
}

/** iFlow's session cookie, ready for a `Cookie` header; undefined when the file has none (a bad paste). */
function sessionCookie(fields: JsonObject): string | undefined {
  const cookie = textOf(fields.cookie);
  if (/(?:^|;\s*)BXAuth=[^;\s]/.test(cookie)) return cookie;
  const bxAuth = textOf(fields.bx_auth);
  return bxAuth === '' ? undefined : `BXAuth=${bxAuth};`;
}

/** Older files keep the name of the key in `email` (auth.md §3.2). */
function keyName(fields: JsonObject): string {
  return textOf(fields.key_name) || textOf(fields.email);
}

async function refreshTokens(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const client = oauthClient(context.config, 'iflow');
  const refreshToken = textOf(fields.refresh_token);
  const proxyUrl = textOf(fields.proxy_url);
  const secret = client.secret ?? '';
  const reply = await callToken(
    {
      provider: 'iFlow',
      url: endpoint(context.config, 'iflow', 'token'),
      headers: { authorization: `Basic ${Buffer.from(`${client.id}:${secret}`).toString('base64')}` },
      form: {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: client.id,
        client_secret: secret,
      },
      proxyUrl,
      secrets: [refreshToken, secret],
      isPermanent: (_, refusal) => isRejected(refusal),
    },
    context,
  );
  // "Busy" comes as 200 with code 500 and must not end the login; a code like 40101 does.
  const renewed = tokenFields('iFlow', reply, context, { permanent: isRejected(readRefusal(reply)) });
  return { ...renewed, ...(await readUserInfo(textOf(renewed.access_token), proxyUrl, context)), type: 'iflow' };
}

async function readUserInfo(accessToken: string, proxyUrl: string, context: RefreshContext): Promise<JsonObject> {
  const reply = await callToken(
    {
      provider: 'iFlow user info',
      method: 'GET',
      url: `${endpoint(context.config, 'iflow', 'user-info')}?accessToken=${encodeURIComponent(accessToken)}`,
      proxyUrl,
      secrets: [accessToken],
    },
    context,
  );
  const user = objectOf(reply.data);
  const apiKey = textOf(user?.apiKey);
  if (reply.success !== true) throw refusedBy('iFlow user info: request not successful', reply);
  if (apiKey === '') throw new RefreshError('iFlow user info: no API key in the answer', { permanent: false });
  const account = textOf(user?.email) || textOf(user?.phone);
  return account === '' ? { api_key: apiKey } : { api_key: apiKey, account };
}

/** The key is replaced by the call: the one before stops working (auth.md §3.2, step 2). */
async function renewApiKey(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const cookie = sessionCookie(fields);
  if (cookie === undefined) {
    throw new RefreshError('iFlow: no session cookie in the file', { permanent: true });
  }
  if (!context.config.iflow['cookie-auto-renew']) {
    throw new RefreshError('iFlow: renewal of cookie logins is switched off (iflow.cookie-auto-renew)', {
      permanent: false,
    });
  }
  const url = endpoint(context.config, 'iflow', 'api-key');
  const origin = new URL(url).origin;
  const reply = await callToken(
    {
      provider: 'iFlow API key',
      url,
      headers: { cookie, origin, referer: `${origin}/` },
      json: { name: keyName(fields) },
      proxyUrl: textOf(fields.proxy_url),
      secrets: [cookie, textOf(fields.bx_auth)],
      isPermanent: (response) => response.status === 401 || response.status === 403,
    },
    context,
  );
  if (reply.success !== true) throw refusedBy('iFlow API key: request not successful', reply);
  const key = objectOf(reply.data);
  const apiKey = textOf(key?.apiKey);
  if (apiKey === '') throw new RefreshError('iFlow API key: no key in the answer', { permanent: false });
  const now = context.now();
  const expireTime = textOf(key?.expireTime);
  const renewed: JsonObject = {
    api_key: apiKey,
    expired: formatInstant(parseInstant(expireTime) ?? now + assumedKeyLife),
    last_refresh: formatInstant(now),
    type: 'iflow',
  };
  if (expireTime !== '') renewed.expire_raw = expireTime;
  const name = textOf(key?.name);
  if (name !== '') renewed.key_name = name;
  return renewed;
}

/** iFlow's own codes: 401, 403, 40101, ... mean that the session or token is gone. */
function isRejected(refusal: RefusedToken): boolean {
  return /^40[13]/.test(refusal.code);
}

function refusedBy(what: string, reply: JsonObject): RefreshError {
  const refusal = readRefusal(reply);
  const said = [refusal.code, refusal.description].filter(Boolean).join(' - ').slice(0, 300);
  return new RefreshError(`${what}${said === '' ? '' : `: ${said}`}`, { permanent: isRejected(refusal) });
}
