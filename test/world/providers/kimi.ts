// Kimi: device flow with device headers, both chat protocols (auth.md §3.9, upstreams.md §2.10).
import type { Call } from '../call.ts';
import { clientOf, startDevice, tokenRoute } from '../tokens.ts';
import type { FakeProvider } from '../types.ts';
import { anthropic, readMessages, serveMessages, serveTokenCount } from '../wire/anthropic.ts';
import { oauth } from '../wire/oauth.ts';
import { openaiChat, readChat, serveChat } from '../wire/openai-chat.ts';

const deviceHeaders = [
  'x-msh-platform',
  'x-msh-version',
  'x-msh-device-name',
  'x-msh-device-model',
  'x-msh-device-id',
] as const;

export const kimi: FakeProvider = {
  id: 'kimi',
  endpoints: {
    'device-code': '/api/oauth/device_authorization',
    token: '/api/oauth/token',
    api: '/coding',
  },
  routes: [
    { method: 'POST', path: '/api/oauth/device_authorization', kind: 'device', wire: oauth, serve: serveDevice },
    tokenRoute('/api/oauth/token', {
      provider: 'kimi',
      body: 'form',
      pkce: false,
      rotates: true,
      extra: () => ({ scope: 'kimi-code' }),
      check: missingDevice,
    }),
    {
      method: 'POST',
      path: '/coding/v1/chat/completions',
      kind: 'chat',
      wire: openaiChat,
      identify(call) {
        known(call);
        readChat(call);
        if (call.entry.model.startsWith('kimi-')) call.problem(`model ${call.entry.model} with the prefix`);
      },
      serve: serveChat,
    },
    { method: 'POST', path: '/coding/v1/messages', kind: 'chat', wire: anthropic, identify, serve: serveMessages },
    {
      method: 'POST',
      path: '/coding/v1/messages/count_tokens',
      kind: 'count',
      wire: anthropic,
      identify,
      serve: serveTokenCount,
    },
  ],
};

function missingDevice(call: Call): string {
  const missing = deviceHeaders.filter((name) => call.header(name) === '');
  return missing.length > 0 ? `no ${missing.join(', ')}` : '';
}

function known(call: Call): void {
  call.authenticate(call.bearer());
  call.note('device', call.header('x-msh-device-id'));
  const missing = missingDevice(call);
  if (missing !== '') call.refuse(missing);
}

function identify(call: Call): void {
  known(call);
  readMessages(call);
}

function serveDevice(call: Call) {
  const missing = missingDevice(call);
  if (call.param('client_id') !== clientOf('kimi').id || missing !== '') {
    call.problem(missing || 'client_id');
    return call.fail('invalid-request');
  }
  const grant = startDevice(call, 'kimi', '');
  const page = `${call.world.origin}/kimi/code/authorize_device`;
  call.reply(200, {
    device_code: grant.deviceCode,
    user_code: grant.userCode,
    verification_uri: page,
    verification_uri_complete: `${page}?user_code=${grant.userCode}`,
    expires_in: 900,
    interval: call.world.settings.deviceInterval,
  });
}
