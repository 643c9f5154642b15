// Kimi: coding accounts of kimi.com, logged in by device flow.
import { readExpiry, readLastRefresh } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { optionalText, textOf } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { refresh } from './refresh.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'kimi',
  displayName: 'Kimi',
  fileTypes: ['kimi'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  refresh,
  upstream,
  models,
  loginCommand: './cliproxy -kimi-login',
};

/** Kimi tells nobody's e-mail: all its accounts share one label unless the user gave another. */
function readCredential(fields: JsonObject): CredentialFacts {
  return {
    kind: 'oauth',
    label: textOf(fields.email) || 'Kimi User',
    email: optionalText(fields.email),
    token: optionalText(fields.access_token),
    refreshToken: optionalText(fields.refresh_token),
    expiresAt: readExpiry(fields),
    lastRefreshAt: readLastRefresh(fields),
    baseUrl: optionalText(fields.base_url),
  };
}
