// The credential file that a finished login of an account would have left (auth.md §3).
import { formatInstant } from '../../src/credentials/expiry.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { type Account, uuidFrom } from './accounts.ts';

export interface CredentialFile {
  name: string;
  fields: JsonObject;
}

/** `origin`: the world's, for URLs inside the file. */
export function credentialFile(account: Account, origin: string): CredentialFile {
  const { email, accessToken: access_token, refreshToken: refresh_token } = account;
  const expired = formatInstant(account.expiresAt);
  const last_refresh = formatInstant(Math.min(Date.now(), account.expiresAt) - 1_000);
  const common = { access_token, refresh_token, email, expired, last_refresh, disabled: false };
  switch (account.provider) {
    case 'iflow':
      return {
        name: `iflow-${email}-1700000000.json`,
        fields: { ...common, api_key: account.apiKey, cookie: '', scope: 'read', token_type: 'bearer', type: 'iflow' },
      };
    case 'claude':
      return {
        name: `claude-${email}.json`,
        fields: {
          ...common,
          account_uuid: account.uuid,
          organization_uuid: uuidFrom(`org/${account.name}`),
          organization_name: `${account.name}'s Organization`,
          id_token: '',
          type: 'claude',
        },
      };
    case 'codex':
      return {
        name: `codex-${email}-${account.plan}.json`,
        fields: { ...common, id_token: account.idToken, account_id: account.uuid, type: 'codex' },
      };
    case 'gemini-cli':
      return {
        name: `gemini-${email}-${account.projects.length === 1 ? account.projects[0] : 'all'}.json`,
        fields: {
          auto: false,
          checked: true,
          disabled: false,
          email,
          project_id: account.projects.join(','),
          token: {
            access_token,
            refresh_token,
            expiry: expired,
            expires_in: 3_599,
            token_type: 'Bearer',
            token_uri: `${origin}/gemini-cli/token`,
            universe_domain: 'googleapis.com',
          },
          type: 'gemini',
        },
      };
    case 'antigravity':
      return {
        name: `antigravity-${email}.json`,
        fields: {
          ...common,
          project_id: account.projects[0] ?? '',
          expires_in: 3_599,
          timestamp: account.expiresAt - 3_599_000,
          type: 'antigravity',
        },
      };
    case 'qwen':
      return { name: `qwen-${email}.json`, fields: { ...common, resource_url: 'portal.qwen.ai', type: 'qwen' } };
    case 'kimi':
      return {
        name: `kimi-1700000000000-${account.name}.json`,
        fields: { ...common, device_id: account.uuid, scope: 'kimi-code', token_type: 'Bearer', type: 'kimi' },
      };
    default:
      throw new Error(`${account.provider} has no credential file`);
  }
}

/** iFlow's other kind of file: a key from a browser session. */
export function cookieFile(account: Account): CredentialFile {
  return {
    name: `iflow-${account.email}-1700000001.json`,
    fields: {
      access_token: '',
      api_key: account.apiKey,
      bx_auth: account.cookie,
      cookie: `SessionID=zz; BXAuth=${account.cookie}; Token=t1;`,
      disabled: false,
      email: account.email,
      expire_raw: account.keyExpires,
      expired: `${account.keyExpires.replace(' ', 'T')}:00Z`,
      key_name: account.keyName,
      last_refresh: formatInstant(Date.now()),
      refresh_token: '',
      type: 'iflow',
    },
  };
}
