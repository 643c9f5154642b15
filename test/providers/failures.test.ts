// Reading refusals: kinds, hints, messages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  classifyCommon,
  goDuration,
  quotaReport,
  retryHint,
  statusOfError,
  streamFailure,
} from '../../src/providers/failures.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const call = { token: 'sk-secret-token-123456', now: () => now };

function classified(status: number, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return classifyCommon({ status, headers, body: text }, call, { protocol: 'openai-chat' });
}

const kinds: [number, unknown, string, string][] = [
  [400, { error: { message: 'bad', type: 'invalid_request_error' } }, 'invalid-request', 'request'],
  [422, 'nope', 'invalid-request', 'request'],
  [401, {}, 'unauthorized', 'credential'],
  [402, {}, 'forbidden', 'credential'],
  [403, {}, 'forbidden', 'model'],
  [404, { error: { message: 'no such model' } }, 'not-found', 'model'],
  [406, {}, 'transient', 'request'],
  [408, {}, 'transient', 'model'],
  [429, {}, 'quota', 'model'],
  [500, {}, 'transient', 'model'],
  [503, {}, 'overloaded', 'model'],
  [529, {}, 'overloaded', 'model'],
  [504, {}, 'timeout', 'model'],
  [400, { detail: "The 'x' model is not supported when using Codex" }, 'model-unsupported', 'model'],
  [422, { error: { code: 'model_not_supported' } }, 'model-unsupported', 'model'],
  [
    400,
    { error: { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] } },
    'unauthorized',
    'credential',
  ],
  [
    400,
    { error: { status: 'FAILED_PRECONDITION', message: 'User location is not supported' } },
    'forbidden',
    'credential',
  ],
  [
    400,
    { error: { type: 'invalid_request_error', message: 'Your credit balance is too low' } },
    'forbidden',
    'credential',
  ],
  [
    404,
    { error: { message: "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false." } },
    'invalid-request',
    'request',
  ],
  [403, '<html><title>Just a moment...</title><script>cf_chl_opt</script></html>', 'transient', 'model'],
];
for (const [status, body, kind, scope] of kinds) {
  test(`${status} ${JSON.stringify(body).slice(0, 60)} is ${kind}, about the ${scope}`, () => {
    const failure = classified(status, body);
    assert.deepEqual([failure.kind, failure.scope, failure.status], [kind, scope, status]);
  });
}

const hints: [string, Record<string, string>, unknown, number | undefined][] = [
  [
    'RetryInfo',
    {},
    { error: { details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '33.4s' }] } },
    33400,
  ],
  [
    'quotaResetDelay',
    {},
    { error: { details: [{ '@type': 'x/google.rpc.ErrorInfo', metadata: { quotaResetDelay: '1h2m3s' } }] } },
    3_723_000,
  ],
  ['after Ns', {}, { error: { message: 'Your quota will reset after 39s.' } }, 39000],
  ['resets_at before resets_in_seconds', {}, { error: { resets_at: now / 1000 + 90, resets_in_seconds: 7 } }, 90000],
  ['resets_in_seconds', {}, { error: { type: 'usage_limit_reached', resets_in_seconds: 77 } }, 77000],
  [
    'the last rejected unified window',
    {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': String(now / 1000 + 60),
      'anthropic-ratelimit-unified-7d-status': 'rejected',
      'anthropic-ratelimit-unified-7d-reset': String(now / 1000 + 600),
      'anthropic-ratelimit-unified-5h-status': 'allowed',
      'anthropic-ratelimit-unified-5h-reset': String(now / 1000 + 6000),
      'retry-after': '5',
    },
    {},
    600_000,
  ],
  ['retry-after-ms', { 'retry-after-ms': '1500', 'retry-after': '9' }, {}, 1500],
  ['Retry-After seconds', { 'retry-after': '120' }, {}, 120_000],
  ['Retry-After date', { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, {}, 30_000],
  [
    'the exhausted x-ratelimit',
    {
      'x-ratelimit-reset-requests': '2s',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-tokens': '6m0s',
      'x-ratelimit-remaining-tokens': '9',
    },
    {},
    2000,
  ],
  ['x-ratelimit-reset as Unix time', { 'x-ratelimit-reset': String(now / 1000 + 45) }, {}, 45_000],
  ['nothing from a date in the past', { 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, {}, undefined],
];
for (const [name, headers, body, wait] of hints) {
  test(`a 429 waits by ${name}`, () => {
    assert.equal(classified(429, body, headers).retryAfterMs, wait);
  });
}

test('a body hint beats a header hint', () => {
  assert.equal(retryHint({ 'retry-after': '1' }, { error: { resets_in_seconds: 5 } }, now), 5000);
});

test('Go durations are read, other texts are not', () => {
  assert.equal(goDuration('373.8ms'), 373.8);
  assert.equal(goDuration('1m'), 60_000);
  assert.equal(goDuration('soon'), undefined);
});

test('a JSON object body is kept byte for byte, other bodies are not', () => {
  const body = '{ "error" : {"message":"x"} }';
  assert.equal(classified(500, body).upstreamBody, body);
  assert.equal(classified(500, 'Too many').upstreamBody, undefined);
  assert.equal(classified(500, '[{"error":{"message":"x"}}]').upstreamBody, '{"error":{"message":"x"}}');
});

test('the message is what the upstream said: its message, a page title, the text, or the status', () => {
  assert.equal(classified(500, { error: { message: 'kaput' } }).message, 'kaput');
  assert.equal(classified(500, { error: 'kaput' }).message, 'kaput');
  assert.equal(classified(500, { detail: 'kaput' }).message, 'kaput');
  assert.equal(classified(502, '<!DOCTYPE html><title>Bad Gateway</title><p>long').message, 'Bad Gateway');
  assert.equal(classified(502, 'plain').message, 'plain');
  assert.equal(classified(500, '').message, 'status 500');
});

test('our own token never stands in message or body', () => {
  const failure = classified(401, { error: { message: `bad key ${call.token}` } });
  assert.ok(!failure.message.includes(call.token));
  assert.ok(!failure.upstreamBody?.includes(call.token));
});

test('errors inside a stream get the status their words mean', () => {
  assert.equal(statusOfError({ message: '', kind: 'overloaded_error' }), 529);
  assert.equal(statusOfError({ message: '', code: 'server_is_overloaded' }), 503);
  assert.equal(statusOfError({ message: '', kind: 'RESOURCE_EXHAUSTED' }), 429);
  assert.equal(statusOfError({ message: '', status: 418 }), 418);
  assert.equal(statusOfError({ message: 'what' }), 502);
  assert.equal(streamFailure({ message: 'm', code: 'context_length_exceeded' }, () => now).kind, 'invalid-request');
});

test('the tightest window is what quota-aware selection sees', () => {
  assert.deepEqual(
    quotaReport(
      {
        'anthropic-ratelimit-unified-5h-utilization': '0.25',
        'anthropic-ratelimit-unified-7d-utilization': '0.75',
        'anthropic-ratelimit-unified-7d-reset': '1000',
      },
      now,
    ),
    { remaining: 0.25, resetAt: 1_000_000 },
  );
  assert.deepEqual(
    quotaReport({ 'x-codex-primary-used-percent': '40', 'x-codex-primary-reset-after-seconds': '10' }, now),
    {
      remaining: 0.6,
      resetAt: now + 10_000,
    },
  );
  assert.equal(quotaReport({}, now), undefined);
});
