// Renewing a Codex (ChatGPT) login: one form call (auth.md §3.4). `refresh_token_reused` ends the login at once.
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import type { RefreshContext, RefreshPolicy } from '../provider.ts';
import { callToken, tokenFields } from '../token-exchange.ts';

export const refresh: RefreshPolicy = {
  leadMs: 5 * 24 * 3_600_000,
  canRefresh: (fields) => textOf(fields.refresh_token) !== '',
  refresh: refreshCodex,
};

async function refreshCodex(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const refreshToken = textOf(fields.refresh_token);
  const reply = await callToken(
    {
      provider: 'Codex',
      url: endpoint(context.config, 'codex', 'token'),
      form: {
        client_id: oauthClient(context.config, 'codex').id,
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        scope: 'openid profile email',
      },
      proxyUrl: textOf(fields.proxy_url),
      secrets: [refreshToken],
      // The reuse code stands in different members over time; the word itself is stable (auth.md §3.4).
      isPermanent: (response) => response.text.includes('refresh_token_reused'),
    },
    context,
  );
  const renewed = tokenFields('Codex', reply, context);
  const claims = readClaims(textOf(reply.id_token));
  const email = textOf(claims?.email);
  const accountId = textOf(objectOf(claims?.['https://api.openai.com/auth'])?.chatgpt_account_id);
  if (email !== '') renewed.email = email;
  if (accountId !== '') renewed.account_id = accountId;
  return { ...renewed, type: 'codex' };
}

/** Payload of a JWT, unverified: it came from the issuer itself over TLS (OpenID Connect Core §3.1.3.7, point 6). */
function readClaims(jwt: string): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8')));
  } catch {
    return undefined;
  }
}
