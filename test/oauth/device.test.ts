import assert from 'node:assert/strict';
import test from 'node:test';
import { HttpError } from '../../src/net/http.ts';
import { type DevicePolling, intervalOf, type PollAnswer, pollDevice } from '../../src/oauth/device.ts';
import { readDeviceToken } from '../../src/oauth/device-token.ts';
import { LoginError } from '../../src/oauth/flow.ts';

type Step = PollAnswer<string> | Error;

/** Polls through `steps` on a clock of its own; gives the waits in ms and when each poll came. */
function polling(steps: Step[], options: Partial<DevicePolling<string>> = {}) {
  let now = 0;
  const waits: number[] = [];
  const polls: number[] = [];
  const run = pollDevice<string>({
    poll: async () => {
      polls.push(now);
      const step = steps[Math.min(polls.length, steps.length) - 1] as Step;
      if (step instanceof Error) throw step;
      return step;
    },
    intervalMs: 5_000,
    expiresAt: 60_000,
    timeoutMessage: 'too late',
    now: () => now,
    signal: new AbortController().signal,
    sleep: async (ms) => {
      waits.push(ms);
      now += ms;
    },
    ...options,
  });
  return { run, waits, polls };
}

const pending: Step = { kind: 'pending' };
const done: Step = { kind: 'done', value: 'token' };

test('the first poll comes after one interval, the next after one more', async () => {
  const { run, polls } = polling([pending, pending, done]);
  assert.equal(await run, 'token');
  assert.deepEqual(polls, [5_000, 10_000, 15_000]);
});

test('the first poll comes at once when the provider is known to allow it', async () => {
  const { run, polls } = polling([pending, done], { immediately: true });
  await run;
  assert.deepEqual(polls, [0, 5_000]);
});

test('slow_down adds five seconds for good (RFC 8628 §3.5)', async () => {
  const { run, waits } = polling([{ kind: 'slow-down' }, pending, { kind: 'slow-down' }, done]);
  await run;
  assert.deepEqual(waits, [5_000, 10_000, 10_000, 15_000]);
});

test('broken connections and server errors are tolerated', async () => {
  const broken = new HttpError('connection reset', { code: 'ECONNRESET' });
  const { run, polls } = polling([broken, { kind: 'transient', message: 'status 502' }, broken, done]);
  assert.equal(await run, 'token');
  assert.equal(polls.length, 4);
});

test('the wait ends when the code expires, with the last trouble named', async () => {
  const { run, polls } = polling([{ kind: 'transient', message: 'status 502' }], { expiresAt: 12_000 });
  await assert.rejects(run, { code: 'callback_timeout', exit: 4, message: 'too late (the last answer: status 502)' });
  assert.deepEqual(polls, [5_000, 10_000]);
});

test('a denial ends it at once', async () => {
  const denied = new LoginError('no', { code: 'access_denied', exit: 3 });
  const { run, polls } = polling([pending, { kind: 'failed', error: denied }, done]);
  await assert.rejects(run, denied);
  assert.equal(polls.length, 2);
});

test('Ctrl-C ends the wait without another poll', async () => {
  const ending = new AbortController();
  const { run, polls } = polling([done], { signal: ending.signal, sleep: async () => ending.abort() });
  await assert.rejects(run, { code: 'aborted' });
  assert.equal(polls.length, 0);
});

const intervals: [told: unknown, ms: number][] = [
  [undefined, 5_000],
  [0, 5_000],
  ['', 5_000],
  ['8', 8_000],
  [2, 2_000],
  [0.2, 1_000],
  ['soon', 5_000],
  [-1, 5_000],
];
for (const [told, ms] of intervals) {
  test(`an interval of ${JSON.stringify(told)} means ${ms} ms`, () => {
    assert.equal(intervalOf(told), ms);
  });
}

const answers: [
  what: string,
  status: number,
  body: object | string,
  kind: PollAnswer<unknown>['kind'],
  exit?: number,
][] = [
  ['pending', 400, { error: 'authorization_pending' }, 'pending'],
  ['pending with status 200', 200, { error: 'authorization_pending' }, 'pending'],
  ['slow down', 400, { error: 'slow_down' }, 'slow-down'],
  ['a token', 200, { access_token: 'at' }, 'done'],
  ['denied', 400, { error: 'access_denied' }, 'failed', 3],
  ['expired', 400, { error: 'expired_token' }, 'failed', 4],
  ['another refusal', 400, { error: 'invalid_grant', error_description: 'PKCE' }, 'failed', 1],
  ['a bad gateway', 502, '<html>', 'transient'],
  ['too many requests', 429, { error: 'rate_limited' }, 'transient'],
  ['a server error with a code', 503, { error: 'server_error' }, 'transient'],
  ['an empty 200', 200, '', 'transient'],
  ['a 200 without a token', 200, { access_token: '' }, 'transient'],
];
for (const [what, status, body, kind, exit] of answers) {
  test(`a poll answered with ${what} is ${kind}`, () => {
    const json = typeof body === 'string' ? undefined : (body as never);
    const read = readDeviceToken({ status, headers: {}, text: String(body), json }, 'poll failed: ');
    assert.equal(read.kind, kind);
    if (read.kind === 'failed') assert.equal(read.error.exit, exit);
  });
}
