// Logging in to Codex on a machine without a browser (auth.md §3.5): OpenAI's own device flow, not RFC 8628's wire.

import type { HttpResponse } from '../../net/http.ts';
import { defaultIntervalMs, intervalOf, type PollAnswer, pollDevice } from '../../oauth/device.ts';
import { answerError, describeAnswer, loginError, providerError } from '../../oauth/errors.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext } from '../../oauth/flow.ts';
import { pathOf } from '../../oauth/save.ts';
import { countdown, offerPage } from '../../oauth/show-device.ts';
import { send } from '../../oauth/token-request.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { textOf } from '../fields.ts';
import { exchangeAndSave } from './exchange.ts';

const lifetimeMs = 900_000;

interface DeviceCode {
  id: string;
  userCode: string;
  intervalMs: number;
}

export async function logInWithDevice(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const { terminal, config } = context;
  const device = await requestCode(context);
  const page = endpoint(config, 'codex', 'device-page');
  terminal.print('Starting Codex device authentication...');
  terminal.print(`Codex device URL: ${page}`);
  terminal.print(`Codex device code: ${device.userCode}`);
  await offerPage(context, request, page);
  const grant = await pollDevice({
    poll: () => poll(context, device),
    intervalMs: device.intervalMs,
    expiresAt: context.now() + lifetimeMs,
    immediately: true,
    timeoutMessage: 'codex device authentication timed out after 15 minutes',
    now: context.now,
    signal: context.signal,
    ...(context.sleep === undefined ? {} : { sleep: context.sleep }),
    onWait: countdown(context),
  });
  const saved = await exchangeAndSave(context, {
    code: grant.code,
    verifier: grant.verifier,
    redirectUri: endpoint(config, 'codex', 'device-redirect'),
  });
  terminal.print(`Authentication saved to ${pathOf(saved)}`);
  terminal.print('Codex device authentication successful!');
  return { path: pathOf(saved) };
}

async function requestCode(context: RemoteContext): Promise<DeviceCode> {
  const step = 'device_start_failed';
  const response = await send(context, endpoint(context.config, 'codex', 'device-code'), {
    step,
    prefix: 'codex device code',
    method: 'POST',
    json: { client_id: oauthClient(context.config, 'codex').id },
  });
  if (response.status === 404) throw loginError(step, 'codex device endpoint is unavailable (status 404)');
  const id = textOf(response.json?.device_auth_id);
  const userCode = textOf(response.json?.user_code) || textOf(response.json?.usercode);
  if (response.status > 299 || id === '' || userCode === '') {
    throw answerError(step, 'codex device code', response, context.config);
  }
  const interval = response.json?.interval;
  return { id, userCode, intervalMs: interval === undefined ? defaultIntervalMs : intervalOf(interval) };
}

interface DeviceGrant {
  code: string;
  verifier: string;
}

async function poll(context: RemoteContext, device: DeviceCode): Promise<PollAnswer<DeviceGrant>> {
  const { config, http, signal } = context;
  const response = await http.request(endpoint(config, 'codex', 'device-token'), {
    method: 'POST',
    headers: { accept: 'application/json' },
    json: { device_auth_id: device.id, user_code: device.userCode },
    signal,
  });
  return readPoll(response);
}

/** 403 and 404 mean "not yet"; a denial has no word of its own here. */
export function readPoll(response: HttpResponse): PollAnswer<DeviceGrant> {
  const { status, json } = response;
  if (status >= 200 && status < 300) {
    const code = textOf(json?.authorization_code);
    const verifier = textOf(json?.code_verifier);
    if (code !== '' && verifier !== '' && textOf(json?.code_challenge) !== '') {
      return { kind: 'done', value: { code, verifier } };
    }
    return { kind: 'transient', message: describeAnswer(response) };
  }
  const error = textOf(json?.error);
  if (error === 'access_denied') return { kind: 'failed', error: providerError('codex device login: ', error) };
  if (status === 403 || status === 404) return { kind: 'pending' };
  if (status === 408 || status === 429 || status >= 500)
    return { kind: 'transient', message: describeAnswer(response) };
  const message = `codex device token polling failed with status ${status}: ${describeAnswer(response)}`;
  return { kind: 'failed', error: loginError('login_failed', message) };
}
