import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/protocols/neutral.ts';
import { signature } from '../../../src/providers/iflow/signature.ts';
import { upstream } from '../../../src/providers/iflow/upstream.ts';
import { callOf, credentialOf, jsonBody, testNow } from '../calls.ts';

const credential = credentialOf('iflow', { type: 'iflow', api_key: 'sk-k', access_token: 'at', email: 'a@b.c' });

test('the signature is the documented one', () => {
  assert.equal(
    signature('k', 'ua/1', 'session-1', '1700000000000'),
    'd379daa33952a232dcf3da7df7b43ffa7c075c8e6be3afbff634c34c313d5d87',
  );
});

test('a request carries the API key and a signature over what it really sends', () => {
  const { headers, url } = upstream.request({ model: 'm' }, callOf(credential));
  assert.equal(url, 'https://apis.iflow.cn/v1/chat/completions');
  assert.equal(headers.authorization, 'Bearer sk-k');
  assert.match(headers['user-agent'] ?? '', /^cliproxy\//);
  assert.match(headers['session-id'] ?? '', /^session-[0-9a-f-]{36}$/);
  assert.equal(headers['x-iflow-timestamp'], String(testNow));
  const { 'user-agent': agent = '', 'session-id': session = '' } = headers;
  assert.equal(headers['x-iflow-signature'], signature('sk-k', agent, session, String(testNow)));
});

test("the user's own User-Agent takes part in the signature", () => {
  const own = { ...credential, headers: { 'User-Agent': 'mine/2', 'Session-Id': 'session-x' } };
  const { headers } = upstream.request({}, callOf(own));
  assert.equal(headers['user-agent'], 'mine/2');
  assert.equal(headers['x-iflow-signature'], signature('sk-k', 'mine/2', 'session-x', String(testNow)));
});

test('a 406 is tried once more, without signature, timestamp and Accept', () => {
  const failure = upstream.classify({ status: 406, headers: {}, body: '' }, callOf(credential));
  const again = upstream.retry?.(failure, callOf(credential));
  assert.deepEqual(again, { variant: { unsigned: true }, waitMs: 0 });
  const second = callOf(credential, { variant: { unsigned: true } });
  const { headers } = upstream.request({}, second);
  for (const name of ['x-iflow-signature', 'x-iflow-timestamp', 'accept']) assert.equal(headers[name], undefined, name);
  assert.equal(upstream.retry?.(failure, second), undefined);
});

test('streams ask for usage and never send an empty tool list', () => {
  const body = upstream.adapt({ stream: true, tools: [] }, callOf(credential, { stream: true }));
  assert.deepEqual(body.stream_options, { include_usage: true });
  assert.equal((body.tools as JsonObject[]).length, 1);
  assert.deepEqual(upstream.adapt({ tools: [] }, callOf(credential)), { tools: [] });
});

test('an upstream that refuses stream_options is asked once more without, and never again with', () => {
  const own = credentialOf('iflow', { api_key: 'sk-k', base_url: 'https://old.example/v1' });
  const call = callOf(own, { stream: true });
  const body = '{"error":{"message":"Unknown field stream_options","type":"invalid_request_error"}}';
  const failure = upstream.classify({ status: 400, headers: {}, body }, call);
  assert.deepEqual(upstream.retry?.(failure, call), { variant: {}, waitMs: 0 });
  const client = { stream: true, stream_options: { include_usage: true } };
  assert.deepEqual(upstream.adapt(client, call), { stream: true });
  assert.equal(upstream.retry?.(failure, call), undefined);
});

test('without an API key nothing is sent', () => {
  const empty = credentialOf('iflow', { access_token: 'at' });
  assert.throws(() => upstream.request({}, callOf(empty)), /missing api key/);
});

const business: [string, JsonObject, number, string][] = [
  ['status 449', { status: '449', msg: 'too fast' }, 429, 'quota'],
  ['status 449 as a number', { status: 449 }, 429, 'quota'],
  ['a status that HTTP knows', { status: 401, message: 'no such key' }, 401, 'unauthorized'],
  ['a message alone', { msg: 'busy' }, 502, 'transient'],
  ['an error text', { error: 'x' }, 502, 'transient'],
  ['an error object', { error: { message: 'x', code: 503 } }, 503, 'overloaded'],
  [
    'a lost connection behind it',
    { choices: [{ finish_reason: 'network_error', message: { content: '' } }] },
    502,
    'transient',
  ],
];
for (const [name, body, status, kind] of business) {
  test(`a 200 with ${name} is a ${status}`, () => {
    const failure = upstream.inspect?.(body, callOf(credential));
    assert.deepEqual([failure?.status, failure?.kind], [status, kind]);
  });
}

test('answers are no business errors, also when the model stopped late', () => {
  const answers: JsonObject[] = [
    { choices: [{ finish_reason: 'stop', message: { content: 'hi' } }] },
    { choices: [{ finish_reason: 'network_error', message: { content: 'half' } }] },
    { id: 'x' },
  ];
  for (const body of answers) assert.equal(upstream.inspect?.(body, callOf(credential)), undefined);
});

test('bodies go up as JSON', () => {
  assert.deepEqual(jsonBody(upstream.request({ model: 'm' }, callOf(credential))), { model: 'm' });
});
