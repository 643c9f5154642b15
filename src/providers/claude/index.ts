// Anthropic's Messages API: Claude subscriptions and API keys.
import { readExpiry, readLastRefresh } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { optionalText } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { refresh } from './refresh.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'claude',
  displayName: 'Claude',
  fileTypes: ['claude'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  refresh,
  upstream,
  models,
  loginCommand: './cliproxy -claude-login',
};

function readCredential(fields: JsonObject): CredentialFacts {
  const email = optionalText(fields.email);
  const accessToken = optionalText(fields.access_token);
  return {
    kind: accessToken === undefined && optionalText(fields.api_key) !== undefined ? 'api-key' : 'oauth',
    label: email,
    email,
    token: accessToken ?? optionalText(fields.api_key),
    refreshToken: optionalText(fields.refresh_token),
    expiresAt: readExpiry(fields),
    lastRefreshAt: readLastRefresh(fields),
    baseUrl: optionalText(fields.base_url),
  };
}
