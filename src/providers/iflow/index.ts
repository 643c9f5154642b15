// iFlow: API keys obtained by an OAuth login or from a browser session.
import { readExpiry, readLastRefresh } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { optionalText, textOf } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { refresh } from './refresh.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'iflow',
  displayName: 'iFlow',
  fileTypes: ['iflow'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  refresh,
  upstream,
  models,
  loginCommand: './cliproxy -iflow-login',
  loginCommands: { cookie: './cliproxy -iflow-cookie' },
};

/** Chat goes out with `api_key`; the access token only serves to get one. */
function readCredential(fields: JsonObject): CredentialFacts {
  const refreshToken = optionalText(fields.refresh_token);
  return {
    kind: kindOf(fields),
    label: textOf(fields.email) || textOf(fields.account) || textOf(fields.key_name),
    email: optionalText(fields.email),
    token: optionalText(fields.api_key),
    refreshToken,
    expiresAt: readExpiry(fields),
    lastRefreshAt: readLastRefresh(fields),
    baseUrl: optionalText(fields.base_url),
  };
}

function kindOf(fields: JsonObject): CredentialFacts['kind'] {
  if (textOf(fields.refresh_token) !== '' || textOf(fields.access_token) !== '') return 'oauth';
  return textOf(fields.cookie) !== '' || textOf(fields.bx_auth) !== '' ? 'cookie' : 'api-key';
}
