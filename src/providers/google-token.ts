// The refresh grant at Google's token endpoint, shared by the Gemini CLI and Antigravity logins (auth.md §3.6, §3.7).
import type { JsonObject } from '../protocols/neutral.ts';
import { endpoint, isOverridden, oauthClient } from './endpoints.ts';
import { textOf } from './fields.ts';
import { type RefreshContext, RefreshError } from './provider.ts';
import { callToken } from './token-exchange.ts';

export interface GoogleGrant {
  provider: 'gemini-cli' | 'antigravity';
  displayName: string;
  /** Where the file keeps its token and, possibly, the client it was issued to. */
  token: JsonObject;
  proxyUrl: string;
}

/**
 * The client a token was issued to must be the one that refreshes it (RFC 6749 §6), so the file's own comes first; an
 * endpoint set in the config beats the file's `token_uri`, or a mirror could not be used with existing files.
 */
export async function refreshGoogle(grant: GoogleGrant, context: RefreshContext): Promise<JsonObject> {
  const { config } = context;
  const refreshToken = textOf(grant.token.refresh_token);
  if (refreshToken === '') throw new RefreshError(`${grant.displayName}: no refresh token`, { permanent: true });
  const fallback = oauthClient(config, grant.provider);
  const clientId = textOf(grant.token.client_id) || fallback.id;
  const clientSecret = textOf(grant.token.client_secret) || (clientId === fallback.id ? (fallback.secret ?? '') : '');
  const tokenUri = textOf(grant.token.token_uri);
  const url =
    tokenUri === '' || isOverridden(config, grant.provider, 'token')
      ? endpoint(config, grant.provider, 'token')
      : tokenUri;
  return callToken(
    {
      provider: grant.displayName,
      url,
      form: {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: clientId,
        ...(clientSecret === '' ? {} : { client_secret: clientSecret }),
      },
      proxyUrl: grant.proxyUrl,
      secrets: [refreshToken, clientSecret],
    },
    context,
  );
}
