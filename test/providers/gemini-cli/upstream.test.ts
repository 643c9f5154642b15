import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/protocols/neutral.ts';
import { provider } from '../../../src/providers/gemini-cli/index.ts';
import { upstream } from '../../../src/providers/gemini-cli/upstream.ts';
import { callOf, credentialOf, jsonBody } from '../calls.ts';

const fields: JsonObject = {
  type: 'gemini',
  email: 'a@b.c',
  project_id: 'proj-a',
  token: { access_token: 'at', refresh_token: 'rt', expiry: '2026-01-01T01:00:00Z' },
};
const credential = credentialOf('gemini-cli', fields);
const contents = [{ role: 'user', parts: [{ text: 'hi' }] }];

test('the token comes from the nested object', () => {
  const facts = provider.readCredential(fields);
  assert.ok(!Array.isArray(facts));
  assert.equal(facts.token, 'at');
  assert.equal(facts.refreshToken, 'rt');
  assert.equal(facts.expiresAt, Date.parse('2026-01-01T01:00:00Z'));
  assert.equal(facts.child, undefined);
});

test('a list of projects makes one credential each, sharing the token', () => {
  const facts = provider.readCredential({ ...fields, project_id: 'a, b,,a' });
  assert.ok(Array.isArray(facts));
  assert.deepEqual(
    facts.map(({ child, projectId, token, label }) => [child, projectId, token, label]),
    [
      ['a', 'a', 'at', 'a@b.c (a)'],
      ['b', 'b', 'at', 'a@b.c (b)'],
    ],
  );
});

test('a request goes up in the envelope, streams as SSE', () => {
  const body = { contents, model: 'x', safetySettings: [] };
  const request = upstream.request(body, callOf(credential, { model: 'gemini-2.5-pro' }));
  assert.equal(request.url, 'https://cloudcode-pa.googleapis.com/v1internal:generateContent');
  assert.equal(request.headers.authorization, 'Bearer at');
  assert.deepEqual(jsonBody(request), {
    project: 'proj-a',
    model: 'gemini-2.5-pro',
    request: { contents, safetySettings: [] },
  });
  const stream = upstream.request(body, callOf(credential, { stream: true }));
  assert.equal(stream.url, 'https://cloudcode-pa.googleapis.com/v1internal:streamGenerateContent?alt=sse');
  assert.equal(stream.stream, true);
});

test('a token count carries neither project, model nor safety settings', () => {
  const body = { contents, model: 'x', safetySettings: [] };
  const request = upstream.request(body, callOf(credential, { operation: 'count-tokens', stream: true }));
  assert.equal(request.url, 'https://cloudcode-pa.googleapis.com/v1internal:countTokens');
  assert.deepEqual(jsonBody(request), { request: { contents } });
});

test('a login without a project is refused before anything is sent', () => {
  const without = credentialOf('gemini-cli', { ...fields, project_id: '' });
  assert.throws(() => upstream.request({ contents }, callOf(without)), /no Google Cloud project/);
});

const hints: [string, JsonObject, number][] = [
  ['RetryInfo', { details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.847s' }] }, 847],
  [
    'quotaResetDelay',
    {
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', metadata: { quotaResetDelay: '1h2m3s' } }],
    },
    3_723_000,
  ],
  ['the message', { message: 'Your quota will reset after 7s.' }, 7_000],
];
for (const [source, error, expected] of hints) {
  test(`the wait of a 429 is read from ${source}`, () => {
    const body = JSON.stringify({ error: { code: 429, status: 'RESOURCE_EXHAUSTED', ...error } });
    const failure = upstream.classify({ status: 429, headers: {}, body }, callOf(credential));
    assert.deepEqual([failure.kind, failure.retryAfterMs], ['quota', expected]);
  });
}
