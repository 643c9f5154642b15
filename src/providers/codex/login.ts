// Logging in to Codex with a ChatGPT account (auth.md §3.4): authorization code with PKCE, one registered redirect URI.
import type { Credential } from '../../credentials/credential.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext, RemoteLogin } from '../../oauth/flow.ts';
import { logInWithBrowser } from '../../oauth/interactive.ts';
import { createPkce } from '../../oauth/pkce.ts';
import { withRemoteTexts } from '../../oauth/remote-texts.ts';
import { doneWith, pathOf } from '../../oauth/save.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import type { ProviderLogins } from '../provider.ts';
import { logInWithDevice } from './device-login.ts';
import { exchangeAndSave } from './exchange.ts';

const callback = { port: 1455, path: '/auth/callback' } as const;
const redirectUri = `http://localhost:${callback.port}${callback.path}`;

export const logins: ProviderLogins = {
  cli: { 'codex-login': logIn, 'codex-device-login': logInWithDevice },
  get remote() {
    return remote;
  },
};

async function logIn(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const { verifier, challenge } = createPkce();
  const saved: Credential = await logInWithBrowser(context, request, {
    name: 'Codex',
    ...callback,
    fixedRedirect: true,
    errorPrefix: '',
    answers: { successUrl: '/success' },
    authorizeUrl: (_, state) => authorizeUrl(context, state, challenge),
    exchange: (code) => exchangeAndSave(context, { code, verifier, redirectUri }),
  });
  context.terminal.print('Codex authentication successful');
  context.terminal.print(`Authentication saved to ${pathOf(saved)}`);
  context.terminal.print('Codex authentication successful!');
  return { path: pathOf(saved) };
}

const remote: RemoteLogin = {
  key: 'codex',
  canonical: 'codex',
  aliases: ['codex', 'openai'],
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
            const saved = await exchangeAndSave({ ...context, signal }, { code, verifier, redirectUri });
            return doneWith(saved, saved.email);
          },
        ),
    };
  },
};

function authorizeUrl({ config }: Pick<RemoteContext, 'config'>, state: string, challenge: string): string {
  const parameters = new URLSearchParams({
    client_id: oauthClient(config, 'codex').id,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid email profile offline_access',
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    prompt: 'login',
    id_token_add_organizations: 'true',
    codex_cli_simplified_flow: 'true',
  });
  return `${endpoint(config, 'codex', 'authorize')}?${parameters}`;
}
