// Logging in to iFlow with a browser (auth.md §3.1); the dialogue is the documented one, word for word.
import type { Credential } from '../../credentials/credential.ts';
import { formatInstant } from '../../credentials/expiry.ts';
import { askForEmail, isEmail } from '../../oauth/email.ts';
import { answerError, loginError } from '../../oauth/errors.ts';
import { iflowFileName } from '../../oauth/file-name.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext, RemoteLogin } from '../../oauth/flow.ts';
import { logInWithBrowser } from '../../oauth/interactive.ts';
import { withRemoteTexts } from '../../oauth/remote-texts.ts';
import { doneWith, fileOf, filesOf, listOlderFiles, pathOf, saveUnderFreeName } from '../../oauth/save.ts';
import { send, sendForJson } from '../../oauth/token-request.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import type { ProviderLogins } from '../provider.ts';
import { lifetimeOf } from '../token-exchange.ts';
import { logInWithCookie } from './cookie-login.ts';

const callback = { port: 11451, path: '/oauth2callback' } as const;

/** What the two calls of the exchange told. */
interface IflowTokens {
  reply: JsonObject;
  apiKey: string;
  /** E-mail or phone number, as iFlow knows the account. */
  account: string;
}

export const logins: ProviderLogins = {
  cli: { 'iflow-login': logIn, 'iflow-cookie': logInWithCookie },
  get remote() {
    return remote;
  },
};

async function logIn(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const { config, terminal, store } = context;
  const tokens = await logInWithBrowser(context, request, {
    name: 'iFlow',
    ...callback,
    fixedRedirect: false,
    errorPrefix: 'iflow auth: ',
    answers: {
      successUrl: endpoint(config, 'iflow', 'success-page'),
      failureUrl: endpoint(config, 'iflow', 'error-page'),
    },
    authorizeUrl: (redirectUri, state) => authorizeUrl(context, redirectUri, state),
    exchange: (code, redirectUri) => exchange(context, code, redirectUri),
  });
  const email = await askForEmail(terminal, context.signal, request.email);
  if (isEmail(tokens.account) && tokens.account.toLowerCase() !== email.toLowerCase()) {
    terminal.warn(`iFlow knows this account as ${tokens.account}; it is saved under ${email}.`);
  }
  const older = sameAccount(store, tokens.account, email);
  const saved = await save(context, tokens, email);
  terminal.print(`Authentication saved to ${pathOf(saved)}`);
  listOlderFiles(
    terminal,
    older.filter((name) => name !== fileOf(saved)),
  );
  terminal.print('iFlow authentication successful!');
  return { path: pathOf(saved) };
}

const remote: RemoteLogin = {
  key: 'iflow',
  canonical: 'iflow',
  aliases: ['iflow', 'i-flow'],
  kind: 'callback',
  callback,
  async start(context, { state, email }) {
    const redirectUri = `http://localhost:${callback.port}${callback.path}`;
    return {
      url: authorizeUrl(context, redirectUri, state),
      complete: (code, signal) =>
        withRemoteTexts(
          { login_failed: 'Authentication failed', save_failed: 'Failed to save authentication tokens' },
          async () => {
            const tokens = await exchange({ ...context, signal }, code, redirectUri);
            // No question can be asked here: the provider's own identity has to do.
            const name = email?.trim() || tokens.account;
            return doneWith(await save(context, tokens, name), name);
          },
        ),
    };
  },
};

/** iFlow says `redirect`, not `redirect_uri`; it knows neither scope nor response_type. */
function authorizeUrl({ config }: Pick<RemoteContext, 'config'>, redirectUri: string, state: string): string {
  const parameters = new URLSearchParams({
    client_id: oauthClient(config, 'iflow').id,
    loginMethod: 'phone',
    redirect: redirectUri,
    state,
    type: 'phone',
  });
  return `${endpoint(config, 'iflow', 'authorize')}?${parameters}`;
}

async function exchange(context: RemoteContext, code: string, redirectUri: string): Promise<IflowTokens> {
  const { config } = context;
  const client = oauthClient(config, 'iflow');
  const secret = client.secret ?? '';
  const response = await send(context, endpoint(config, 'iflow', 'token'), {
    step: 'code_exchange_failed',
    prefix: 'iflow token',
    method: 'POST',
    // Client credentials in both places, as iFlow's own page sends them.
    headers: { authorization: `Basic ${Buffer.from(`${client.id}:${secret}`).toString('base64')}` },
    form: {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      client_id: client.id,
      client_secret: secret,
    },
  });
  const reply = response.json;
  if (response.status !== 200 || reply === undefined) {
    throw answerError('code_exchange_failed', 'iflow token', response, config);
  }
  const accessToken = textOf(reply.access_token);
  if (accessToken === '') {
    // Seen live: 200 with {"success":false,"code":"500","message":"... busy ..."}.
    throw answerError('code_exchange_failed', 'iflow token: missing access token in response', response, config);
  }
  return { reply, ...(await userInfo(context, accessToken)) };
}

async function userInfo(context: RemoteContext, accessToken: string): Promise<Pick<IflowTokens, 'apiKey' | 'account'>> {
  const url = `${endpoint(context.config, 'iflow', 'user-info')}?accessToken=${encodeURIComponent(accessToken)}`;
  const step = 'user_info_failed';
  const reply = await sendForJson(context, url, { step, prefix: 'iflow token: fetch user info failed' });
  if (reply.success !== true) throw loginError(step, 'iflow api key: request not successful');
  const user = objectOf(reply.data);
  const apiKey = textOf(user?.apiKey);
  if (apiKey === '') throw loginError(step, 'iflow api key: missing api key in response');
  const account = textOf(user?.email) || textOf(user?.phone);
  if (account === '') throw loginError(step, 'iflow token: missing account email/phone in user info');
  return { apiKey, account };
}

function save(context: Pick<RemoteContext, 'store' | 'now'>, tokens: IflowTokens, email: string): Promise<Credential> {
  const now = context.now();
  const { reply } = tokens;
  return saveUnderFreeName(context.store, (attempt) => iflowFileName(email, now, attempt), {
    access_token: textOf(reply.access_token),
    account: tokens.account,
    api_key: tokens.apiKey,
    cookie: '',
    disabled: false,
    email,
    expired: formatInstant(now + lifetimeOf(reply) * 1_000),
    last_refresh: formatInstant(now),
    refresh_token: textOf(reply.refresh_token),
    scope: textOf(reply.scope),
    token_type: textOf(reply.token_type),
    type: 'iflow',
  });
}

function sameAccount(store: LoginContext['store'], account: string, email: string): string[] {
  return filesOf(store, 'iflow')
    .filter(({ fields }) => textOf(fields.account) === account && textOf(fields.email) === email)
    .map(({ name }) => name);
}
