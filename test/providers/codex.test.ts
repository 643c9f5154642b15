import assert from 'node:assert/strict';
import { test } from 'node:test';
import { provider } from '../../src/providers/codex/index.ts';
import { upstream } from '../../src/providers/codex/upstream.ts';
import { Secret } from '../../src/secret.ts';
import { callOf, credentialOf, now, sent } from './stand-ins.ts';

const login = credentialOf({ provider: 'codex', kind: 'oauth', fields: new Secret({ account_id: 'acc-1' }) });

test('a login tells its account; a key does not', () => {
  const oauth = sent(upstream, { input: 'hi' }, callOf({ credential: login }));
  assert.equal(oauth.url, 'https://chatgpt.com/backend-api/codex/responses');
  assert.equal(oauth.headers['chatgpt-account-id'], 'acc-1');
  const key = credentialOf({ provider: 'codex', baseUrl: 'http://c/codex', fields: new Secret({ account_id: 'x' }) });
  const keyed = sent(upstream, { input: 'hi' }, callOf({ credential: key }));
  assert.equal(keyed.url, 'http://c/codex/responses');
  assert.equal(keyed.headers['chatgpt-account-id'], undefined);
});

test('a Responses body loses what the backend refuses and keeps what it does not know', () => {
  const call = callOf({ credential: login, client: 'openai-responses', model: 'gpt-5.1' });
  const { json } = sent(
    upstream,
    { model: 'x', input: 'hi', temperature: 1, previous_response_id: 'r', service_tier: 'flex', stream: false, odd: 1 },
    call,
  );
  assert.deepEqual(json, {
    model: 'gpt-5.1',
    input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }],
    odd: 1,
    instructions: '',
    parallel_tool_calls: true,
    stream: true,
    store: false,
    include: ['reasoning.encrypted_content'],
  });
});

test('fields that a payload rule put back are taken out again', () => {
  const call = callOf({ credential: login });
  const finished = upstream.finish?.({ previous_response_id: 'r', stream: false, model: 'other' }, call);
  assert.deepEqual(finished, { model: 'model-1', stream: true, instructions: '' });
});

test('a compact call has no stream', () => {
  const call = callOf({ credential: login, client: 'openai-responses', operation: 'compact' });
  const request = sent(upstream, { model: 'x', input: [], stream: true }, call);
  assert.match(request.url, /\/responses\/compact$/);
  assert.equal(request.json.stream, undefined);
  assert.equal(request.stream, false);
});

test('every client key and model has a cache id of its own, stable over requests', () => {
  const idOf = (clientKey: string, model: string) =>
    sent(upstream, { input: [] }, callOf({ credential: login, clientKey, model })).headers.session_id;
  assert.match(idOf('a', 'm') ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(idOf('a', 'm'), idOf('a', 'm'));
  assert.equal(new Set([idOf('a', 'm'), idOf('b', 'm'), idOf('a', 'n')]).size, 3);
  assert.equal(idOf('', 'm'), undefined);
});

test('a Responses client’s own cache key is kept, and never put into a header it does not fit', () => {
  const call = callOf({ credential: login, client: 'openai-responses', clientKey: 'a' });
  const own = sent(upstream, { input: [], prompt_cache_key: 'mine' }, call);
  assert.deepEqual([own.json.prompt_cache_key, own.headers.session_id], ['mine', 'mine']);
  const odd = sent(upstream, { input: [], prompt_cache_key: 'a\nb' }, call);
  assert.deepEqual([odd.json.prompt_cache_key, odd.headers.session_id], ['a\nb', undefined]);
});

test('the client’s words about itself travel, its User-Agent does not', () => {
  const headers = { originator: 'me', version: '1', 'user-agent': 'their-app/1' };
  const request = sent(upstream, { input: [] }, callOf({ credential: login, headers }));
  assert.deepEqual([request.headers.originator, request.headers.version], ['me', '1']);
  assert.match(request.headers['user-agent'] ?? '', /^cliproxy\//);
});

test('a model at capacity is a quota matter; usage limits tell their wait', () => {
  const call = callOf({ credential: login });
  const full = upstream.classify(
    { status: 503, headers: {}, body: '{"detail":"Selected model is at capacity."}' },
    call,
  );
  assert.deepEqual([full.kind, full.status], ['quota', 429]);
  const body = JSON.stringify({
    error: { type: 'usage_limit_reached', resets_at: now / 1000 + 60, resets_in_seconds: 5 },
  });
  assert.equal(upstream.classify({ status: 429, headers: {}, body }, call).retryAfterMs, 60_000);
});

test('the plan in the id token decides the models', () => {
  const token = (plan: string) => {
    const claims = { email: 'a@b.c', 'https://api.openai.com/auth': { chatgpt_plan_type: plan } };
    return `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
  };
  const countOf = (plan: string) => {
    const facts = provider.readCredential({ type: 'codex', access_token: 't', id_token: token(plan) });
    assert.ok(!Array.isArray(facts));
    assert.equal(facts.email, 'a@b.c');
    return provider.models(credentialOf({ provider: 'codex', plan: facts.plan })).length;
  };
  assert.equal(countOf('free'), provider.models(credentialOf({ plan: 'free' })).length);
  assert.equal(countOf('business'), countOf('team'));
  assert.ok(countOf('pro') >= countOf('free'));
  assert.equal(countOf('somethingnew'), countOf('pro'));
});

test('a broken id token is no reason to refuse a login', () => {
  const facts = provider.readCredential({ type: 'codex', access_token: 't', id_token: 'x.%%%.y', email: 'a@b.c' });
  assert.ok(!Array.isArray(facts));
  assert.equal(facts.plan, undefined);
});
