import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultConfig } from '../../../src/config/index.ts';
import { Failure } from '../../../src/failure.ts';
import type { JsonObject } from '../../../src/protocols/neutral.ts';
import { limitBudget } from '../../../src/providers/antigravity/body.ts';
import { sessionId } from '../../../src/providers/antigravity/envelope.ts';
import { provider } from '../../../src/providers/antigravity/index.ts';
import { upstream } from '../../../src/providers/antigravity/upstream.ts';
import type { UpstreamCall } from '../../../src/providers/provider.ts';
import { callOf, credentialOf, jsonBody, testNow } from '../calls.ts';

const fields = { type: 'antigravity', access_token: 'at', refresh_token: 'rt', project_id: 'p' };
let made = 0;
/** Each with an id of its own: what is remembered of one must not touch another test. */
const newCredential = () => credentialOf('antigravity', fields, { id: `antigravity-${made++}.json` });
const contents = [{ role: 'user', parts: [{ text: 'Hello there' }] }];
const errorInfo = 'type.googleapis.com/google.rpc.ErrorInfo';

function refused(call: UpstreamCall, status: number, error: JsonObject | string): Failure {
  const body = typeof error === 'string' ? error : JSON.stringify({ error: { code: status, ...error } });
  return upstream.classify({ status, headers: {}, body }, call);
}

function rateLimit(delay: string, reason = 'RATE_LIMIT_EXCEEDED'): JsonObject {
  return {
    status: 'RESOURCE_EXHAUSTED',
    message: 'exhausted',
    details: [{ '@type': errorInfo, reason, metadata: { quotaResetDelay: delay } }],
  };
}

test('the session id is the one that the same first text always gives', () => {
  assert.equal(sessionId({ contents }), '-5640620435465520688');
  assert.equal(sessionId({ contents: [{ role: 'model', parts: [] }, ...contents] }), '-5640620435465520688');
});

test('the envelope names project, model, kind and conversation', () => {
  const call = callOf(newCredential(), { model: 'gemini-3-flash' });
  const { requestId, request, ...rest } = jsonBody(upstream.request({ contents }, call));
  assert.match(String(requestId), /^agent-[0-9a-f-]{36}$/);
  assert.deepEqual(rest, { project: 'p', model: 'gemini-3-flash', requestType: 'agent', userAgent: 'cliproxy' });
  assert.deepEqual(request, { contents, sessionId: '-5640620435465520688' });
});

test('image models have their own kind and no session', () => {
  const call = callOf(newCredential(), { model: 'gemini-3.1-flash-image' });
  const body = jsonBody(upstream.request({ contents }, call));
  assert.equal(body.requestType, 'image_gen');
  assert.match(String(body.requestId), new RegExp(`^image_gen/${testNow}/[0-9a-f-]{36}/12$`));
  assert.deepEqual(body.request, { contents });
});

test('models that only stream are streamed upstream, whoever asks', () => {
  const credential = newCredential();
  const streamed = (model: string): boolean => upstream.request({ contents }, callOf(credential, { model })).stream;
  assert.deepEqual(['claude-sonnet-4-6', 'gemini-3-pro-high', 'gemini-2.5-flash'].map(streamed), [true, true, false]);
});

test('a login without a project is refused before anything is sent', () => {
  const without = credentialOf('antigravity', { ...fields, project_id: '' });
  assert.throws(() => upstream.request({ contents }, callOf(without)), /no Google Cloud project/);
});

test('Claude models validate calls, others take no limit of the answer', () => {
  const tools = [{ functionDeclarations: [{ name: 'f', parametersJsonSchema: { type: 'object', $schema: 'x' } }] }];
  const body = { contents, tools, safetySettings: [], generationConfig: { maxOutputTokens: 9, topP: 1 } };
  const claude = upstream.adapt(body, callOf(newCredential(), { model: 'claude-sonnet-4-6' }));
  assert.deepEqual(claude.toolConfig, { functionCallingConfig: { mode: 'VALIDATED' } });
  assert.equal(claude.safetySettings, undefined);
  assert.ok(!JSON.stringify(claude.tools).includes('$schema'));
  const gemini = upstream.adapt(body, callOf(newCredential(), { model: 'gemini-3-flash' }));
  assert.deepEqual(gemini.generationConfig, { topP: 1 });
});

test('a thinking budget stays below the limit of the answer, or is dropped', () => {
  const body = (limit: number): JsonObject => ({
    generationConfig: { maxOutputTokens: limit, thinkingConfig: { thinkingBudget: 5_000 } },
  });
  assert.deepEqual(limitBudget(body(4_000), 1_024).generationConfig, {
    maxOutputTokens: 4_000,
    thinkingConfig: { thinkingBudget: 3_999 },
  });
  assert.deepEqual(limitBudget(body(1_000), 1_024).generationConfig, { maxOutputTokens: 1_000 });
  const fits = body(9_000);
  assert.equal(limitBudget(fits, 1_024), fits);
});

const network = new Failure({ kind: 'transient', status: 502, message: 'unreachable' });

test('a host that cannot be reached gives way to the next, then to the next credential', () => {
  const credential = newCredential();
  const first = upstream.retry?.(network, callOf(credential));
  assert.deepEqual(first, { variant: { base: 1 }, waitMs: 0 });
  const second = callOf(credential, { variant: { base: 1 } });
  assert.match(
    upstream.request({ contents }, second).url,
    /^https:\/\/daily-cloudcode-pa\.googleapis\.com\/v1internal:/,
  );
  assert.equal(upstream.retry?.(network, callOf(credential, { variant: { base: 2 } })), undefined);
});

test("the credential's own base URL has no successor", () => {
  const credential = credentialOf('antigravity', { ...fields, base_url: 'http://own/' });
  assert.equal(upstream.retry?.(network, callOf(credential)), undefined);
  assert.match(upstream.request({ contents }, callOf(credential)).url, /^http:\/\/own\/v1internal:/);
});

const attempts = { ...defaultConfig(), 'request-retry': 2 };

test('an instant rate limit is sat out on the same credential', () => {
  const call = callOf(newCredential(), { config: attempts });
  const again = upstream.retry?.(refused(call, 429, rateLimit('1.5s')), call);
  assert.deepEqual(again, { variant: { base: 0, attempt: 1 }, waitMs: 2_300 });
  const last = { ...call, variant: { base: 2, attempt: 2 } };
  assert.equal(upstream.retry?.(refused(last, 429, rateLimit('1.5s')), last), undefined);
});

test('a short rate limit asks the other hosts and keeps its hint', () => {
  const call = callOf(newCredential(), { config: attempts });
  const failure = refused(call, 429, rateLimit('30s'));
  assert.equal(failure.retryAfterMs, 30_000);
  assert.deepEqual(upstream.retry?.(failure, call), { variant: { base: 1 }, waitMs: 0 });
});

test('a 429 that says nothing asks the other hosts, then waits a little longer each time', () => {
  const call = callOf(newCredential(), { config: attempts, variant: { base: 2, attempt: 1 } });
  assert.deepEqual(upstream.retry?.(refused(call, 429, ''), call), {
    variant: { base: 0, attempt: 2 },
    waitMs: 1_000,
  });
});

test('a host without capacity gives way to the next, then is asked again', () => {
  const message = { message: 'No capacity available for model x' };
  const call = callOf(newCredential(), { config: attempts });
  assert.deepEqual(upstream.retry?.(refused(call, 503, message), call), { variant: { base: 1 }, waitMs: 0 });
  const last = { ...call, variant: { base: 2 } };
  assert.equal(upstream.retry?.(refused(last, 503, message), last)?.waitMs, 250);
});

test('a used-up quota ends the matter for this credential', () => {
  for (const error of [rateLimit('4h', 'QUOTA_EXHAUSTED'), rateLimit('300s')]) {
    const call = callOf(newCredential(), { config: attempts });
    assert.equal(upstream.retry?.(refused(call, 429, error), call), undefined);
  }
});

test('other refusals are for other credentials', () => {
  const call = callOf(newCredential(), { config: attempts });
  for (const status of [400, 401, 403, 500]) assert.equal(upstream.retry?.(refused(call, status, {}), call), undefined);
});

const credits = {
  ...defaultConfig(),
  'quota-exceeded': { ...defaultConfig()['quota-exceeded'], 'antigravity-credits': true },
};
const enabled = (call: UpstreamCall): unknown => jsonBody(upstream.request({ contents }, call)).enabledCreditTypes;

test('where the owner allows it, a used-up quota is paid for, first by one more try', () => {
  const call = callOf(newCredential(), { config: credits });
  assert.equal(enabled(call), undefined);
  const again = upstream.retry?.(refused(call, 429, rateLimit('1h', 'QUOTA_EXHAUSTED')), call);
  assert.deepEqual(again, { variant: { credits: true }, waitMs: 0 });
  assert.deepEqual(enabled({ ...call, variant: { credits: true } }), ['GOOGLE_ONE_AI']);
  const within = { ...call, now: () => testNow + 3_599_000 };
  assert.deepEqual(enabled(within), ['GOOGLE_ONE_AI'], 'until the quota is back, credits come first');
  assert.equal(enabled({ ...call, now: () => testNow + 3_600_000 }), undefined);
});

test('credits that fail are left alone for five hours, those that are gone for good', () => {
  for (const [body, later] of [
    [rateLimit('1h', 'QUOTA_EXHAUSTED'), true],
    [{ message: 'INSUFFICIENT_G1_CREDITS_BALANCE' }, false],
  ] as const) {
    const call = callOf(newCredential(), { config: credits });
    const quota = rateLimit('1h', 'QUOTA_EXHAUSTED');
    upstream.retry?.(refused(call, 429, quota), call);
    const paid = { ...call, variant: { credits: true } };
    assert.equal(upstream.retry?.(refused(paid, 429, body), paid), undefined);
    assert.equal(upstream.retry?.(refused(call, 429, quota), call), undefined);
    const nextDay = { ...call, now: () => testNow + 86_400_000 };
    assert.equal(upstream.retry?.(refused(nextDay, 429, quota), nextDay) !== undefined, later);
  }
});

test('files of other programs without an end have it from timestamp and lifetime', () => {
  const facts = provider.readCredential({ ...fields, timestamp: 1_000_000, expires_in: 3_599 });
  assert.ok(!Array.isArray(facts));
  assert.equal(facts.expiresAt, 4_599_000);
});
