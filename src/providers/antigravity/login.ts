// Logging in to Antigravity with a Google account (auth.md §3.7).
import type { Credential } from '../../credentials/credential.ts';
import { formatInstant } from '../../credentials/expiry.ts';
import { loginError } from '../../oauth/errors.ts';
import { antigravityFileName } from '../../oauth/file-name.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext, RemoteLogin } from '../../oauth/flow.ts';
import { logInWithBrowser } from '../../oauth/interactive.ts';
import { dropPending, keepPending, resumePending } from '../../oauth/pending.ts';
import { withRemoteTexts } from '../../oauth/remote-texts.ts';
import { doneWith, pathOf, saveLogin } from '../../oauth/save.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { type CodeAssist, loadCodeAssist, onboard } from '../code-assist.ts';
import { endpoint } from '../endpoints.ts';
import { textOf } from '../fields.ts';
import { exchangeGoogleCode, googleAuthorizeUrl, googleEmail, googlePkce } from '../google-login.ts';
import { refreshGoogle } from '../google-token.ts';
import type { ProviderLogins } from '../provider.ts';
import { lifetimeOf } from '../token-exchange.ts';

const callback = { port: 51121, path: '/oauth-callback' } as const;

export const logins: ProviderLogins = {
  cli: { 'antigravity-login': logIn },
  get remote() {
    return remote;
  },
};

async function logIn(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const resumed = await resumePending(context, 'antigravity', request, async ({ fields }) => {
    const token = { ...fields };
    const reply = await refreshGoogle(
      { provider: 'antigravity', displayName: 'Antigravity', token, proxyUrl: '' },
      context,
    );
    return finish(context, tokenFields(context, reply, textOf(fields.email), textOf(fields.refresh_token)));
  });
  const saved = resumed ?? (await logInAnew(context, request));
  await dropPending(context, 'antigravity', saved.email ?? '');
  const { terminal } = context;
  terminal.print('Antigravity authentication successful');
  if (saved.projectId !== undefined) terminal.print(`Using GCP project: ${saved.projectId}`);
  terminal.print(`Authentication saved to ${pathOf(saved)}`);
  if (saved.email !== undefined) terminal.print(`Authenticated as ${saved.email}`);
  terminal.print('Antigravity authentication successful!');
  return { path: pathOf(saved) };
}

function logInAnew(context: LoginContext, request: LoginRequest): Promise<Credential> {
  const pkce = googlePkce(context.env);
  return logInWithBrowser(context, request, {
    name: 'antigravity',
    ...callback,
    fixedRedirect: false,
    errorPrefix: '',
    answers: { failureStatus: 200 },
    authorizeUrl: (redirectUri, state) => googleAuthorizeUrl(context, 'antigravity', { redirectUri, state, pkce }),
    exchange: (code, redirectUri) => exchangeAndSave(context, { code, redirectUri, pkce }),
  });
}

const remote: RemoteLogin = {
  key: 'antigravity',
  canonical: 'antigravity',
  aliases: ['antigravity', 'anti-gravity'],
  kind: 'callback',
  callback,
  async start(context, { state }) {
    const redirectUri = `http://localhost:${callback.port}${callback.path}`;
    const pkce = googlePkce();
    return {
      url: googleAuthorizeUrl(context, 'antigravity', { redirectUri, state, pkce }),
      complete: (code, signal) =>
        withRemoteTexts(
          {
            code_exchange_failed: 'Failed to exchange token',
            user_info_failed: 'Failed to fetch user info',
            onboarding_failed: 'Failed to resolve project ID',
            project_required: 'Failed to resolve project ID',
            save_failed: 'Failed to save token to file',
            login_failed: 'Authentication failed',
          },
          async () => {
            const saved = await exchangeAndSave({ ...context, signal }, { code, redirectUri, pkce });
            return doneWith(saved, saved.email);
          },
        ),
    };
  },
};

async function exchangeAndSave(
  context: RemoteContext,
  grant: Parameters<typeof exchangeGoogleCode>[2],
): Promise<Credential> {
  const { accessToken, reply } = await exchangeGoogleCode(context, 'antigravity', grant);
  const fields = tokenFields(context, reply, '', '');
  try {
    fields.email = await googleEmail(context, 'antigravity', accessToken);
    return await finish(context, fields);
  } catch (error) {
    throw await keepPending(context, 'antigravity', fields, error);
  }
}

function tokenFields(
  context: Pick<RemoteContext, 'now'>,
  reply: JsonObject,
  email: string,
  refreshToken: string,
): JsonObject {
  const now = context.now();
  const seconds = lifetimeOf(reply);
  return {
    access_token: textOf(reply.access_token),
    disabled: false,
    email,
    expired: formatInstant(now + seconds * 1_000),
    expires_in: seconds,
    project_id: '',
    refresh_token: textOf(reply.refresh_token) || refreshToken,
    timestamp: now,
    type: 'antigravity',
  };
}

async function finish(context: RemoteContext, fields: JsonObject): Promise<Credential> {
  const accessToken = textOf(fields.access_token);
  const email = textOf(fields.email) || (await googleEmail(context, 'antigravity', accessToken));
  const project = await findProject(context, accessToken);
  return saveLogin(context.store, antigravityFileName(email), { ...fields, email, project_id: project });
}

/** Without a project every later call would fail: so does the login, with the reason Google gives. */
async function findProject(context: RemoteContext, accessToken: string): Promise<string> {
  const account: CodeAssist = {
    base: endpoint(context.config, 'antigravity', 'onboard'),
    accessToken,
    ideType: 'ANTIGRAVITY',
  };
  const loaded = await loadCodeAssist(context, account);
  if (loaded.project !== '') return loaded.project;
  const named = await onboard(context, account, { tier: loaded.tier, everyMs: 2_000, withinMs: 60_000, tries: 5 });
  if (named !== undefined && named !== '') return named;
  const reason = loaded.ineligible || (named === undefined ? 'onboarding was not done in time' : 'Google named none');
  throw loginError('project_required', `no project for this account: ${reason}`);
}
