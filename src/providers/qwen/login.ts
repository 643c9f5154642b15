// Logging in to Qwen (auth.md §3.8): RFC 8628 with PKCE. The provider tells no e-mail, so the user names the account
// before approving: an empty answer then loses nothing (R7).
import type { Credential } from '../../credentials/credential.ts';
import { formatInstant } from '../../credentials/expiry.ts';
import { intervalOf, lifetimeOf, pollDevice } from '../../oauth/device.ts';
import { readDeviceToken } from '../../oauth/device-token.ts';
import { emailRequired } from '../../oauth/email.ts';
import { answerError, loginError } from '../../oauth/errors.ts';
import { qwenFileName } from '../../oauth/file-name.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext, RemoteLogin } from '../../oauth/flow.ts';
import { createPkce } from '../../oauth/pkce.ts';
import { withRemoteTexts } from '../../oauth/remote-texts.ts';
import { doneWith, pathOf, saveLogin } from '../../oauth/save.ts';
import { countdown, offerPage } from '../../oauth/show-device.ts';
import { send } from '../../oauth/token-request.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { textOf } from '../fields.ts';
import type { ProviderLogins } from '../provider.ts';
import { lifetimeOf as tokenLifetime } from '../token-exchange.ts';

const grantType = 'urn:ietf:params:oauth:grant-type:device_code';

interface DeviceCode {
  code: string;
  userCode: string;
  url: string;
  verificationUri: string;
  intervalMs: number;
  lifetimeMs: number;
  verifier: string;
}

export const logins: ProviderLogins = {
  cli: { 'qwen-login': logIn },
  get remote() {
    return remote;
  },
};

async function logIn(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const { terminal } = context;
  const name = await nameOfAccount(context, request);
  const device = await requestCode(context);
  terminal.print('Starting Qwen authentication...');
  terminal.print('To authenticate, please visit:');
  terminal.print(device.url);
  if (device.userCode !== '') terminal.print(`User code: ${device.userCode}`);
  await offerPage(context, request, device.url);
  terminal.print('Waiting for Qwen authorization...');
  const reply = await poll(context, device, context.now() + device.lifetimeMs, countdown(context));
  terminal.print('Qwen authentication successful');
  const saved = await save(context, reply, name);
  terminal.print(`Authentication saved to ${pathOf(saved)}`);
  terminal.print('Qwen authentication successful!');
  return { path: pathOf(saved) };
}

async function nameOfAccount(context: LoginContext, request: LoginRequest): Promise<string> {
  const given = request.email?.trim();
  if (given) return given;
  const question = 'Please input your email address or alias for Qwen: ';
  const answer = (await context.terminal.ask(question, { signal: context.signal }))?.trim();
  if (context.signal.aborted) throw loginError('aborted', 'cancelled');
  if (!answer) throw emailRequired('an e-mail address or alias for the Qwen account');
  return answer;
}

const remote: RemoteLogin = {
  key: 'qwen',
  canonical: 'qwen',
  aliases: ['qwen'],
  kind: 'device',
  async start(context, { email }) {
    const device = await requestCode(context);
    const expiresAt = context.now() + device.lifetimeMs;
    return {
      url: device.url,
      expiresAt,
      userCode: device.userCode,
      verificationUri: device.verificationUri,
      expiresIn: Math.round(device.lifetimeMs / 1_000),
      interval: Math.round(device.intervalMs / 1_000),
      poll: (signal) =>
        withRemoteTexts(
          { login_failed: 'Authentication failed', save_failed: 'Failed to save authentication tokens' },
          async () => {
            const reply = await poll({ ...context, signal }, device, expiresAt);
            // Nobody can be asked here, and Qwen tells no name: the time stands in for it.
            const name = email?.trim() || String(context.now());
            return doneWith(await save(context, reply, name), name);
          },
        ),
    };
  },
};

async function requestCode(context: RemoteContext): Promise<DeviceCode> {
  const { verifier, challenge } = createPkce(32);
  const step = 'device_start_failed';
  const response = await send(context, endpoint(context.config, 'qwen', 'device-code'), {
    step,
    prefix: 'qwen device code',
    method: 'POST',
    form: {
      client_id: oauthClient(context.config, 'qwen').id,
      scope: 'openid profile email model.completion',
      code_challenge: challenge,
      code_challenge_method: 'S256',
    },
  });
  const code = textOf(response.json?.device_code);
  const verificationUri = textOf(response.json?.verification_uri);
  const url = textOf(response.json?.verification_uri_complete) || verificationUri;
  if (response.status > 299 || code === '' || !/^https?:\/\//.test(url)) {
    throw answerError(step, 'qwen device code', response, context.config);
  }
  return {
    code,
    userCode: textOf(response.json?.user_code),
    url,
    verificationUri: verificationUri || url,
    intervalMs: intervalOf(response.json?.interval),
    lifetimeMs: lifetimeOf(response.json?.expires_in, 300_000),
    verifier,
  };
}

function poll(
  context: RemoteContext,
  device: DeviceCode,
  expiresAt: number,
  onWait?: (leftMs: number) => void,
): Promise<JsonObject> {
  const { config, http, signal } = context;
  return pollDevice({
    poll: async () =>
      readDeviceToken(
        await http.request(endpoint(config, 'qwen', 'token'), {
          method: 'POST',
          headers: { accept: 'application/json' },
          form: {
            grant_type: grantType,
            client_id: oauthClient(config, 'qwen').id,
            device_code: device.code,
            code_verifier: device.verifier,
          },
          signal,
        }),
        'device token poll failed: ',
      ),
    intervalMs: device.intervalMs,
    expiresAt,
    immediately: true,
    timeoutMessage: 'authentication timeout: the request was not approved in time',
    now: context.now,
    signal,
    ...(context.sleep === undefined ? {} : { sleep: context.sleep }),
    ...(onWait === undefined ? {} : { onWait }),
  });
}

function save(context: Pick<RemoteContext, 'store' | 'now'>, reply: JsonObject, name: string): Promise<Credential> {
  const now = context.now();
  return saveLogin(context.store, qwenFileName(name), {
    access_token: textOf(reply.access_token),
    disabled: false,
    email: name,
    expired: formatInstant(now + tokenLifetime(reply) * 1_000),
    last_refresh: formatInstant(now),
    refresh_token: textOf(reply.refresh_token),
    resource_url: textOf(reply.resource_url),
    type: 'qwen',
  });
}
