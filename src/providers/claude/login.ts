// Logging in to Claude (auth.md §3.3): authorization code with PKCE, one registered redirect URI.
import type { Credential } from '../../credentials/credential.ts';
import { formatInstant } from '../../credentials/expiry.ts';
import { loginError } from '../../oauth/errors.ts';
import { claudeFileName } from '../../oauth/file-name.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext, RemoteLogin } from '../../oauth/flow.ts';
import { logInWithBrowser } from '../../oauth/interactive.ts';
import { keepPending, type PendingLogin, resumePending } from '../../oauth/pending.ts';
import { createPkce } from '../../oauth/pkce.ts';
import { withRemoteTexts } from '../../oauth/remote-texts.ts';
import { doneWith, filesOf, pathOf, saveLogin } from '../../oauth/save.ts';
import { send, sendForJson } from '../../oauth/token-request.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import type { ProviderLogins } from '../provider.ts';
import { lifetimeOf } from '../token-exchange.ts';

const callback = { port: 54545, path: '/callback' } as const;
const redirectUri = `http://localhost:${callback.port}${callback.path}`;
const scope = 'user:profile user:inference user:sessions:claude_code user:mcp_servers user:file_upload';

export const logins: ProviderLogins = {
  cli: { 'claude-login': logIn },
  get remote() {
    return remote;
  },
};

async function logIn(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const resumed = await resumePending(context, 'claude', request, (pending) => finishPending(context, pending));
  const saved = resumed ?? (await logInAnew(context, request));
  context.terminal.print('Claude authentication successful');
  context.terminal.print(`Authentication saved to ${pathOf(saved)}`);
  context.terminal.print('Claude authentication successful!');
  return { path: pathOf(saved) };
}

function logInAnew(context: LoginContext, request: LoginRequest): Promise<Credential> {
  const { verifier, challenge } = createPkce();
  return logInWithBrowser(context, request, {
    name: 'Claude',
    ...callback,
    fixedRedirect: true,
    errorPrefix: '',
    answers: { successUrl: '/success' },
    authorizeUrl: (_, state) => authorizeUrl(context, state, challenge),
    exchange: (code, _, state) => exchangeAndSave(context, { code, state, verifier }),
  });
}

/** What was missing was whose account it is (R7). */
async function finishPending(context: LoginContext, { fields }: PendingLogin): Promise<Credential> {
  const { pending: _, ...tokens } = fields;
  const whole = { ...tokens, disabled: false, ...(await identity(context, textOf(fields.access_token), {})) };
  return saveLogin(context.store, fileName(context, whole), whole);
}

const remote: RemoteLogin = {
  key: 'anthropic',
  canonical: 'anthropic',
  aliases: ['anthropic', 'claude'],
  kind: 'callback',
  callback,
  async start(context, { state }) {
    const { verifier, challenge } = createPkce();
    return {
      url: authorizeUrl(context, state, challenge),
      complete: (code, signal) =>
        withRemoteTexts(
          {
            code_exchange_failed: 'Failed to exchange authorization code for tokens',
            user_info_failed: 'Failed to exchange authorization code for tokens',
            save_failed: 'Failed to save authentication tokens',
          },
          async () => {
            const saved = await exchangeAndSave({ ...context, signal }, { code, state, verifier });
            return doneWith(saved, saved.email);
          },
        ),
    };
  },
};

function authorizeUrl({ config }: Pick<RemoteContext, 'config'>, state: string, challenge: string): string {
  const parameters = new URLSearchParams({
    code: 'true',
    client_id: oauthClient(config, 'claude').id,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state,
  });
  return `${endpoint(config, 'claude', 'authorize')}?${parameters}`;
}

interface Grant {
  code: string;
  state: string;
  verifier: string;
}

async function exchangeAndSave(context: RemoteContext, grant: Grant): Promise<Credential> {
  const fields = await exchange(context, grant);
  return saveLogin(context.store, fileName(context, fields), fields);
}

/** The token endpoint takes JSON and wants the state as well; a `#state` suffix of the code goes there. */
async function exchange(context: RemoteContext, { code, state, verifier }: Grant): Promise<JsonObject> {
  const { config } = context;
  const [bare = '', suffix] = code.split('#');
  const reply = await sendForJson(context, endpoint(config, 'claude', 'token'), {
    step: 'code_exchange_failed',
    prefix: 'claude token',
    method: 'POST',
    json: {
      grant_type: 'authorization_code',
      code: bare,
      state: suffix || state,
      client_id: oauthClient(config, 'claude').id,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    },
  });
  const accessToken = textOf(reply.access_token);
  if (accessToken === '') throw loginError('code_exchange_failed', 'claude token: missing access token in response');
  const now = context.now();
  const tokens = {
    access_token: accessToken,
    disabled: false,
    expired: formatInstant(now + lifetimeOf(reply) * 1_000),
    id_token: '',
    last_refresh: formatInstant(now),
    refresh_token: textOf(reply.refresh_token),
    type: 'claude',
  };
  try {
    return { ...tokens, ...(await identity(context, accessToken, reply)) };
  } catch (error) {
    throw await keepPending(context, 'claude', tokens, error);
  }
}

/** Told with the tokens; an answer without it is completed from the profile. Rejects when nobody tells. */
async function identity(context: RemoteContext, accessToken: string, reply: JsonObject): Promise<JsonObject> {
  const told = readIdentity(reply);
  if (told.email !== '') return told;
  const response = await send(context, endpoint(context.config, 'claude', 'profile'), {
    step: 'user_info_failed',
    prefix: 'claude profile',
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const profile = response.status === 200 && response.json !== undefined ? readIdentity(response.json) : told;
  if (profile.email === '') throw loginError('user_info_failed', 'claude token storage missing account information');
  return profile;
}

function readIdentity(reply: JsonObject) {
  const account = objectOf(reply.account);
  const organization = objectOf(reply.organization);
  return {
    account_uuid: textOf(account?.uuid),
    email: textOf(account?.email_address) || textOf(account?.email),
    organization_name: textOf(organization?.name),
    organization_uuid: textOf(organization?.uuid),
  };
}

/** The same account keeps its file; another organization of the same person gets its own (R8). */
function fileName({ store }: Pick<RemoteContext, 'store'>, fields: JsonObject): string {
  const email = textOf(fields.email);
  const organization = textOf(fields.organization_uuid);
  const same = filesOf(store, 'claude').filter((file) => textOf(file.fields.email) === email);
  const own = same.find((file) => organization !== '' && textOf(file.fields.organization_uuid) === organization);
  if (own !== undefined) return own.name;
  const plainName = claudeFileName(email);
  const holder = same.find((file) => file.name === plainName);
  const other = holder !== undefined && textOf(holder.fields.organization_uuid) !== '' && organization !== '';
  return other ? claudeFileName(email, organization) : plainName;
}
