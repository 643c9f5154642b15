// Renewing a Gemini CLI login: on demand, shortly before the token ends; the new token goes into the nested `token`
// object, which is where the file's other readers look (auth.md §3.6).
import { readExpiry } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { objectOf, textOf } from '../fields.ts';
import { refreshGoogle } from '../google-token.ts';
import type { RefreshContext, RefreshPolicy } from '../provider.ts';
import { lifetimeOf, tokenFields } from '../token-exchange.ts';

export const refresh: RefreshPolicy = {
  leadMs: 0,
  requestLeadMs: 10_000,
  canRefresh: (fields) => textOf(tokenObject(fields).refresh_token) !== '',
  refresh: refreshGemini,
};

/** The file's token: nested as every known writer does it, else the file itself. */
export function tokenObject(fields: JsonObject): JsonObject {
  return objectOf(fields.token) ?? objectOf(fields.Token) ?? fields;
}

async function refreshGemini(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const token = tokenObject(fields);
  const reply = await refreshGoogle(
    { provider: 'gemini-cli', displayName: 'Gemini CLI', token, proxyUrl: textOf(fields.proxy_url) },
    context,
  );
  const { expired = null, ...renewed } = tokenFields('Gemini CLI', reply, context);
  if (token === fields) return { ...renewed, expired, type: 'gemini' };
  const { last_refresh = null, ...words } = renewed;
  return {
    token: { ...token, ...words, expires_in: lifetimeOf(reply), expiry: expired },
    last_refresh,
    // A time at the top would hide `token.expiry` from every reader; it is only kept up where it already stands.
    ...(readExpiry({ ...fields, token: null, Token: null }) === undefined ? {} : { expired }),
    type: 'gemini',
  };
}
