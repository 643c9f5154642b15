// Renewing a Qwen login (auth.md §3.8). The answer may move the account to another host (`resource_url`).
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { textOf } from '../fields.ts';
import type { RefreshContext, RefreshPolicy } from '../provider.ts';
import { callToken, tokenFields } from '../token-exchange.ts';

export const refresh: RefreshPolicy = {
  leadMs: 20 * 60_000,
  canRefresh: (fields) => textOf(fields.refresh_token) !== '',
  refresh: refreshQwen,
};

async function refreshQwen(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const refreshToken = textOf(fields.refresh_token);
  const reply = await callToken(
    {
      provider: 'Qwen',
      url: endpoint(context.config, 'qwen', 'token'),
      form: {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: oauthClient(context.config, 'qwen').id,
      },
      proxyUrl: textOf(fields.proxy_url),
      secrets: [refreshToken],
      // Qwen says `invalid_request` where RFC 6749 has `invalid_grant`.
      isPermanent: (response, refusal) => response.status === 400 && /refresh.?token/i.test(refusal.description),
    },
    context,
  );
  const renewed = tokenFields('Qwen', reply, context);
  const resourceUrl = textOf(reply.resource_url);
  if (resourceUrl !== '') renewed.resource_url = resourceUrl;
  return { ...renewed, type: 'qwen' };
}
