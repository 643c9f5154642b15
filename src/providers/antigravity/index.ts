// Antigravity: Google accounts using Cloud Code Assist as the Antigravity editor does.
import { readExpiry, readLastRefresh } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { numberOf, optionalText } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { refresh } from './refresh.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'antigravity',
  displayName: 'Antigravity',
  fileTypes: ['antigravity'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  refresh,
  upstream,
  models,
  loginCommand: './cliproxy -antigravity-login',
};

function readCredential(fields: JsonObject): CredentialFacts {
  const issuedAt = numberOf(fields.timestamp);
  const lifetime = numberOf(fields.expires_in);
  return {
    kind: 'oauth',
    label: optionalText(fields.email),
    email: optionalText(fields.email),
    token: optionalText(fields.access_token),
    refreshToken: optionalText(fields.refresh_token),
    expiresAt:
      readExpiry(fields) ??
      (issuedAt === undefined || lifetime === undefined ? undefined : issuedAt + lifetime * 1_000),
    // Files of other programs have `timestamp` (unix ms) instead.
    lastRefreshAt: readLastRefresh(fields) ?? issuedAt,
    baseUrl: optionalText(fields.base_url),
    projectId: optionalText(fields.project_id),
  };
}
