// Logging in to Kimi (auth.md §3.9): RFC 8628 with the device headers that Kimi's services ask for.
import { randomUUID } from 'node:crypto';
import type { Credential } from '../../credentials/credential.ts';
import { formatInstant } from '../../credentials/expiry.ts';
import { defaultIntervalMs, intervalOf, lifetimeOf, pollDevice } from '../../oauth/device.ts';
import { readDeviceToken } from '../../oauth/device-token.ts';
import { answerError } from '../../oauth/errors.ts';
import { kimiFileName } from '../../oauth/file-name.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext, RemoteLogin } from '../../oauth/flow.ts';
import { withRemoteTexts } from '../../oauth/remote-texts.ts';
import { doneWith, filesOf, pathOf, saveLogin } from '../../oauth/save.ts';
import { countdown, offerPage } from '../../oauth/show-device.ts';
import { send } from '../../oauth/token-request.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { parseObject, textOf } from '../fields.ts';
import type { ProviderLogins } from '../provider.ts';
import { lifetimeOf as tokenLifetime } from '../token-exchange.ts';
import { deviceHeaders } from './device.ts';

const label = 'Kimi User';
const longestWaitMs = 900_000;

interface DeviceCode {
  code: string;
  userCode: string;
  url: string;
  verificationUri: string;
  intervalMs: number;
  lifetimeMs: number;
  /** UUID, new per login, kept in the file. */
  deviceId: string;
}

export const logins: ProviderLogins = {
  cli: { 'kimi-login': logIn },
  get remote() {
    return remote;
  },
};

async function logIn(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const { terminal } = context;
  terminal.print('Starting Kimi authentication...');
  const device = await requestCode(context);
  terminal.print('To authenticate, please visit:');
  terminal.print(device.url);
  if (device.userCode !== '') terminal.print(`User code: ${device.userCode}`);
  await offerPage(context, request, device.url);
  terminal.print('Waiting for authorization...');
  const reply = await poll(context, device, context.now() + device.lifetimeMs, countdown(context));
  terminal.print('Kimi authentication successful');
  const saved = await save(context, reply, device.deviceId);
  terminal.print(`Authentication saved to ${pathOf(saved)}`);
  terminal.print(`Authenticated as ${label}`);
  terminal.print('Kimi authentication successful!');
  return { path: pathOf(saved) };
}

const remote: RemoteLogin = {
  key: 'kimi',
  canonical: 'kimi',
  aliases: ['kimi'],
  kind: 'device',
  async start(context) {
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
            return doneWith(await save(context, reply, device.deviceId));
          },
        ),
    };
  },
};

async function requestCode(context: RemoteContext): Promise<DeviceCode> {
  const deviceId = randomUUID();
  const step = 'device_start_failed';
  const response = await send(context, endpoint(context.config, 'kimi', 'device-code'), {
    step,
    prefix: 'kimi device code',
    method: 'POST',
    headers: deviceHeaders(deviceId),
    form: { client_id: oauthClient(context.config, 'kimi').id },
  });
  const code = textOf(response.json?.device_code);
  const verificationUri = textOf(response.json?.verification_uri);
  const url = textOf(response.json?.verification_uri_complete) || verificationUri;
  if (response.status > 299 || code === '' || !/^https?:\/\//.test(url)) {
    throw answerError(step, 'kimi device code', response, context.config);
  }
  return {
    code,
    userCode: textOf(response.json?.user_code),
    url,
    verificationUri: verificationUri || url,
    intervalMs: intervalOf(response.json?.interval, defaultIntervalMs),
    lifetimeMs: Math.min(lifetimeOf(response.json?.expires_in, longestWaitMs), longestWaitMs),
    deviceId,
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
        await http.request(endpoint(config, 'kimi', 'token'), {
          method: 'POST',
          headers: { accept: 'application/json', ...deviceHeaders(device.deviceId) },
          form: {
            client_id: oauthClient(config, 'kimi').id,
            device_code: device.code,
            grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
          },
          signal,
        }),
        'kimi device login: ',
      ),
    intervalMs: device.intervalMs,
    expiresAt,
    timeoutMessage: 'kimi device login: the request was not approved in time',
    now: context.now,
    signal,
    ...(context.sleep === undefined ? {} : { sleep: context.sleep }),
    ...(onWait === undefined ? {} : { onWait }),
  });
}

function save(context: Pick<RemoteContext, 'store' | 'now'>, reply: JsonObject, deviceId: string): Promise<Credential> {
  const now = context.now();
  const accessToken = textOf(reply.access_token);
  const fields: JsonObject = {
    access_token: accessToken,
    device_id: deviceId,
    disabled: false,
    expired: formatInstant(now + tokenLifetime(reply) * 1_000),
    refresh_token: textOf(reply.refresh_token),
    scope: textOf(reply.scope),
    timestamp: now,
    token_type: textOf(reply.token_type),
    type: 'kimi',
  };
  return saveLogin(context.store, fileOfAccount(context.store, accessToken) ?? kimiFileName(now), fields);
}

/** Kimi tells no e-mail; when its token is a JWT, an equal `sub` is the same account (R8). */
function fileOfAccount(store: RemoteContext['store'], accessToken: string): string | undefined {
  const subject = subjectOf(accessToken);
  if (subject === '') return undefined;
  return filesOf(store, 'kimi').find(({ fields }) => subjectOf(textOf(fields.access_token)) === subject)?.name;
}

function subjectOf(accessToken: string): string {
  const payload = accessToken.split('.')[1];
  if (payload === undefined) return '';
  return textOf(parseObject(Buffer.from(payload, 'base64url').toString('utf8'))?.sub);
}
