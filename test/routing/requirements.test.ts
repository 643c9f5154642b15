// The rows of spec/routing.md §20, each against the behaviour it was written for.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Config } from '../../src/config/index.ts';
import type { Credential } from '../../src/credentials/credential.ts';
import { Failure } from '../../src/failure.ts';
import { Secret } from '../../src/secret.ts';
import { type Asked, chunk, completion, key, type Reply, world } from './fixture.ts';

const ok: Reply = { body: completion() };
const limited = (headers: Record<string, string> = {}): Reply => ({
  status: 429,
  headers,
  body: { error: { message: 'slow down' } },
});
const broken: Reply = { status: 500, body: { error: { message: 'oops' } } };
const shares = (tokens: string[]): Record<string, number> => {
  const counted: Record<string, number> = {};
  for (const token of tokens) counted[token] = (counted[token] ?? 0) + 1;
  return counted;
};
const keys = (n: number, extra: Partial<Credential> = {}) =>
  Array.from({ length: n }, (_, i) => key(`k${i + 1}`, extra));
const answered = ({ failure }: Asked): void => assert.equal(failure, undefined, failure?.message ?? '');

const twoModels = [
  { name: 'well', alias: 'well' },
  { name: 'ill', alias: 'ill' },
];

test('D1: requests for a cooled model do not disturb the turns of a healthy one', async () => {
  const one = world({
    credentials: keys(3, { models: twoModels }),
    answer: ({ body }) => (body.model === 'ill' ? limited({ 'retry-after': '600' }) : ok),
  });
  for (let i = 0; i < 300; i++) {
    answered(await one.ask({ model: 'well' }));
    await one.ask({ model: 'ill' });
  }
  const well = one.upstreams.seen.filter(({ body }) => body.model === 'well').map(({ token }) => token);
  assert.deepEqual(shares(well), { k1: 100, k2: 100, k3: 100 });
});

test('D2: an alias is served by the same turns, also while one of four keys cools', async () => {
  const models = [{ name: 'real', alias: 'shown' }];
  const one = world({
    credentials: keys(4, { models }),
    answer: ({ token }) => (token === 'k2' ? limited({ 'retry-after': '3600' }) : ok),
  });
  for (let i = 0; i < 301; i++) answered(await one.ask({ model: 'shown' }));
  const { k1 = 0, k2, k3 = 0, k4 = 0 } = shares(one.upstreams.seen.map(({ token }) => token));
  assert.equal(k2, 1);
  for (const share of [k1, k3, k4]) assert.ok(Math.abs(share - 100) <= 3, `${share}`);
});

test('D3: twenty refusals of one moment are one window of one second', async () => {
  const one = world({ credentials: keys(1), answer: () => limited() });
  await Promise.all(Array.from({ length: 20 }, () => one.ask()));
  const { failure } = await one.ask();
  assert.equal(failure?.code, 'model_cooldown');
  assert.ok((failure?.details?.reset_seconds as number) <= 2, `${failure?.details?.reset_seconds}`);
});

test('D4: the wait that an upstream names is the window, to the second', async () => {
  const one = world({ credentials: keys(1), answer: () => limited({ 'retry-after': '77' }) });
  const first = await one.ask();
  assert.equal(first.failure?.retryAfterMs, 77_000);
  assert.equal((await one.ask()).failure?.details?.reset_seconds, 77);
});

test('D5: a window of days is probed, one request at a time, and ends when the quota is back', async () => {
  let well = false;
  const one = world({
    credentials: keys(1),
    config: { 'cooldown-probe-interval': '2s' },
    answer: () => (well ? ok : limited({ 'retry-after': '604800' })),
  });
  await one.ask();
  one.clock.now += 60_000;
  const parallel = await Promise.all([one.ask(), one.ask(), one.ask()]);
  assert.equal(one.upstreams.seen.length, 2, 'one probe');
  assert.ok(parallel.every(({ failure }) => failure?.status === 429));
  well = true;
  one.clock.now += 2_000;
  answered(await one.ask());
  answered(await one.ask());
});

test('D6: a reset by hand ends the window; a new login heals 401 but not quota', async () => {
  const one = world({ credentials: keys(1), answer: () => limited({ 'retry-after': '600' }) });
  await one.ask();
  const [before] = one.credentials;
  assert.ok(before);
  const after = { ...before, token: new Secret('other') };
  one.router.credentialsChanged({ added: [], removed: [], changed: [{ before, after }] });
  assert.equal((await one.ask()).failure?.code, 'model_cooldown');
  assert.deepEqual(one.router.reset('k1'), ['m']);
  await one.ask();
  assert.equal(one.upstreams.seen.length, 2);

  const dead = world({ credentials: keys(1), answer: () => ({ status: 401, body: { error: { message: 'no' } } }) });
  await dead.ask();
  assert.equal((await dead.ask()).failure?.status, 503);
  const [old] = dead.credentials;
  assert.ok(old);
  dead.router.credentialsChanged({
    added: [],
    removed: [],
    changed: [{ before: old, after: { ...old, token: new Secret('new') } }],
  });
  assert.equal((await dead.ask()).failure?.status, 401);
});

test('D7: a slow success that began before a refusal does not end its window', async () => {
  const one = world({ credentials: keys(1), answer: () => limited({ 'retry-after': '60' }) });
  const entry = one.router.entry('m');
  const slow = one.router.pick(entry, { tried: new Set(), session: undefined });
  assert.ok(slow);
  one.router.begin(slow);
  const startedAt = one.clock.now;
  one.clock.now += 10;
  await one.ask();
  one.clock.now += 10;
  one.router.succeeded(slow, startedAt);
  one.router.ended(slow);
  assert.equal((await one.ask()).failure?.code, 'model_cooldown');
});

test('D8: a changed setting or a rewritten file keeps windows and levels', async () => {
  const one = world({ credentials: keys(1), answer: () => limited() });
  const ends: number[] = [];
  for (let i = 0; i < 3; i++) {
    await one.ask();
    const window = one.router.stateOf('k1').cooldowns.windows.get('m');
    assert.ok(window);
    ends.push(window.until - window.openedAt);
    one.router.configChanged();
    const [now] = one.credentials;
    assert.ok(now);
    one.router.credentialsChanged({ added: [], removed: [], changed: [{ before: now, after: { ...now } }] });
    one.clock.now = window.until;
  }
  for (const [i, base] of [1_000, 2_000, 4_000].entries()) {
    const length = ends[i] as number;
    assert.ok(length >= base && length <= base * 1.2, `window ${i}: ${length}`);
  }
});

test('D9: a thinking suffix does not make a second window', async () => {
  const one = world({ credentials: keys(1), answer: () => limited({ 'retry-after': '60' }) });
  await one.ask({ model: 'm(high)' });
  assert.equal((await one.ask({ model: 'm' })).failure?.code, 'model_cooldown');
  assert.equal(one.upstreams.seen.length, 1);
});

describe('D10: errors of a moment', () => {
  test('two 500s, then an answer: the client waits less than four seconds and sees no error', async () => {
    let calls = 0;
    const one = world({
      credentials: keys(1),
      config: { 'request-retry': 3, 'max-retry-interval': 30 },
      answer: () => (++calls < 3 ? broken : ok),
    });
    const started = one.clock.now;
    answered(await one.ask());
    assert.equal(calls, 3);
    assert.ok(one.clock.now - started < 4_000, `${one.clock.now - started} ms`);
    assert.equal(one.slept.length, 2);
  });

  test('a broken connection is retried like a 500', async () => {
    let calls = 0;
    const one = world({
      credentials: keys(1),
      config: { 'request-retry': 1, 'max-retry-interval': 30 },
      answer: () => (++calls === 1 ? { events: [], breaks: true } : ok),
    });
    answered(await one.ask());
  });

  test('the only credential is not locked out by a 500', async () => {
    let calls = 0;
    const one = world({ credentials: keys(1), answer: () => (++calls === 1 ? broken : ok) });
    assert.equal((await one.ask()).failure?.status, 500);
    answered(await one.ask());
  });

  test('without request-retry no second round is tried', async () => {
    const one = world({ credentials: keys(2), config: { 'max-retry-interval': 30 }, answer: () => broken });
    assert.equal((await one.ask()).failure?.status, 500);
    assert.equal(one.upstreams.seen.length, 2);
  });
});

test('D11: a 401 is answered with one refresh and one more try, before any other credential', async () => {
  const claude = key('claude-a.json', {
    provider: 'claude',
    providerKey: 'claude',
    kind: 'oauth',
    source: 'file',
    models: undefined,
    token: new Secret('sk-ant-oat-old'),
    fields: new Secret({ refresh_token: 'r', type: 'claude' }),
  });
  const message = {
    id: 'x',
    type: 'message',
    role: 'assistant',
    model: 'c',
    content: [{ type: 'text', text: 'hi' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 1 },
  };
  const one = world({
    credentials: [claude],
    answer: ({ token }) =>
      token.endsWith('old')
        ? { status: 401, body: { type: 'error', error: { type: 'authentication_error', message: 'expired' } } }
        : { body: message },
    refresh: (old) => ({ ...old, token: new Secret('sk-ant-oat-new') }),
  });
  answered(await one.ask({ model: 'claude-sonnet-4-5-20250929' }));
  assert.deepEqual(one.refreshes, ['claude-a.json']);
  assert.equal(one.upstreams.seen.length, 2);
});

test('D12: a cooling model stays listed, and a missing one is asked for again after fifteen minutes', async () => {
  const one = world({
    credentials: keys(1),
    answer: () => ({ status: 404, body: { error: { message: 'no such model' } } }),
  });
  await one.ask();
  assert.deepEqual(
    one.router.registry.listing().map(({ id }) => id),
    ['m'],
  );
  const window = one.router.stateOf('k1').cooldowns.windows.get('m');
  assert.ok(window);
  assert.equal(window.until - window.openedAt, 900_000);
});

describe('D14: session affinity', () => {
  const routing: Config['routing'] = {
    strategy: 'round-robin',
    'session-affinity': true,
    'session-affinity-ttl': '1h',
    'session-affinity-hash': false,
  };

  test('one prompt cache key stays on one credential, and moves once when that one cools', async () => {
    const cooling = new Set<string>();
    const one = world({
      credentials: keys(5),
      config: { routing },
      answer: ({ token }) => (cooling.has(token) ? limited({ 'retry-after': '600' }) : ok),
    });
    for (let i = 0; i < 20; i++) answered(await one.ask({ body: { prompt_cache_key: 'conversation-1' } }));
    const [first] = one.upstreams.seen;
    assert.ok(first);
    assert.deepEqual(shares(one.upstreams.seen.map(({ token }) => token)), { [first.token]: 20 });
    cooling.add(first.token);
    for (let i = 0; i < 20; i++) answered(await one.ask({ body: { prompt_cache_key: 'conversation-1' } }));
    const used = new Set(one.upstreams.seen.slice(21).map(({ token }) => token));
    assert.equal(used.size, 1);
  });

  test('new sessions are spread evenly', async () => {
    const one = world({ credentials: keys(5), config: { routing }, answer: () => ok });
    for (let i = 0; i < 50; i++) await one.ask({ headers: { 'x-session-id': `s${i}` } });
    assert.deepEqual(Object.values(shares(one.upstreams.seen.map(({ token }) => token))), [10, 10, 10, 10, 10]);
  });
});

describe('D15: the client is told why and when', () => {
  test('every account out of quota: 429, the earliest reset, Retry-After', async () => {
    const one = world({
      credentials: keys(2),
      answer: ({ token }) => limited({ 'retry-after': token === 'k1' ? '40' : '90' }),
    });
    await one.ask();
    one.clock.now += 10_000;
    const { failure } = await one.ask();
    assert.equal(failure?.status, 429);
    assert.equal(failure?.details?.reset_seconds, 30);
    assert.equal(failure?.retryAfterMs, 30_000);
  });

  test('accounts blocked for other reasons: 503 with the reason and the last upstream error', async () => {
    const one = world({
      credentials: keys(1),
      answer: () => ({ status: 403, body: { error: { message: 'region not supported' } } }),
    });
    await one.ask();
    const { failure } = await one.ask();
    assert.equal(failure?.status, 503);
    assert.equal(failure?.details?.reason, 'unauthorized');
    assert.match(failure?.message ?? '', /403 region not supported/);
    assert.ok(failure?.retryAfterMs);
  });
});

describe('D17: fallback chains', () => {
  const models = ['primary', 'second', 'third'].map((name) => ({ name, alias: name }));
  const chain: Partial<Config> = {
    'model-fallback': [{ from: 'primary', to: ['second', 'third'], on: ['quota', 'unavailable', 'overloaded'] }],
  };

  test('the next model answers, under the name that was asked for, and the answer says which', async () => {
    const one = world({
      credentials: keys(2, { models }),
      config: chain,
      answer: ({ body }) =>
        body.model === 'primary' ? limited({ 'retry-after': '60' }) : { body: completion('x', String(body.model)) },
    });
    const asked = await one.ask({ model: 'primary' });
    answered(asked);
    assert.equal(asked.trace.answeredBy, 'second');
    assert.equal(JSON.parse(asked.sink.text).model, 'primary');
  });

  test('the primary is asked first again as soon as it is well', async () => {
    let well = false;
    const one = world({
      credentials: keys(1, { models }),
      config: chain,
      answer: ({ body }) => (body.model === 'primary' && !well ? limited({ 'retry-after': '5' }) : ok),
    });
    answered(await one.ask({ model: 'primary' }));
    well = true;
    one.clock.now += 6_000;
    const again = await one.ask({ model: 'primary' });
    assert.equal(again.trace.answeredBy, undefined);
  });

  test('never after the first byte', async () => {
    const one = world({
      credentials: keys(1, { models }),
      config: chain,
      answer: () => ({ events: [chunk('be'), chunk('gun')], breaks: true }),
    });
    const { sink, trace } = await one.ask({ model: 'primary', stream: true });
    assert.match(sink.text, /be.*gun.*"error"/s);
    assert.doesNotMatch(sink.text, /\[DONE\]/);
    assert.equal(trace.attempts.length, 1);
  });

  test('not for a request that is the client’s own fault', async () => {
    const one = world({
      credentials: keys(2, { models }),
      config: chain,
      answer: () => ({ status: 400, body: { error: { type: 'invalid_request_error', message: 'bad' } } }),
    });
    assert.equal((await one.ask({ model: 'primary' })).failure?.status, 400);
    assert.equal(one.upstreams.seen.length, 1);
  });
});

test('D19: a credential is never given more requests at once than its limit; the rest waits for a place', async () => {
  const one = world({
    credentials: keys(2),
    config: { 'max-concurrency': 1, 'queue-timeout-seconds': 30 },
    answer: () => ok,
  });
  const all = await Promise.all(Array.from({ length: 10 }, () => one.ask()));
  for (const each of all) answered(each);
  assert.deepEqual(shares(one.upstreams.seen.map(({ token }) => token)), { k1: 5, k2: 5 });
});

test('D20: windows, counters and sessions come back after a restart', async () => {
  const one = world({
    credentials: keys(2),
    answer: ({ token }) => (token === 'k1' ? limited({ 'retry-after': '600' }) : ok),
  });
  for (let i = 0; i < 5; i++) await one.ask();
  const saved = JSON.parse(JSON.stringify(one.router.save())) as Parameters<typeof one.router.load>[0];
  const next = world({ credentials: keys(2), answer: () => ok });
  next.router.load(saved);
  for (let i = 0; i < 5; i++) answered(await next.ask());
  assert.deepEqual(shares(next.upstreams.seen.map(({ token }) => token)), { k2: 5 });
  assert.equal(next.router.stateOf('k2').success, 10);
});

describe('selection', () => {
  test('the highest priority that has a ready credential answers, and is used again when it recovers', async () => {
    const one = world({
      credentials: [key('low', { priority: 1 }), key('high', { priority: 9 })],
      answer: ({ token }, { now }) =>
        token === 'high' && now < 1_700_000_005_000 ? limited({ 'retry-after': '5' }) : ok,
    });
    await one.ask();
    await one.ask();
    one.clock.now += 6_000;
    await one.ask();
    assert.deepEqual(
      one.upstreams.seen.map(({ token }) => token),
      ['high', 'low', 'low', 'high'],
    );
  });

  test('fill-first stays with the first ready credential', async () => {
    const one = world({
      config: {
        routing: {
          strategy: 'fill-first',
          'session-affinity': false,
          'session-affinity-ttl': '1h',
          'session-affinity-hash': false,
        },
      },
      credentials: keys(3),
      answer: () => ok,
    });
    for (let i = 0; i < 5; i++) await one.ask();
    assert.deepEqual(shares(one.upstreams.seen.map(({ token }) => token)), { k1: 5 });
  });

  test('a credential is not tried twice in one round', async () => {
    const one = world({ credentials: keys(3), answer: () => broken });
    await one.ask();
    assert.deepEqual(one.upstreams.seen.map(({ token }) => token).sort(), ['k1', 'k2', 'k3']);
  });

  test('max-retry-credentials bounds a round', async () => {
    const one = world({ credentials: keys(3), config: { 'max-retry-credentials': 2 }, answer: () => broken });
    await one.ask();
    assert.equal(one.upstreams.seen.length, 2);
  });

  test('a removed credential is never chosen again, whatever was cached', async () => {
    const one = world({ credentials: keys(2), answer: () => ok });
    await one.ask();
    const gone = one.credentials.splice(0, 1);
    one.router.credentialsChanged({ added: [], changed: [], removed: gone });
    for (let i = 0; i < 5; i++) answered(await one.ask());
    assert.ok(one.upstreams.seen.slice(1).every(({ token }) => token === 'k2'));
  });

  test('what goes on while a request is under way counts for its next attempt: a removal, a new token', async () => {
    const one = world({
      credentials: keys(3),
      answer: () => {
        if (one.upstreams.seen.length > 1) return ok;
        const [first, second] = one.credentials.filter(({ id }) => id !== one.upstreams.seen[0]?.token);
        assert.ok(first && second);
        const renewed = { ...second, token: new Secret('renewed') };
        one.credentials.splice(one.credentials.indexOf(first), 1);
        one.credentials[one.credentials.indexOf(second)] = renewed;
        one.router.credentialsChanged({
          added: [],
          changed: [{ before: second, after: renewed }],
          removed: [first],
        });
        return broken;
      },
    });
    answered(await one.ask());
    assert.deepEqual(
      one.upstreams.seen.map(({ token }) => token).slice(1),
      ['renewed'],
      'the removed one is not asked, the other one with what it has now',
    );
  });

  test('a ring turns evenly whoever leaves it, cools or comes back', async () => {
    let limitedToken: string | undefined;
    const one = world({
      credentials: keys(4),
      answer: ({ token }) => (token === limitedToken ? limited({ 'retry-after': '60' }) : ok),
    });
    for (let i = 0; i < 6; i++) answered(await one.ask());
    limitedToken = 'k3';
    for (let i = 0; i < 9; i++) answered(await one.ask());
    limitedToken = undefined;
    one.clock.now += 61_000;
    const before = one.upstreams.seen.length;
    for (let i = 0; i < 8; i++) answered(await one.ask());
    const later = one.upstreams.seen.slice(before).map(({ token }) => token);
    assert.deepEqual(shares(later), { k1: 2, k2: 2, k3: 2, k4: 2 });
    assert.deepEqual(later.slice(4), later.slice(0, 4), 'in the same order each time');
  });
});

test('a client that leaves while its request waits is let go, and nothing is held against anybody', async () => {
  const leave = new AbortController();
  const one = world({ credentials: keys(1), answer: () => ({ silent: true }) });
  const asked = one.ask({ signal: leave.signal });
  await Promise.resolve();
  leave.abort();
  const { failure } = await asked;
  assert.equal(failure?.kind, 'aborted');
  assert.equal(one.upstreams.aborted, 1);
  assert.equal(one.router.stateOf('k1').failed, 0);
  assert.equal(one.router.stateOf('k1').inFlight, 0);
});

test('an error inside a 200 stream before its first word goes to the next credential', async () => {
  const one = world({
    credentials: keys(2),
    answer: ({ token }) =>
      token === 'k1'
        ? { events: ['data: {"error":{"message":"overloaded","code":503}}\n\n'] }
        : { events: [chunk('fine', 'stop'), 'data: [DONE]\n\n'] },
  });
  for (let i = 0; i < 2; i++) {
    const asked = await one.ask({ stream: true });
    answered(asked);
    assert.match(asked.sink.text, /fine/);
    assert.doesNotMatch(asked.sink.text, /overloaded/);
  }
});

test('failures know their kind', () => {
  assert.equal(new Failure({ kind: 'quota', status: 429, message: '' }).scope, 'model');
  assert.equal(new Failure({ kind: 'invalid-request', status: 400, message: '' }).scope, 'request');
});
