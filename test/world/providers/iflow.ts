// iFlow: OAuth with Basic authorization, user info with the API key, key renewal by cookie, chat with signed headers
// (auth.md §3.1, §3.2; upstreams.md §2.1).
import { createHmac } from 'node:crypto';
import type { JsonObject } from '../../../src/protocols/neutral.ts';
import type { Account } from '../accounts.ts';
import type { Call } from '../call.ts';
import { asList, asObject } from '../model.ts';
import { tokenRoute } from '../tokens.ts';
import type { FakeProvider } from '../types.ts';
import { oauth } from '../wire/oauth.ts';
import { openaiChat, readChat, serveChat, serveModelList } from '../wire/openai-chat.ts';

const apiKeyPath = '/platform/api/openapi/apikey';

export const iflow: FakeProvider = {
  id: 'iflow',
  endpoints: {
    authorize: '/oauth',
    token: '/oauth/token',
    'user-info': '/api/oauth/getUserInfo',
    'api-key': apiKeyPath,
    'success-page': '/oauth/success',
    'error-page': '/oauth/error',
    api: '/v1',
  },
  routes: [
    tokenRoute('/oauth/token', {
      provider: 'iflow',
      body: 'form',
      basic: true,
      pkce: false,
      rotates: true,
      extra: () => ({ token_type: 'bearer', scope: 'read' }),
    }),
    {
      method: 'GET',
      path: '/api/oauth/getUserInfo',
      kind: 'user-info',
      wire: oauth,
      identify: (call) => call.authenticate(call.entry.query.accessToken ?? ''),
      serve: (call) => serveUserInfo(call),
    },
    { method: 'GET', path: apiKeyPath, kind: 'cookie-get', wire: oauth, identify: identifyCookie, serve: showKey },
    { method: 'POST', path: apiKeyPath, kind: 'cookie-post', wire: oauth, identify: identifyCookie, serve: renewKey },
    {
      method: 'POST',
      path: '/v1/chat/completions',
      kind: 'chat',
      wire: openaiChat,
      identify(call) {
        call.authenticate(call.bearer());
        readChat(call);
        checkChat(call);
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
    {
      method: 'GET',
      path: /^\/oauth(\/success|\/error)?$/,
      kind: 'page',
      wire: oauth,
      serve: (call) => call.reply(200, '<html><body>iFlow</body></html>', { 'content-type': 'text/html' }),
    },
  ],
};

function envelope(success: boolean, code: string, message: string, data: JsonObject | null): JsonObject {
  return { success, code, message, data, extra: null };
}

function serveUserInfo(call: Call): void {
  const account = call.account as Account;
  call.reply(
    200,
    envelope(true, '200', '', {
      userId: `u-${account.name}`,
      userName: account.name,
      apiKey: account.noApiKey ? '' : account.apiKey,
      email: account.noEmail ? '' : account.email,
      phone: account.phone,
    }),
  );
}

function identifyCookie(call: Call): void {
  const pairs = call
    .header('cookie')
    .split(';')
    .map((pair) => pair.trim().split('='));
  const value = pairs.find(([name]) => name === 'BXAuth')?.[1] ?? '';
  call.entry.credential = value;
  call.account = call.world.identity.byCookie(value);
  call.entry.account = call.account?.name ?? '';
}

/** The session's account; undefined after the refusal was sent. */
function session(call: Call): Account | undefined {
  if (call.account === undefined) {
    call.problem('unknown BXAuth cookie');
    call.reply(401, envelope(false, '40101', 'not logged in', null));
    return undefined;
  }
  if (call.account.cookieState === 'expired') {
    call.reply(200, envelope(false, '40101', 'session expired, please log in again', null));
    return undefined;
  }
  return call.account;
}

function keyData(account: Account, apiKey: string): JsonObject {
  const apiKeyMask = account.apiKey === '' ? '' : `${account.apiKey.slice(0, 6)}****${account.apiKey.slice(-4)}`;
  return { hasExpired: false, expireTime: account.keyExpires, name: account.keyName, apiKey, apiKeyMask };
}

function showKey(call: Call): void {
  const account = session(call);
  if (account !== undefined) call.reply(200, envelope(true, '200', '', keyData(account, '')));
}

function renewKey(call: Call) {
  const account = session(call);
  if (account === undefined) return;
  if (call.param('name') !== account.keyName) {
    call.problem(`key name ${JSON.stringify(call.param('name'))}`);
    return call.reply(200, envelope(false, '400', 'bad key name', null));
  }
  if (!call.header('content-type').includes('json')) call.problem('content-type is not JSON');
  call.world.identity.issueKey(account);
  account.refreshes++;
  call.reply(200, envelope(true, '200', '', keyData(account, account.cookieState === 'no-key' ? '' : account.apiKey)));
}

function checkChat(call: Call): void {
  const sent = call.header('x-iflow-signature');
  const sessionId = call.header('session-id');
  const message = `${call.header('user-agent')}:${sessionId}:${call.header('x-iflow-timestamp')}`;
  const expected = createHmac('sha256', call.entry.credential).update(message).digest('hex');
  call.note('signature', sent === '' ? 'absent' : sent === expected ? 'ok' : 'bad');
  if (sent !== '' && sent !== expected) call.problem('wrong signature');
  if (!sessionId.startsWith('session-')) call.problem('no session-id');
  const { json } = call;
  if (json.stream === true && Array.isArray(json.tools) && asList(json.tools).length === 0) {
    call.problem('empty tools in a stream');
  }
  if (json.reasoning_effort !== undefined && asObject(json.chat_template_kwargs).enable_thinking !== undefined) {
    call.problem('reasoning_effort beside enable_thinking');
  }
}
