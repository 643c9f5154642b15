// Claude: OAuth with JSON bodies, messages for subscription tokens (auth.md §3.3, upstreams.md §2.2).
import type { Account } from '../accounts.ts';
import { uuidFrom } from '../accounts.ts';
import type { Call } from '../call.ts';
import { claudeExtra, tokenRoute } from '../tokens.ts';
import type { FakeProvider } from '../types.ts';
import { anthropic, readMessages, serveMessages, serveTokenCount } from '../wire/anthropic.ts';

export const claude: FakeProvider = {
  id: 'claude',
  endpoints: {
    authorize: '/oauth/authorize',
    token: '/v1/oauth/token',
    profile: '/api/oauth/profile',
    api: '',
  },
  routes: [
    tokenRoute('/v1/oauth/token', {
      provider: 'claude',
      body: 'json',
      pkce: true,
      rotates: true,
      state: true,
      extra: claudeExtra,
    }),
    {
      method: 'GET',
      path: '/api/oauth/profile',
      kind: 'user-info',
      wire: anthropic,
      identify: (call) => call.authenticate(call.bearer()),
      serve(call) {
        const account = call.account as Account;
        call.reply(200, {
          account: { uuid: account.uuid, email: account.email },
          organization: { uuid: uuidFrom(`org/${account.name}`), name: `${account.name}'s Organization` },
        });
      },
    },
    { method: 'POST', path: '/v1/messages', kind: 'chat', wire: anthropic, identify, serve: serveMessages },
    {
      method: 'POST',
      path: '/v1/messages/count_tokens',
      kind: 'count',
      wire: anthropic,
      identify,
      serve: serveTokenCount,
    },
  ],
};

/** Subscription tokens come as Bearer and only with the beta that allows them. */
function identify(call: Call): void {
  call.authenticate(call.bearer());
  if (call.header('x-api-key') !== '') call.refuse('x-api-key beside a subscription token');
  if (!call.header('anthropic-beta').split(',').includes('oauth-2025-04-20')) {
    call.refuse('anthropic-beta lacks oauth-2025-04-20');
  }
  readMessages(call);
}
