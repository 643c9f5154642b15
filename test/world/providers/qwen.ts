// Qwen: device flow with PKCE, chat with DashScope's headers (auth.md §3.8, upstreams.md §2.9).

import type { Call } from '../call.ts';
import { asList, asObject } from '../model.ts';
import { clientOf, startDevice, tokenRoute } from '../tokens.ts';
import type { FakeProvider } from '../types.ts';
import { oauth } from '../wire/oauth.ts';
import { openaiChat, readChat, serveChat, serveModelList } from '../wire/openai-chat.ts';

export const qwen: FakeProvider = {
  id: 'qwen',
  endpoints: {
    'device-code': '/api/v1/oauth2/device/code',
    token: '/api/v1/oauth2/token',
    api: '/v1',
  },
  routes: [
    { method: 'POST', path: '/api/v1/oauth2/device/code', kind: 'device', wire: oauth, serve: serveDevice },
    tokenRoute('/api/v1/oauth2/token', {
      provider: 'qwen',
      body: 'form',
      pkce: true,
      rotates: true,
      extra: () => ({ status: 'success', resource_url: 'portal.qwen.ai' }),
    }),
    {
      method: 'POST',
      path: '/v1/chat/completions',
      kind: 'chat',
      wire: openaiChat,
      identify(call) {
        call.authenticate(call.bearer());
        readChat(call);
        if (call.header('x-dashscope-authtype') !== 'qwen-oauth') call.refuse('x-dashscope-authtype');
        const systems = asList(call.json.messages).filter((message) => asObject(message).role === 'system');
        if (systems.length > 1) call.problem('several system messages');
      },
      serve: serveChat,
    },
    {
      method: 'GET',
      path: '/v1/models',
      kind: 'models',
      wire: openaiChat,
      identify: (call) => call.authenticate(call.bearer()),
      serve: serveModelList,
    },
  ],
};

function serveDevice(call: Call) {
  if (call.param('client_id') !== clientOf('qwen').id) return call.fail('invalid-request');
  const challenge = call.param('code_challenge');
  if (challenge === '' || call.param('code_challenge_method') !== 'S256') {
    call.problem('no S256 code_challenge');
    return call.fail('invalid-request');
  }
  if (!call.param('scope').includes('model.completion')) call.problem(`scope ${call.param('scope')}`);
  const grant = startDevice(call, 'qwen', challenge);
  const page = `${call.world.origin}/qwen/authorize`;
  call.reply(200, {
    device_code: grant.deviceCode,
    user_code: grant.userCode,
    verification_uri: page,
    verification_uri_complete: `${page}?user_code=${grant.userCode}&client=qwen-code`,
    expires_in: 900,
    interval: call.world.settings.deviceInterval,
  });
}
