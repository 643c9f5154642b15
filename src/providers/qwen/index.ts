// Qwen: accounts of chat.qwen.ai, logged in by device flow.
import { readExpiry, readLastRefresh } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { optionalText } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { refresh } from './refresh.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'qwen',
  displayName: 'Qwen',
  fileTypes: ['qwen'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  refresh,
  upstream,
  models,
  loginCommand: './cliproxy -qwen-login',
};

function readCredential(fields: JsonObject): CredentialFacts {
  return {
    kind: 'oauth',
    label: optionalText(fields.email),
    email: optionalText(fields.email),
    token: optionalText(fields.access_token),
    refreshToken: optionalText(fields.refresh_token),
    expiresAt: readExpiry(fields),
    lastRefreshAt: readLastRefresh(fields),
    baseUrl: optionalText(fields.base_url),
  };
}
