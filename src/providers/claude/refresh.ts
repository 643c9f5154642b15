// Renewing a Claude login: one JSON call (auth.md §3.3).
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import type { RefreshContext, RefreshPolicy } from '../provider.ts';
import { callToken, tokenFields } from '../token-exchange.ts';

export const refresh: RefreshPolicy = {
  leadMs: 4 * 3_600_000,
  // Setup tokens come without a refresh token and live until they end.
  canRefresh: (fields) => textOf(fields.refresh_token) !== '',
  refresh: refreshClaude,
};

async function refreshClaude(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const refreshToken = textOf(fields.refresh_token);
  const reply = await callToken(
    {
      provider: 'Claude',
      url: endpoint(context.config, 'claude', 'token'),
      json: {
        client_id: oauthClient(context.config, 'claude').id,
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
      },
      proxyUrl: textOf(fields.proxy_url),
      secrets: [refreshToken],
    },
    context,
  );
  const renewed = tokenFields('Claude', reply, context);
  const told: Record<string, string> = {
    email: textOf(objectOf(reply.account)?.email_address),
    account_uuid: textOf(objectOf(reply.account)?.uuid),
    organization_uuid: textOf(objectOf(reply.organization)?.uuid),
    organization_name: textOf(objectOf(reply.organization)?.name),
  };
  for (const [key, value] of Object.entries(told)) if (value !== '') renewed[key] = value;
  return { ...renewed, type: 'claude' };
}
