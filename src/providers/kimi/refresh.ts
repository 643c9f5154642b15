// Renewing a Kimi login (auth.md §3.9). 401 and 403 mean: the refresh token is rejected for good.
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { textOf } from '../fields.ts';
import type { RefreshContext, RefreshPolicy } from '../provider.ts';
import { callToken, tokenFields } from '../token-exchange.ts';
import { deviceHeaders, deviceIdOf } from './device.ts';

export const refresh: RefreshPolicy = {
  leadMs: 5 * 60_000,
  canRefresh: (fields) => textOf(fields.refresh_token) !== '',
  refresh: refreshKimi,
};

async function refreshKimi(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const refreshToken = textOf(fields.refresh_token);
  const deviceId = deviceIdOf(fields);
  const reply = await callToken(
    {
      provider: 'Kimi',
      url: endpoint(context.config, 'kimi', 'token'),
      headers: deviceHeaders(deviceId),
      form: {
        client_id: oauthClient(context.config, 'kimi').id,
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
      },
      proxyUrl: textOf(fields.proxy_url),
      secrets: [refreshToken],
      isPermanent: (response) => response.status === 401 || (response.status === 403 && response.json !== undefined),
    },
    context,
  );
  return { ...tokenFields('Kimi', reply, context), device_id: deviceId, type: 'kimi' };
}
