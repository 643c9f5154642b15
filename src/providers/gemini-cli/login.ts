// Logging in to Gemini CLI with a Google account (auth.md §3.6): authorization, project, onboarding, API check.
import type { Credential } from '../../credentials/credential.ts';
import { formatInstant, readExpiry } from '../../credentials/expiry.ts';
import { loginError } from '../../oauth/errors.ts';
import { geminiFileName } from '../../oauth/file-name.ts';
import {
  type LoginContext,
  LoginError,
  type LoginRequest,
  type LoginResult,
  type RemoteContext,
  type RemoteLogin,
} from '../../oauth/flow.ts';
import { logInWithBrowser } from '../../oauth/interactive.ts';
import { dropPending, keepPending, type PendingLogin, resumePending } from '../../oauth/pending.ts';
import { withRemoteTexts } from '../../oauth/remote-texts.ts';
import { doneWith, pathOf, saveLogin } from '../../oauth/save.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import { exchangeGoogleCode, googleAuthorizeUrl, googleEmail, googlePkce, googleScopes } from '../google-login.ts';
import { refreshGoogle } from '../google-token.ts';
import type { ProviderLogins } from '../provider.ts';
import { lifetimeOf } from '../token-exchange.ts';
import { type Choice, chooseProjects, listProjects, selectProjects } from './projects.ts';
import { type SetUp, type SetUpDialogue, setUpProjects } from './setup.ts';

const callback = { port: 8085, path: '/oauth2callback' } as const;

/** A finished authorization: everything of the file but the project. */
interface Authorized {
  token: JsonObject;
  email: string;
}

export const logins: ProviderLogins = {
  cli: { login: logIn },
  get remote() {
    return remote;
  },
};

async function logIn(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const resumed = await resumePending(context, 'gemini-cli', request, async (pending) =>
    finish(context, request, await refreshed(context, pending)),
  );
  return resumed ?? (await logInAnew(context, request));
}

async function logInAnew(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const pkce = googlePkce(context.env);
  const authorized = await logInWithBrowser(context, request, {
    name: 'Gemini',
    ...callback,
    fixedRedirect: false,
    errorPrefix: '',
    texts: {
      opening: 'Opening browser for authentication...',
      visit: 'Please open this URL in your browser:',
      waiting: 'Waiting for authentication callback...',
    },
    authorizeUrl: (redirectUri, state) => googleAuthorizeUrl(context, 'gemini-cli', { redirectUri, state, pkce }),
    exchange: (code, redirectUri) => authorize(context, { code, redirectUri, pkce }),
  });
  context.terminal.print('Gemini authentication successful');
  try {
    return await finish(context, request, authorized);
  } catch (error) {
    throw await keepPending(context, 'gemini', fieldsOf(authorized, noProject), error);
  }
}

async function refreshed(context: LoginContext, pending: PendingLogin): Promise<Authorized> {
  const token = objectOf(pending.fields.token) ?? {};
  const known = textOf(pending.fields.email);
  const expiry = readExpiry(pending.fields);
  const fresh =
    expiry !== undefined && expiry > context.now() + 60_000
      ? token
      : tokenOf(
          context,
          await refreshGoogle({ provider: 'gemini-cli', displayName: 'Gemini', token, proxyUrl: '' }, context),
          token,
        );
  const email = known || (await googleEmail(context, 'gemini-cli', textOf(fresh.access_token)));
  return { token: fresh, email };
}

async function finish(context: LoginContext, request: LoginRequest, authorized: Authorized): Promise<LoginResult> {
  const { terminal } = context;
  const accessToken = textOf(authorized.token.access_token);
  const choice = await chooseProjects(context, accessToken, request.projectId);
  const setUp = await setUpProjects(context, accessToken, choice, {
    progress: (line) => terminal.print(line),
    warn: (line) => terminal.warn(line),
    pick: (asked, backend) => pickProject(context, asked, backend),
  });
  const saved = await save(context, authorized, setUp);
  await dropPending(context, 'gemini-cli', authorized.email);
  terminal.print(`Authentication saved to ${pathOf(saved)}`);
  terminal.print('Gemini authentication successful!');
  return { path: pathOf(saved) };
}

async function pickProject({ terminal, signal }: LoginContext, asked: string, backend: string): Promise<string> {
  terminal.print(`Google works with project ${backend} for this account, not with ${asked}.`);
  terminal.print(`  [1] Backend (recommended): ${backend}`);
  terminal.print(`  [2] Frontend: ${asked}`);
  const answer = await terminal.ask('Enter choice [1/2] (default: 1): ', { signal });
  return answer?.trim() === '2' ? asked : backend;
}

const remote: RemoteLogin = {
  key: 'gemini-cli',
  canonical: 'gemini',
  aliases: ['gemini', 'google'],
  kind: 'callback',
  callback,
  async start(context, { state, projectId }) {
    const redirectUri = `http://localhost:${callback.port}${callback.path}`;
    const pkce = googlePkce();
    return {
      url: googleAuthorizeUrl(context, 'gemini-cli', { redirectUri, state, pkce }),
      complete: (code, signal) =>
        withRemoteTexts(
          {
            code_exchange_failed: 'Failed to exchange token',
            user_info_failed: 'Failed to get user info',
            onboarding_failed: 'Failed to complete Gemini CLI onboarding',
            api_check_failed: 'Failed to verify Cloud AI API status',
            project_required: 'Failed to resolve project ID',
            save_failed: 'Failed to save token to file',
            login_failed: 'Authentication failed',
          },
          () => completeRemotely({ ...context, signal }, { code, redirectUri, pkce }, projectId?.trim() ?? ''),
        ),
    };
  },
};

type Grant = Parameters<typeof exchangeGoogleCode>[2];

async function completeRemotely(context: RemoteContext, grant: Grant, projectId: string) {
  const authorized = await authorize(context, grant);
  try {
    const accessToken = textOf(authorized.token.access_token);
    const choice = await chooseRemotely(context, accessToken, projectId);
    const setUp = await setUpProjects(context, accessToken, choice, silent);
    return doneWith(await save(context, authorized, setUp), authorized.email);
  } catch (error) {
    throw await keepPending(context, 'gemini', fieldsOf(authorized, noProject), error);
  }
}

const silent: SetUpDialogue = { progress: () => undefined, warn: () => undefined };

/** Nobody can be asked: empty = the account's first project, `GOOGLE_ONE` = Google picks (auth.md §5.2). */
async function chooseRemotely(context: RemoteContext, accessToken: string, projectId: string): Promise<Choice> {
  if (/^google_one$/i.test(projectId)) return { kind: 'auto' };
  const listed = await listProjects(context, accessToken);
  if (projectId !== '') return { kind: 'projects', ids: selectProjects(projectId, listed) };
  const [first] = listed;
  return first === undefined ? { kind: 'auto' } : { kind: 'projects', ids: [first.id], auto: true };
}

async function authorize(context: RemoteContext, grant: Grant): Promise<Authorized> {
  const { accessToken, reply } = await exchangeGoogleCode(context, 'gemini-cli', grant);
  const token = tokenOf(context, reply, {});
  try {
    return { token, email: await googleEmail(context, 'gemini-cli', accessToken) };
  } catch (error) {
    const failure = error instanceof LoginError ? error : loginError('user_info_failed', 'user info failed', error);
    throw await keepPending(context, 'gemini', fieldsOf({ token, email: '' }, noProject), failure);
  }
}

function tokenOf(context: Pick<RemoteContext, 'config' | 'now'>, reply: JsonObject, before: JsonObject): JsonObject {
  const client = oauthClient(context.config, 'gemini-cli');
  const seconds = lifetimeOf(reply);
  return {
    access_token: textOf(reply.access_token),
    client_id: textOf(before.client_id) || client.id,
    client_secret: textOf(before.client_secret) || (client.secret ?? ''),
    expires_in: seconds,
    expiry: formatInstant(context.now() + seconds * 1_000),
    refresh_token: textOf(reply.refresh_token) || textOf(before.refresh_token),
    scopes: [...googleScopes['gemini-cli']],
    token_type: textOf(reply.token_type) || 'Bearer',
    token_uri: endpoint(context.config, 'gemini-cli', 'token'),
    universe_domain: 'googleapis.com',
  };
}

const noProject: SetUp = { projects: [], checked: false, auto: false };

function fieldsOf(authorized: Authorized, setUp: SetUp): JsonObject {
  return {
    auto: setUp.auto,
    checked: setUp.checked,
    disabled: false,
    email: authorized.email,
    project_id: setUp.projects.join(','),
    token: authorized.token,
    type: 'gemini',
  };
}

function save(context: Pick<RemoteContext, 'store'>, authorized: Authorized, setUp: SetUp): Promise<Credential> {
  const name = geminiFileName(authorized.email, setUp.projects);
  return saveLogin(context.store, name, fieldsOf(authorized, setUp));
}
