// The fake world itself: it must refuse what the real services refuse, or tests against it prove nothing.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { defaultConfig } from '../../src/config/index.ts';
import { oauthClient } from '../../src/providers/endpoints.ts';
import { startWorld, type World } from './index.ts';

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.close());

const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');
const client = (provider: 'claude' | 'codex' | 'iflow') => oauthClient(defaultConfig(), provider, {});

function claudeUrl(changes: Record<string, string> = {}): string {
  const query = new URLSearchParams({
    code: 'true',
    client_id: client('claude').id,
    response_type: 'code',
    redirect_uri: 'http://localhost:54545/callback',
    scope: 'user:profile user:inference',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'a-state-of-16-chars',
    ...changes,
  });
  return `${world.endpoints.claude?.authorize}?${query}`;
}

async function exchange(code: string, changes: Record<string, string> = {}): Promise<Response> {
  return fetch(world.endpoints.claude?.token ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grant_type: 'authorization_code',
      code,
      state: 'a-state-of-16-chars',
      client_id: client('claude').id,
      redirect_uri: 'http://localhost:54545/callback',
      code_verifier: verifier,
      ...changes,
    }),
  });
}

test('a right authorization has no problems, its code works once', async () => {
  const visit = await world.authorize(claudeUrl(), { follow: false });
  assert.deepEqual(visit.problems, []);
  const first = await exchange(visit.code ?? '');
  assert.equal(first.status, 200);
  assert.equal((await exchange(visit.code ?? '')).status, 400);
});

const wrong: [string, Record<string, string>][] = [
  ['verifier', { code_verifier: 'w'.repeat(43) }],
  ['redirect URI', { redirect_uri: 'http://localhost:1/callback' }],
  ['state', { state: 'another' }],
  ['client', { client_id: 'x' }],
];
for (const [what, changes] of wrong) {
  test(`a code with a wrong ${what} is refused, and dead afterwards`, async () => {
    const visit = await world.authorize(claudeUrl(), { follow: false });
    assert.ok((await exchange(visit.code ?? '', changes)).status >= 400);
    if (what !== 'client') assert.equal((await exchange(visit.code ?? '')).status, 400);
  });
}

test('wrong parameters of an authorization URL are named', async () => {
  const visit = await world.authorize(claudeUrl({ scope: 'x', state: 's', code_challenge: '' }), { follow: false });
  for (const word of ['scope', 'state', 'code_challenge']) {
    assert.ok(
      visit.problems.some((problem) => problem.includes(word)),
      word,
    );
  }
});

test('a redirect that leaves this machine is refused', async () => {
  await assert.rejects(world.authorize(claudeUrl({ redirect_uri: 'https://evil.test/callback' })), /refused/);
});

test('the browser follows the redirect to the application, or brings back the denial', async () => {
  const seen: string[] = [];
  const application = createServer((request, response) => {
    seen.push(request.url ?? '');
    response.end('done');
  });
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
  const { port } = application.address() as AddressInfo;
  const query = new URLSearchParams({
    client_id: client('iflow').id,
    loginMethod: 'phone',
    type: 'phone',
    redirect: `http://127.0.0.1:${port}/oauth2callback`,
    state: 'a-state-of-16-chars',
  });
  const url = `${world.endpoints.iflow?.authorize}?${query}`;
  const allowed = await world.authorize(url);
  assert.deepEqual(allowed.problems, []);
  assert.equal(allowed.page?.body, 'done');
  await world.authorize(url, { deny: true });
  assert.match(seen[0] ?? '', /code=code-iflow-.*state=a-state-of-16-chars/);
  assert.match(seen[1] ?? '', /error=access_denied/);
  await new Promise((resolve) => application.close(resolve));
});

function chat(init: { key?: string; body?: object; headers?: Record<string, string> } = {}): Promise<Response> {
  return fetch(world.url('openai', '/v1/chat/completions'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${init.key ?? world.apiKey('openai')}`,
      ...init.headers,
    },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...init.body }),
  });
}

test('expired, revoked, foreign and unknown credentials are refused', async () => {
  const expired = world.account('qwen', 'late', { expiresIn: -1 }).accessToken;
  const revoked = world.account('openai', 'gone');
  world.apiKey('openai', 'gone');
  world.revoke(revoked, 'all');
  for (const key of [expired, revoked.apiKey, world.apiKey('anthropic'), 'nonsense']) {
    assert.equal((await chat({ key })).status, 401);
  }
});

test('refresh tokens are used once, and an iFlow key dies when it is replaced', async () => {
  const account = world.account('iflow', 'rotating');
  const { id, secret = '' } = client('iflow');
  const old = { key: account.apiKey, refresh: account.refreshToken };
  const refresh = (): Promise<Response> =>
    fetch(world.endpoints.iflow?.token ?? '', {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: old.refresh,
        client_id: id,
        client_secret: secret,
      }),
    });
  assert.equal((await refresh()).status, 200);
  assert.equal((await refresh()).status, 400);
  const info = await fetch(`${world.endpoints.iflow?.['user-info']}?accessToken=${account.accessToken}`);
  assert.equal(((await info.json()) as { data: { apiKey: string } }).data.apiKey, account.apiKey);
  assert.notEqual(account.apiKey, old.key);
});

test('a wrong iFlow signature is a problem', async () => {
  const { apiKey } = world.account('iflow', 'signer');
  await fetch(world.url('iflow', '/v1/chat/completions'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${apiKey}`,
      'session-id': 'session-1',
      'x-iflow-timestamp': '1',
      'x-iflow-signature': '00',
    },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }),
  });
  const [entry] = world.select({ provider: 'iflow', kind: 'chat', account: 'signer' });
  assert.equal(entry?.notes.signature, 'bad');
  assert.deepEqual(entry?.problems, ['wrong signature']);
});

test('a request that pretends to be a vendor program is a problem', async () => {
  await chat({ headers: { 'user-agent': 'claude-cli/2.0' } });
  assert.match(world.log.at(-1)?.problems.join() ?? '', /pretends/);
});

test('an unknown path is a problem', async () => {
  assert.equal((await fetch(world.url('openai', '/v1/nothing'))).status, 404);
  assert.match(world.problems.at(-1) ?? '', /no such endpoint/);
});

test('a script applies as often as it says, after what it skips', async () => {
  world.apiKey('openai', 'scripted');
  const script = world.script({ account: 'scripted' }, { error: 'rate-limit', retryAfter: 1.5, skip: 1, times: 2 });
  const key = world.apiKey('openai', 'scripted');
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await chat({ key })).status);
  assert.deepEqual(statuses, [200, 429, 429, 200]);
  assert.equal(script.hits, 2);
});

test('an answer is held until it is released', async () => {
  const script = world.script({ provider: 'openai' }, { hold: true });
  const answer = chat();
  await world.until(() => world.log.at(-1)?.state === 'open' && script.hits === 1);
  script.release();
  assert.equal((await answer).status, 200);
});

test('a held stream shows what was sent, and that the caller has left', async () => {
  const script = world.script({ provider: 'openai', stream: true }, { holdAfter: 2 });
  const leave = new AbortController();
  const response = await fetch(world.url('openai', '/v1/chat/completions'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${world.apiKey('openai')}` },
    body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] }),
    signal: leave.signal,
  });
  assert.equal(response.status, 200);
  const entry = world.log.at(-1);
  await world.until(() => entry?.events === 2);
  leave.abort();
  await world.until(() => entry?.state === 'aborted');
  script.release();
});

for (const cutMode of ['reset', 'close', 'end'] as const) {
  test(`a stream cut by ${cutMode} ends without its end mark`, async () => {
    world.script({ provider: 'openai', stream: true }, { cutAfter: 2, cutMode });
    const response = await chat({ body: { stream: true } });
    const text = await response.text().catch((error: Error) => error.message);
    assert.ok(!text.includes('[DONE]'));
    assert.equal(world.log.at(-1)?.state, 'cut');
  });
}

test('streams survive being cut to bytes and compressed', async () => {
  const whole = await (await chat({ body: { stream: true } })).text();
  world.script({ provider: 'openai', stream: true }, { splitBytes: 1, gzip: true });
  const pieces = await (await chat({ body: { stream: true } })).text();
  const textOf = (sse: string): string => [...sse.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join('');
  assert.equal(textOf(pieces), textOf(whole));
  assert.match(textOf(whole), /echo: hi ✓é漢😀$/);
});
