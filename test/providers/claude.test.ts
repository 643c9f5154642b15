import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogModel } from '../../src/providers/catalog.ts';
import { provider } from '../../src/providers/claude/index.ts';
import { upstream } from '../../src/providers/claude/upstream.ts';
import { callOf, configOf, credentialOf, now, sent } from './stand-ins.ts';

const body = { model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] };

test('an API key goes in x-api-key to Anthropic and as Bearer anywhere else', () => {
  const direct = sent(upstream, body, callOf());
  assert.equal(direct.url, 'https://api.anthropic.com/v1/messages?beta=true');
  assert.equal(direct.headers['x-api-key'], 'key-of-upstream');
  assert.equal(direct.headers.authorization, undefined);
  const other = sent(upstream, body, callOf({ credential: credentialOf({ baseUrl: 'http://other/api/' }) }));
  assert.equal(other.url, 'http://other/api/v1/messages?beta=true');
  assert.equal(other.headers.authorization, 'Bearer key-of-upstream');
  assert.equal(other.headers['x-api-key'], undefined);
});

test('a subscription token is a Bearer with its beta, beside the client’s own betas', () => {
  const call = callOf({
    credential: credentialOf({ kind: 'oauth' }),
    token: 'sk-ant-oat01-x',
    headers: { 'anthropic-beta': 'files-api-2025-04-14,x', 'anthropic-version': '2024-01-01' },
  });
  const { headers, json } = sent(upstream, { ...body, betas: ['y', 'x'] }, call);
  assert.equal(headers.authorization, 'Bearer sk-ant-oat01-x');
  assert.equal(headers['anthropic-version'], '2024-01-01');
  assert.deepEqual(headers['anthropic-beta']?.split(',').slice(0, 4), [
    'files-api-2025-04-14',
    'x',
    'y',
    'oauth-2025-04-20',
  ]);
  assert.equal(json.betas, undefined);
});

test('a plain request with a key carries no beta at all', () => {
  assert.equal(sent(upstream, body, callOf()).headers['anthropic-beta'], undefined);
});

test('streams are asked for uncompressed, whatever the user’s headers say', () => {
  const credential = credentialOf({ headers: { 'Accept-Encoding': 'gzip', 'X-Mine': '1' } });
  const { headers, stream } = sent(upstream, { ...body, stream: true }, callOf({ stream: true, credential }));
  assert.equal(stream, true);
  assert.equal(headers['accept-encoding'], 'identity');
  assert.equal(headers['x-mine'], '1');
});

test('a client without max_tokens gets the model’s maximum, or 1024', () => {
  const { max_tokens: _, ...rest } = body;
  const info = catalogModel('claude', 'claude-opus-4-6');
  assert.equal(sent(upstream, rest, callOf({ client: 'anthropic', info })).json.max_tokens, info?.maxOutputTokens);
  assert.equal(sent(upstream, rest, callOf({ client: 'anthropic' })).json.max_tokens, 1024);
});

test('our default for foreign clients is lowered to what a small model gives', () => {
  const info = { id: 'small', ownedBy: 'anthropic', maxOutputTokens: 8192 };
  assert.equal(sent(upstream, { ...body, max_tokens: 32000 }, callOf({ info })).json.max_tokens, 8192);
  const own = callOf({ info, client: 'anthropic' });
  assert.equal(sent(upstream, { ...body, max_tokens: 32000 }, own).json.max_tokens, 32000);
});

test('a token count sends only what counts', () => {
  const call = callOf({ operation: 'count-tokens', client: 'anthropic' });
  const { url, json } = sent(upstream, { ...body, temperature: 1, stream: true, system: 's' }, call);
  assert.equal(url, 'https://api.anthropic.com/v1/messages/count_tokens?beta=true');
  assert.deepEqual(Object.keys(json).sort(), ['messages', 'model', 'system']);
});

test('the endpoint of the config replaces Anthropic’s', () => {
  const config = configOf({ endpoints: { claude: { api: 'http://mirror/' } } });
  assert.equal(sent(upstream, body, callOf({ config })).url, 'http://mirror/v1/messages?beta=true');
});

test('the reset of the last rejected window is the wait of a 429', () => {
  const failure = upstream.classify(
    {
      status: 429,
      headers: {
        'anthropic-ratelimit-unified-5h-status': 'rejected',
        'anthropic-ratelimit-unified-5h-reset': String(now / 1000 + 1800),
        'retry-after': '3',
      },
      body: '{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}',
    },
    callOf(),
  );
  assert.deepEqual([failure.kind, failure.retryAfterMs, failure.upstreamProtocol], ['quota', 1_800_000, 'anthropic']);
});

test('a login file is read with its expiry', () => {
  const facts = provider.readCredential({
    type: 'claude',
    email: 'a@b.c',
    access_token: 'sk-ant-oat-x',
    refresh_token: 'r',
    expired: '2026-11-23T01:24:47Z',
  });
  assert.ok(!Array.isArray(facts));
  assert.deepEqual(
    [facts.kind, facts.email, facts.token, facts.expiresAt],
    ['oauth', 'a@b.c', 'sk-ant-oat-x', Date.parse('2026-11-23T01:24:47Z')],
  );
});
