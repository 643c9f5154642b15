import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultConfig } from '../../../src/config/index.ts';
import { Failure } from '../../../src/failure.ts';
import { SlidingWindow } from '../../../src/providers/qwen/limiter.ts';
import { mergeSystemMessages } from '../../../src/providers/qwen/system-message.ts';
import { resourceUrl, upstream } from '../../../src/providers/qwen/upstream.ts';
import { callOf, credentialOf, testNow } from '../calls.ts';

const fields = { type: 'qwen', access_token: 'at', resource_url: 'portal.qwen.ai' };
const credential = credentialOf('qwen', fields);
const marker = { type: 'text', text: '', cache_control: { type: 'ephemeral' } };

test('the host comes from the login, made a full URL', () => {
  const written: [string, string][] = [
    ['portal.qwen.ai', 'https://portal.qwen.ai/v1'],
    ['https://portal.qwen.ai/', 'https://portal.qwen.ai/v1'],
    ['http://x/v1/', 'http://x/v1'],
  ];
  for (const [from, to] of written) assert.equal(resourceUrl(from), to);
  const { url, headers } = upstream.request({}, callOf(credential));
  assert.equal(url, 'https://portal.qwen.ai/v1/chat/completions');
  assert.equal(headers['x-dashscope-authtype'], 'qwen-oauth');
});

test('a URL in the config beats the one of the login', () => {
  const config = { ...defaultConfig(), endpoints: { qwen: { api: 'http://mirror/v1/' } } };
  const other = { ...credential, id: 'other' };
  assert.equal(upstream.request({}, callOf(other, { config })).url, 'http://mirror/v1/chat/completions');
});

test('all system text becomes one first message behind the cache marker', () => {
  const merged = mergeSystemMessages({
    messages: [
      { role: 'user', content: 'u' },
      { role: 'system', content: 'one' },
      { role: 'developer', content: [marker, { type: 'text', text: 'two' }] },
    ],
  });
  assert.deepEqual(merged.messages, [
    { role: 'system', content: [marker, { type: 'text', text: 'one' }, { type: 'text', text: 'two' }] },
    { role: 'user', content: 'u' },
  ]);
});

test('merging twice is the same as once, and nothing is invented without system text', () => {
  const once = mergeSystemMessages({ messages: [{ role: 'user', content: 'u' }] });
  assert.deepEqual(once.messages, [
    { role: 'system', content: [marker] },
    { role: 'user', content: 'u' },
  ]);
  assert.deepEqual(mergeSystemMessages(once), once);
});

test('the window lets 60 requests pass in any minute, per account', () => {
  const window = new SlidingWindow(60, 60_000);
  for (let i = 0; i < 60; i++) assert.equal(window.take('a', i * 100), 0);
  assert.equal(window.take('a', 6_000), 54_000);
  assert.equal(window.take('b', 6_000), 0);
  assert.equal(window.take('a', 59_999), 1_000);
  assert.equal(window.take('a', 60_000), 0);
  assert.equal(window.take('a', 60_001), 1_000);
});

test('a clock that is set back does not lock an account', () => {
  const window = new SlidingWindow(1, 60_000);
  window.take('a', 1_000_000);
  assert.equal(window.take('a', 0), 0);
});

test('the 61st request of a minute is refused here, as a 429 with the wait', () => {
  const busy = { ...credential, id: 'busy' };
  for (let i = 0; i < 60; i++) upstream.request({}, callOf(busy));
  assert.throws(
    () => upstream.request({}, callOf(busy, { now: () => testNow + 10_000 })),
    (error) =>
      error instanceof Failure &&
      error.status === 429 &&
      error.code === 'rate_limit_exceeded' &&
      error.retryAfterMs === 50_000,
  );
});

const quota: [number, object, boolean][] = [
  [403, { error: { code: 'insufficient_quota', message: 'x' } }, true],
  [403, { error: { message: 'Free allocated quota exceeded.' } }, true],
  [429, { error: { type: 'quota_exceeded' } }, true],
  [403, { error: { message: 'Access denied' } }, false],
  [400, { error: { message: 'quota exceeded' } }, false],
];
for (const [status, body, isQuota] of quota) {
  test(`${status} ${JSON.stringify(body)} is ${isQuota ? '' : 'not '}an exhausted quota`, () => {
    const response = { status, headers: { 'retry-after': '7' }, body: JSON.stringify(body) };
    const failure = upstream.classify(response, callOf(credential));
    assert.equal(failure.kind === 'quota' && failure.status === 429, isQuota);
  });
}

test('the wait of a 429 is the told one', () => {
  const body = '{"error":{"message":"quota exceeded"}}';
  const told = upstream.classify({ status: 429, headers: { 'retry-after': '7' }, body }, callOf(credential));
  assert.equal(told.retryAfterMs, 7_000);
  const off = { ...defaultConfig(), 'disable-cooling': true };
  const silent = upstream.classify({ status: 429, headers: {}, body }, callOf(credential, { config: off }));
  assert.equal(silent.retryAfterMs, 1_000);
});
