// What answers and failures of upstreams do to the request, to other credentials and to the health of their own.
// The rows of spec/upstreams.md §8 that are decided here.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sleep } from '../../src/routing/retry-rules.ts';
import { type Asked, chunk, completion, key, type Reply, type World, world } from './fixture.ts';

const answered = ({ failure }: Asked): void => assert.equal(failure, undefined, failure?.message ?? '');
const tokens = (one: World): string[] => one.upstreams.seen.map(({ token }) => token);
const only = (credential: 'k1', ill: Reply, stream = false) => ({
  credentials: [key('k1'), key('k2')],
  answer: ({ token }: { token: string }): Reply =>
    token === credential ? ill : stream ? { events: [chunk('fine', 'stop'), 'data: [DONE]\n\n'] } : {},
});
const windowsOf = (one: World, id = 'k1') => [...one.router.stateOf(id).cooldowns.windows.values()];

/** Asks twice, so that each of two credentials has its turn at being first. */
async function twice(one: World, stream = false): Promise<void> {
  for (let n = 0; n < 2; n++) {
    const asked = await one.ask({ stream });
    answered(asked);
    assert.match(asked.sink.text, stream ? /fine/ : /hello/);
  }
}

describe('an empty answer', () => {
  const whole: Record<string, unknown> = {
    'no choices': { ...completion(), choices: [], usage: undefined },
    'no members': {},
    'no bytes': '',
  };
  for (const [what, body] of Object.entries(whole)) {
    test(`(${what}) comes from the next credential, and is a 502 when there is none`, async () => {
      const one = world(only('k1', { body }));
      await twice(one);
      assert.equal(new Set(tokens(one)).size, 2);
      const alone = world({ credentials: [key('k1')], answer: () => ({ body }) });
      const { failure, sink } = await alone.ask();
      assert.deepEqual([failure?.status, sink.begun], [502, false]);
    });
  }

  const streams: Record<string, string[]> = {
    nothing: [],
    'comments only': [': hello\n\n'],
    '[DONE] only': ['data: [DONE]\n\n'],
    'a role and no word': [
      'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}\n\n',
    ],
  };
  for (const [what, events] of Object.entries(streams)) {
    test(`(a stream of ${what}) comes from the next credential, and is a 502 when there is none`, async () => {
      const one = world(only('k1', { events }, true));
      await twice(one, true);
      assert.equal(new Set(tokens(one)).size, 2);
      const alone = world({ credentials: [key('k1')], answer: () => ({ events }) });
      const { failure, sink } = await alone.ask({ stream: true });
      assert.deepEqual([failure?.status, sink.begun], [502, false]);
    });
  }
});

describe('a Codex stream', () => {
  const event = (data: { type: string } & Record<string, unknown>) =>
    `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
  const opening =
    event({ type: 'response.created', response: { id: 'r', model: 'm', status: 'in_progress' } }) +
    event({ type: 'response.in_progress', response: { id: 'r', model: 'm', status: 'in_progress' } });
  const failed = (code: string, message: string) =>
    event({ type: 'response.failed', response: { id: 'r', status: 'failed', error: { code, message } } });
  const message = {
    type: 'message',
    id: 'i',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: 'fine', annotations: [] }],
  };
  const ended = (type: string, more: object = {}) =>
    event({
      type,
      response: { id: 'r', object: 'response', model: 'm', status: 'completed', output: [message], ...more },
    });
  const codex = (id: string) => key(id, { provider: 'codex', providerKey: 'codex', baseUrl: 'http://upstream.test' });

  for (const stream of [false, true]) {
    const how = stream ? 'streaming' : 'whole';
    test(`that opens and then says it is overloaded goes to the next credential (${how})`, async () => {
      const one = world({
        credentials: [codex('k1'), codex('k2')],
        answer: ({ token }) => ({
          events:
            token === 'k1'
              ? [opening, failed('server_is_overloaded', 'Overloaded')]
              : [opening, ended('response.completed')],
        }),
      });
      await bothAnswer(one, stream);
      assert.equal(new Set(tokens(one)).size, 2);
    });

    test(`that refuses the request hands the code and text of the refusal on, to nobody else (${how})`, async () => {
      const one = world({
        credentials: [codex('k1'), codex('k2')],
        answer: () => ({ events: [opening, failed('context_length_exceeded', 'Too long for this model')] }),
      });
      const { failure } = await one.ask({ stream });
      assert.deepEqual([failure?.status, failure?.code], [400, 'context_length_exceeded']);
      assert.match(failure?.message ?? '', /Too long for this model/);
      assert.equal(one.upstreams.seen.length, 1);
      assert.deepEqual([...windowsOf(one, 'k1'), ...windowsOf(one, 'k2')], []);
    });

    test(`that is incomplete is an answer that reached its length (${how})`, async () => {
      const one = world({
        credentials: [codex('k1')],
        answer: () => ({
          events: [
            opening,
            ended('response.incomplete', {
              status: 'incomplete',
              incomplete_details: { reason: 'max_output_tokens' },
            }),
          ],
        }),
      });
      const asked = await one.ask({ stream });
      answered(asked);
      assert.match(asked.sink.text, /fine/);
      assert.match(asked.sink.text, /"finish_reason":"length"/);
    });
  }

  async function bothAnswer(one: World, stream: boolean): Promise<void> {
    for (let n = 0; n < 2; n++) {
      const asked = await one.ask({ stream });
      answered(asked);
      assert.match(asked.sink.text, /fine/);
      assert.doesNotMatch(asked.sink.text, /verloaded/);
    }
  }
});

describe('usage', () => {
  const usageOnly =
    'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n';
  const events = [
    chunk('fine').replace('"choices"', '"usage":null,"choices"'),
    chunk('', 'stop'),
    usageOnly,
    'data: [DONE]\n\n',
  ];

  test('is asked for in every stream, and its chunk is shown only to a client that wants it', async () => {
    const one = world({ credentials: [key('k1')], answer: () => ({ events }) });
    const plain = await one.ask({ stream: true });
    assert.doesNotMatch(plain.sink.text, /"choices":\[\]/);
    assert.match(plain.sink.text, /\[DONE\]/);
    const wanted = await one.ask({ stream: true, body: { stream_options: { include_usage: true } } });
    assert.match(wanted.sink.text, /"choices":\[\],"usage":\{"prompt_tokens":3/);
    for (const { body } of one.upstreams.seen) assert.deepEqual(body.stream_options, { include_usage: true });
  });

  test('of a stream is what was told last, once per request, whatever was null before', async () => {
    const one = world({ credentials: [key('k1')], answer: () => ({ events }) });
    const { trace } = await one.ask({ stream: true });
    assert.equal(trace.attempts.length, 1);
    assert.equal(trace.attempts[0]?.usage?.total, 5);
  });

  test('that was told before the stream broke is kept', async () => {
    const early = [chunk('fine'), usageOnly];
    const one = world({ credentials: [key('k1')], answer: () => ({ events: early, breaks: true }) });
    const { trace } = await one.ask({ stream: true });
    assert.equal(trace.attempts.length, 1);
    assert.equal(trace.attempts[0]?.usage?.total, 5);
    assert.ok(trace.attempts[0]?.failure);
  });

  test('that the upstream refuses to be asked for is not asked for again, and the client notices nothing', async () => {
    const one = world({
      credentials: [key('k1', { baseUrl: 'http://strict.test/v1' })],
      answer: ({ body }) =>
        body.stream_options === undefined
          ? { events: [chunk('fine', 'stop'), 'data: [DONE]\n\n'] }
          : {
              status: 400,
              body: { error: { message: 'Unknown field stream_options', type: 'invalid_request_error' } },
            },
    });
    for (let n = 0; n < 2; n++) answered(await one.ask({ stream: true }));
    assert.deepEqual(
      one.upstreams.seen.map(({ body }) => body.stream_options !== undefined),
      [true, false, false],
    );
  });
});

describe('a window', () => {
  test('begins anew at one second after a success', async () => {
    const script: Reply[] = [{ status: 429 }, { status: 429 }, {}, { status: 429 }];
    const one = world({ credentials: [key('k1')], answer: () => script.shift() ?? {} });
    const lengths: number[] = [];
    for (let n = 0; n < 4; n++) {
      await one.ask();
      const [window] = windowsOf(one);
      lengths.push(window === undefined ? 0 : window.until - window.openedAt);
      one.clock.now = (window?.until ?? one.clock.now) + 1;
    }
    for (const [n, base] of [1_000, 2_000, 0, 1_000].entries()) {
      const length = lengths[n] ?? -1;
      assert.ok(length >= base && length <= base * 1.2, `${n}: ${length}`);
    }
  });

  test('is at least one second, whatever the upstream says, and at most what the owner says', async () => {
    const short = world({
      credentials: [key('k1')],
      answer: () => ({ status: 429, headers: { 'retry-after-ms': '20' } }),
    });
    await short.ask();
    assert.equal((windowsOf(short)[0]?.until ?? 0) - short.clock.now, 1_000);
    const long = world({
      credentials: [key('k1')],
      config: { 'max-cooldown': '1m' },
      answer: () => ({ status: 429, headers: { 'retry-after': '86400' } }),
    });
    await long.ask();
    assert.equal((windowsOf(long)[0]?.until ?? 0) - long.clock.now, 60_000);
  });

  test('of a missing model is that model’s alone, and as long as the owner says', async () => {
    const models = ['there', 'gone'].map((name) => ({ name, alias: name }));
    const one = world({
      credentials: [key('k1', { models })],
      config: { 'not-found-cooldown-seconds': 180 },
      answer: ({ body }) =>
        body.model === 'gone' ? { status: 404, body: { error: { message: 'no such model' } } } : {},
    });
    await one.ask({ model: 'gone' });
    answered(await one.ask({ model: 'there' }));
    const [window, ...more] = windowsOf(one);
    assert.deepEqual(more, []);
    assert.equal((window?.until ?? 0) - one.clock.now, 180_000);
  });

  for (const [what, reply] of Object.entries<Reply>({
    'a 500': { status: 500 },
    'a 503': { status: 503 },
    'a 529': { status: 529 },
    'a 504': { status: 504 },
    'a 408': { status: 408 },
    'a challenge page': {
      status: 403,
      headers: { 'content-type': 'text/html' },
      body: '<html><title>Just a moment...</title><script>cf_chl_opt</script></html>',
    },
    'a broken connection': { events: [], breaks: true },
  })) {
    test(`after ${what} does not keep the only credential from answering the next request`, async () => {
      let calls = 0;
      const one = world({ credentials: [key('k1')], answer: () => (++calls === 1 ? reply : {}) });
      assert.ok((await one.ask()).failure);
      answered(await one.ask());
    });
  }
});

describe('a fault of the client', () => {
  const codes = [
    'context_length_exceeded',
    'invalid_prompt',
    'cyber_policy',
    'message_too_big',
    'string_above_max_length',
    'invalid_value',
    'unsupported_value',
    'previous_response_not_found',
    'invalid_request_error',
  ];
  const cases: [string, number, object][] = [
    ...[400, 405, 409, 413, 415, 422].map((status): [string, number, object] => [
      `${status}`,
      status,
      { error: { message: 'your fault' } },
    ]),
    ...codes.map((code): [string, number, object] => [code, 400, { error: { message: 'your fault', code } }]),
  ];
  for (const [what, status, body] of cases) {
    test(`(${what}) is told to the client as it came, costs one call, and harms no credential`, async () => {
      const one = world({ credentials: [key('k1'), key('k2')], answer: () => ({ status, body }) });
      const { failure } = await one.ask();
      assert.equal(failure?.status, status);
      assert.equal(failure?.upstreamBody, JSON.stringify(body));
      assert.equal(one.upstreams.seen.length, 1);
      assert.deepEqual([...windowsOf(one, 'k1'), ...windowsOf(one, 'k2')], []);
    });
  }
});

describe('a client that leaves', () => {
  test('while it waits for a place is let go at once and asks nobody', async () => {
    const one = world({
      credentials: [key('k1')],
      config: { 'max-concurrency': 1, 'queue-timeout-seconds': 30 },
      answer: () => ({ silent: true }),
    });
    const first = new AbortController();
    const holding = one.ask({ signal: first.signal });
    const second = new AbortController();
    const waiting = one.ask({ signal: second.signal });
    await new Promise(setImmediate);
    second.abort();
    assert.equal((await waiting).failure?.kind, 'aborted');
    assert.equal(one.upstreams.seen.length, 1);
    first.abort();
    assert.equal((await holding).failure?.kind, 'aborted');
  });

  test('while a cooldown is sat out is let go at once', async () => {
    const leave = new AbortController();
    const waiting = sleep(600_000, leave.signal);
    leave.abort();
    assert.equal(await waiting, false);
  });
});

test('an override of `stream` does not change how the answer is read', async () => {
  const one = world({
    credentials: [key('k1')],
    config: {
      payload: { override: [{ models: [{ name: '*' }], params: { stream: true } }] },
    } as object,
    answer: ({ body }) => (body.stream === true ? { events: [chunk('fine', 'stop'), 'data: [DONE]\n\n'] } : {}),
  });
  const asked = await one.ask();
  answered(asked);
  const answer = JSON.parse(asked.sink.text) as ReturnType<typeof completion>;
  assert.equal(answer.object, 'chat.completion');
});

test('an alias is the model of every answer, whole or streamed', async () => {
  const one = world({
    credentials: [key('k1', { models: [{ name: 'real', alias: 'shown' }] })],
    answer: ({ body }) =>
      body.stream === true
        ? {
            events: [chunk('fine'), chunk('', 'stop'), 'data: [DONE]\n\n'].map((each) => each.replace('"m"', '"real"')),
          }
        : { body: completion('fine', 'real') },
  });
  for (const stream of [false, true]) {
    const { sink } = await one.ask({ model: 'shown', stream });
    const told = [...sink.text.matchAll(/"model":"([^"]*)"/g)].map(([, name]) => name);
    assert.ok(told.length > 0 && told.every((name) => name === 'shown'), sink.text);
  }
  assert.deepEqual(
    one.upstreams.seen.map(({ body }) => body.model),
    ['real', 'real'],
  );
});
