// Codex: OAuth, the device flow with codes of OpenAI's own kind, the ChatGPT backend (auth.md §3.4, §3.5; upstreams.md §2.3).
import { createHash } from 'node:crypto';
import type { Call } from '../call.ts';
import { clientOf, startDevice, tokenRoute } from '../tokens.ts';
import type { FakeProvider } from '../types.ts';
import { oauth } from '../wire/oauth.ts';
import { readResponses, responses, serveResponses } from '../wire/responses.ts';

export const codex: FakeProvider = {
  id: 'codex',
  endpoints: {
    authorize: '/oauth/authorize',
    token: '/oauth/token',
    'device-code': '/api/accounts/deviceauth/usercode',
    'device-token': '/api/accounts/deviceauth/token',
    'device-page': '/codex/device',
    'device-redirect': '/deviceauth/callback',
    api: '/backend-api/codex',
  },
  routes: [
    tokenRoute('/oauth/token', {
      provider: 'codex',
      body: 'form',
      pkce: true,
      rotates: true,
      extra: (account) => ({ id_token: account.idToken, scope: 'openid profile email offline_access' }),
      reused: {
        status: 401,
        body: {
          error: {
            message: 'Your refresh token has already been used to generate a new access token.',
            type: 'invalid_request_error',
            param: null,
            code: 'refresh_token_reused',
          },
        },
      },
    }),
    {
      method: 'POST',
      path: '/api/accounts/deviceauth/usercode',
      kind: 'device',
      wire: oauth,
      serve(call) {
        if (call.param('client_id') !== clientOf('codex').id) {
          call.problem('client_id');
          return call.reply(400, { error: 'invalid client' });
        }
        const grant = startDevice(call, 'codex', '');
        grant.challenge = createHash('sha256').update(grant.verifier).digest('base64url');
        call.reply(200, {
          device_auth_id: grant.deviceCode,
          user_code: grant.userCode,
          interval: String(call.world.settings.deviceInterval),
        });
      },
    },
    { method: 'POST', path: '/api/accounts/deviceauth/token', kind: 'poll', wire: oauth, serve: servePoll },
    {
      method: 'POST',
      path: '/backend-api/codex/responses',
      kind: 'chat',
      wire: responses,
      identify,
      serve: serveBackend,
    },
    {
      method: 'POST',
      path: '/backend-api/codex/responses/compact',
      kind: 'chat',
      wire: responses,
      identify,
      serve: serveResponses,
    },
  ],
};

/** Not RFC 8628: 403 while waiting, then a code that is exchanged with the service's own verifier. */
function servePoll(call: Call) {
  const { identity, origin } = call.world;
  const grant = identity.devices.get(call.param('device_auth_id'));
  if (grant === undefined || grant.userCode !== call.param('user_code') || grant.state === 'used') {
    call.problem('unknown device_auth_id or user_code');
    return call.reply(400, { error: 'unknown device_auth_id' });
  }
  if (grant.state === 'denied') return call.reply(400, { error: 'access_denied' });
  if (grant.state === 'pending') return call.reply(403, { error: 'authorization pending' });
  grant.state = 'used';
  const code = `code-codex-${grant.deviceCode}`;
  identity.codes.set(code, {
    provider: 'codex',
    account: grant.account,
    clientId: clientOf('codex').id,
    redirectUri: `${origin}/codex${codex.endpoints['device-redirect']}`,
    challenge: grant.challenge,
    state: '',
    used: false,
  });
  call.reply(200, { authorization_code: code, code_verifier: grant.verifier, code_challenge: grant.challenge });
}

function identify(call: Call): void {
  call.authenticate(call.bearer());
  readResponses(call);
}

/** What only the ChatGPT backend insists on. */
async function serveBackend(call: Call): Promise<void> {
  const { json } = call;
  const detail =
    json.stream !== true
      ? 'Stream must be set to true'
      : json.store !== false
        ? 'Store must be set to false'
        : typeof json.instructions !== 'string'
          ? 'Instructions are required'
          : !Array.isArray(json.input)
            ? 'Input must be a list'
            : '';
  if (detail !== '') {
    call.problem(detail);
    return call.reply(400, { detail });
  }
  if (call.header('chatgpt-account-id') !== call.account?.uuid) call.problem('chatgpt-account-id is not the account');
  await serveResponses(call);
}
