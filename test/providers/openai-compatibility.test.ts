import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upstream } from '../../src/providers/openai-compatibility/upstream.ts';
import { callOf, credentialOf, sent } from './stand-ins.ts';

function callTo(baseUrl: string, over: Parameters<typeof callOf>[0] = {}) {
  return callOf({ credential: credentialOf({ provider: 'openai-compatibility', baseUrl }), ...over });
}

test('chat goes to the base URL without its last slash, with the key as Bearer', () => {
  const request = sent(upstream, { model: 'm' }, callTo('http://a/v1/'));
  assert.equal(request.url, 'http://a/v1/chat/completions');
  assert.equal(request.headers.authorization, 'Bearer key-of-upstream');
  assert.match(request.headers['user-agent'] ?? '', /^cliproxy\//);
});

test('an upstream without a key gets no Authorization', () => {
  assert.equal(sent(upstream, {}, callTo('http://a/v1', { token: '' })).headers.authorization, undefined);
});

test('streams ask for usage until the upstream refuses the field, then never again', () => {
  const call = callTo('http://refuses/v1', { stream: true });
  assert.deepEqual(sent(upstream, { stream: true }, call).json.stream_options, { include_usage: true });
  const failure = upstream.classify(
    { status: 400, headers: {}, body: '{"error":{"message":"Unknown field: stream_options"}}' },
    call,
  );
  assert.ok(upstream.retry?.(failure, call));
  assert.equal(sent(upstream, { stream: true }, call).json.stream_options, undefined);
  assert.equal(upstream.retry?.(failure, call), undefined);
});

test('bytes pass through unless something in them must be looked at', () => {
  const call = callTo('http://b/v1', { stream: true });
  const scan = (...keys: string[]) => ({
    model: 'm',
    stream: true,
    has: (name: string) => ['model', 'messages', ...keys].includes(name),
  });
  assert.deepEqual(upstream.passThrough?.(scan(), call), { stream_options: '{"include_usage":true}' });
  assert.deepEqual(upstream.passThrough?.({ ...scan(), stream: false }, callTo('http://b/v1')), {});
  assert.equal(upstream.passThrough?.(scan('reasoning_effort'), call), undefined);
  assert.equal(upstream.passThrough?.(scan('stream_options'), call), undefined);
});

test('compact goes to its own path in the Responses protocol, without stream', () => {
  const call = callTo('http://a/v1', { operation: 'compact', client: 'openai-responses' });
  const request = sent(upstream, { model: 'm', input: [], stream: false }, call);
  assert.equal(request.url, 'http://a/v1/responses/compact');
  assert.deepEqual(request.json, { model: 'm', input: [] });
  assert.equal(upstream.native('openai-responses', call.credential, 'compact'), 'openai-responses');
});

test('a missing base URL is the credential’s fault', () => {
  assert.throws(() => sent(upstream, {}, callTo('')), /missing provider baseURL/);
});
