// What the Gemini CLI and Antigravity logins share: Google's authorization page, code exchange and user info
// (auth.md §3.6, §3.7; https://developers.google.com/identity/protocols/oauth2/native-app).
import { loginError } from '../oauth/errors.ts';
import type { RemoteContext } from '../oauth/flow.ts';
import { createPkce, type Pkce } from '../oauth/pkce.ts';
import { sendForJson } from '../oauth/token-request.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { endpoint, oauthClient } from './endpoints.ts';
import { textOf } from './fields.ts';

export type GoogleProvider = 'gemini-cli' | 'antigravity';

const base = 'https://www.googleapis.com/auth/';
const common = [`${base}cloud-platform`, `${base}userinfo.email`, `${base}userinfo.profile`];

export const googleScopes: Readonly<Record<GoogleProvider, readonly string[]>> = {
  'gemini-cli': common,
  antigravity: [...common, `${base}cclog`, `${base}experimentsandconfigs`],
};

/** Google documents PKCE for installed apps; `CLIPROXY_GOOGLE_PKCE=0` leaves it out, should a client be refused. */
export function googlePkce(env: NodeJS.ProcessEnv = process.env): Pkce | undefined {
  return /^(0|off|false|no)$/i.test(env.CLIPROXY_GOOGLE_PKCE ?? '') ? undefined : createPkce();
}

export function googleAuthorizeUrl(
  { config }: Pick<RemoteContext, 'config'>,
  provider: GoogleProvider,
  request: { redirectUri: string; state: string; pkce: Pkce | undefined },
): string {
  const parameters = new URLSearchParams({
    access_type: 'offline',
    client_id: clientOf(config, provider).id,
    prompt: 'consent',
    redirect_uri: request.redirectUri,
    response_type: 'code',
    scope: googleScopes[provider].join(' '),
    state: request.state,
  });
  if (request.pkce !== undefined) {
    parameters.set('code_challenge', request.pkce.challenge);
    parameters.set('code_challenge_method', 'S256');
  }
  return `${endpoint(config, provider, 'authorize')}?${parameters}`;
}

export interface GoogleTokens {
  accessToken: string;
  reply: JsonObject;
}

export async function exchangeGoogleCode(
  context: RemoteContext,
  provider: GoogleProvider,
  grant: { code: string; redirectUri: string; pkce: Pkce | undefined },
): Promise<GoogleTokens> {
  const client = clientOf(context.config, provider);
  const prefix = `${provider} token`;
  const reply = await sendForJson(context, endpoint(context.config, provider, 'token'), {
    step: 'code_exchange_failed',
    prefix,
    method: 'POST',
    form: {
      client_id: client.id,
      client_secret: client.secret ?? '',
      code: grant.code,
      grant_type: 'authorization_code',
      redirect_uri: grant.redirectUri,
      ...(grant.pkce === undefined ? {} : { code_verifier: grant.pkce.verifier }),
    },
  });
  const accessToken = textOf(reply.access_token);
  if (accessToken === '') throw loginError('code_exchange_failed', `${prefix}: missing access token in response`);
  return { accessToken, reply };
}

/** The account's e-mail; both logins need it. */
export async function googleEmail(context: RemoteContext, provider: GoogleProvider, accessToken: string) {
  const step = 'user_info_failed';
  const reply = await sendForJson(context, `${endpoint(context.config, provider, 'user-info')}?alt=json`, {
    step,
    prefix: `${provider} user info`,
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const email = textOf(reply.email);
  if (email === '') throw loginError(step, 'Failed to get user email from token');
  return email;
}

/** Built without Google's public clients, the program says what to set instead of sending an empty id. */
function clientOf(config: RemoteContext['config'], provider: GoogleProvider) {
  const client = oauthClient(config, provider);
  if (client.id && client.secret) return client;
  const name = provider.toUpperCase().replaceAll('-', '_');
  throw loginError(
    'login_failed',
    `no OAuth client for ${provider}: set CLIPROXY_${name}_CLIENT_ID and CLIPROXY_${name}_CLIENT_SECRET, or oauth-clients.${provider} in the config`,
  );
}
