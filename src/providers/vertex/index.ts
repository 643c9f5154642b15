// Vertex AI: service accounts and API keys.
import type { JsonObject } from '../../protocols/neutral.ts';
import { objectOf, optionalText } from '../fields.ts';
import type { CredentialFacts, Provider } from '../provider.ts';
import { models } from './models.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'vertex',
  displayName: 'Vertex AI',
  fileTypes: ['vertex'],
  readCredential,
  logins: async () => (await import('./login.ts')).logins,
  upstream,
  models,
  loginCommand: './cliproxy -vertex-import <key.json>',
};

/** No token: one is minted from the key when it is needed. */
function readCredential(fields: JsonObject): CredentialFacts {
  const account = objectOf(fields.service_account);
  const projectId = optionalText(fields.project_id) ?? optionalText(account?.project_id);
  const email = optionalText(fields.email) ?? optionalText(account?.client_email);
  return {
    kind: 'service-account',
    label: email ?? projectId,
    email,
    projectId,
    location: optionalText(fields.location) ?? 'us-central1',
    baseUrl: optionalText(fields.base_url),
  };
}
