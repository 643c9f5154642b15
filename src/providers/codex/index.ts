// Codex: ChatGPT plans and keys of Responses-speaking upstreams.
import { readExpiry, readLastRefresh } from '../../credentials/expiry.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { objectOf, optionalText, parseObject, textOf } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { refresh } from './refresh.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'codex',
  displayName: 'Codex',
  fileTypes: ['codex'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  refresh,
  upstream,
  models,
  loginCommand: './cliproxy -codex-login',
};

function readCredential(fields: JsonObject): CredentialFacts {
  const email = optionalText(fields.email) ?? optionalText(claims(fields)?.email);
  return {
    kind: 'oauth',
    label: email ?? optionalText(fields.account_id),
    email,
    token: optionalText(fields.access_token),
    refreshToken: optionalText(fields.refresh_token),
    expiresAt: readExpiry(fields),
    lastRefreshAt: readLastRefresh(fields),
    baseUrl: optionalText(fields.base_url),
    plan: planOf(fields),
  };
}

const authClaim = 'https://api.openai.com/auth';

function planOf(fields: JsonObject): string | undefined {
  const told = objectOf(claims(fields)?.[authClaim])?.chatgpt_plan_type;
  return optionalText(told)?.toLowerCase() ?? optionalText(fields.plan_type)?.toLowerCase();
}

/** Payload of the stored id token, unverified: the login got it from the issuer over TLS. */
function claims(fields: JsonObject): JsonObject | undefined {
  return parseObject(Buffer.from(textOf(fields.id_token).split('.')[1] ?? '', 'base64url').toString('utf8'));
}
