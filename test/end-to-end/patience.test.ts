// Upstreams that are slow, silent or full, through the built program: keep-alives, timeouts, second starts, queues.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { chat, compat, eventually, model, startChat } from './lab.ts';

let world: World;
let server: RunningServer | undefined;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world.close();
  await server?.stop();
  server = undefined;
});

async function start(config: Record<string, unknown>, names: readonly string[] = ['ann', 'ben']) {
  server = await startProxy({ config: { 'openai-compatibility': [compat(world, names)], ...config } });
  return server;
}

const asked = () => world.select({ kind: 'chat' });

/** Reads until the text so far fits. */
async function readUntil(response: Response, pattern: RegExp): Promise<{ text: string; rest(): Promise<string> }> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  const next = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: !done });
    return !done;
  };
  while (!pattern.test(text) && (await next()));
  return {
    text,
    async rest() {
      while (await next());
      return text;
    },
  };
}

test('a stream that is silent gets comments, before its first event and between events', async () => {
  const proxy = await start({ streaming: { 'keepalive-seconds': 1 } });
  const script = world.script({ kind: 'chat' }, { hold: true });
  const early = await startChat(proxy.url, { stream: true });
  assert.equal(early.status, 200);
  const reader = await readUntil(early, /: keep-alive\n\n/);
  assert.equal(reader.text, ': keep-alive\n\n');
  script.release();
  assert.match(await reader.rest(), /^: keep-alive\n\n(: keep-alive\n\n)*data: [\s\S]*data: \[DONE\]\s*$/);

  const pause = world.script({ kind: 'chat' }, { holdAfter: 2 });
  const late = await readUntil(await startChat(proxy.url, { stream: true }), /: keep-alive\n\n/);
  assert.match(late.text, /^data: \{[\s\S]*\n\n: keep-alive\n\n$/);
  pause.release();
  assert.match(await late.rest(), /data: \[DONE\]\s*$/);
});

test('after comments another credential may still answer; when none can, the error is an event of the stream', async () => {
  const proxy = await start({ streaming: { 'keepalive-seconds': 1 }, 'disable-cooling': true });
  const script = world.script({ kind: 'chat' }, { hold: true, error: 'server-error' });
  const rescued = await readUntil(await startChat(proxy.url, { stream: true }), /: keep-alive\n\n/);
  script.release();
  assert.match(await rescued.rest(), /data: \[DONE\]\s*$/);
  assert.equal(asked().length, 2);

  const all = world.script({ kind: 'chat' }, { hold: true, error: 'server-error', times: 2 });
  const lost = await readUntil(await startChat(proxy.url, { stream: true }), /: keep-alive\n\n/);
  all.release();
  const text = await lost.rest();
  assert.match(text, /data: \{"error"/);
  assert.doesNotMatch(text, /\[DONE\]/);
});

const wholeRoutes: [path: string, body: Record<string, unknown>][] = [
  ['/v1/chat/completions', {}],
  ['/v1/messages', { max_tokens: 10 }],
  ['/v1/responses', { input: 'hello' }],
  [`/v1beta/models/${model}:generateContent`, { contents: [{ role: 'user', parts: [{ text: 'hello' }] }] }],
];
test('a whole answer that is awaited gets newlines on every route, and stays valid JSON', async () => {
  const proxy = await start({ 'nonstream-keepalive-interval': 1 });
  const scripts = wholeRoutes.map(() => world.script({ kind: 'chat' }, { hold: true }));
  const readers = await Promise.all(
    wholeRoutes.map(async ([path, body]) => {
      const response = await startChat(proxy.url, { path, body });
      assert.equal(response.status, 200);
      return readUntil(response, /\n/);
    }),
  );
  for (const script of scripts) script.release();
  for (const reader of readers) {
    const text = await reader.rest();
    assert.match(text, /^\n+\{/);
    assert.match(JSON.stringify(JSON.parse(text)), /hello/);
  }
});

test('the status is the true one until the first newline; a later error is told in the body, with its status', async () => {
  const proxy = await start({ 'nonstream-keepalive-interval': 1 }, ['ann']);
  world.script({ kind: 'chat' }, { error: 'invalid-request' });
  assert.equal((await chat(proxy)).status, 400);

  const script = world.script({ kind: 'chat' }, { hold: true, error: 'invalid-request' });
  const response = await startChat(proxy.url);
  const reader = await readUntil(response, /\n/);
  script.release();
  assert.equal(response.status, 200);
  const answer = JSON.parse(await reader.rest()) as { error?: unknown; status?: number };
  assert.equal(answer.status, 400);
  assert.ok(answer.error);
});

for (const stream of [false, true]) {
  const what = stream ? 'a stream' : 'an answer';
  test(`${what} that does not begin in time comes from the next credential`, async () => {
    const proxy = await start({ 'first-byte-timeout-seconds': 1 });
    world.script({ kind: 'chat' }, { hold: true });
    const { status, text } = await chat(proxy, { stream });
    assert.equal(status, 200, text);
    assert.equal(asked().length, 2);
    assert.notEqual(asked()[0]?.account, asked()[1]?.account);
  });
}

test('when nobody begins in time the client gets 504', async () => {
  const proxy = await start({ 'first-byte-timeout-seconds': 1 }, ['ann']);
  world.script({ kind: 'chat' }, { hold: true, times: Number.POSITIVE_INFINITY });
  const answers = await Promise.all([chat(proxy), chat(proxy, { stream: true })]);
  for (const { status, text } of answers) {
    assert.equal(status, 504, text);
    assert.ok(JSON.parse(text).error);
  }
  await world.until(() => asked().every(({ state }) => state === 'aborted'), 'the upstream is let go');
});

test('a stream that goes silent in the middle ends with an error, never as if it were complete', async () => {
  const proxy = await start({ 'idle-timeout-seconds': 1 });
  world.script({ kind: 'chat' }, { holdAfter: 2 });
  const { status, text } = await chat(proxy, { stream: true });
  assert.equal(status, 200);
  assert.match(text, /data: \{"error"/);
  assert.doesNotMatch(text, /\[DONE\]/);
  assert.equal(asked().length, 1);
});

test('bootstrap-retries starts a stream again before its first byte; without it the client gets the error', async () => {
  const proxy = await start({ streaming: { 'bootstrap-retries': 2 } }, ['ann']);
  world.script({ kind: 'chat' }, { error: 'server-error', times: 2 });
  const good = await chat(proxy, { stream: true });
  assert.equal(good.status, 200, good.text);
  assert.match(good.text, /data: \[DONE\]\s*$/);
  assert.equal(asked().length, 3);

  world.script({ kind: 'chat' }, { error: 'server-error', times: 3 });
  assert.equal((await chat(proxy, { stream: true })).status, 500);
  assert.equal(asked().length, 6);
});

test('harmless headers of the upstream are handed on only when asked for', async () => {
  const headers = {
    'x-upstream-note': 'hello',
    'set-cookie': 'sid=1',
    'x-hop': 'private',
    connection: 'keep-alive, x-hop',
    server: 'nginx',
  };
  const completion = { id: 'x', object: 'chat.completion', created: 1, model: 'x', choices: [] };
  const body = {
    ...completion,
    choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
  };
  for (const wanted of [false, true]) {
    const proxy = await start({ 'passthrough-headers': wanted }, ['ann']);
    world.script({ kind: 'chat' }, { body, headers });
    const answer = await chat(proxy);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-upstream-note'), wanted ? 'hello' : null);
    for (const name of ['set-cookie', 'x-hop', 'server']) assert.equal(answer.headers.get(name), null, name);
    await proxy.stop();
  }
});

test('a credential has its places: who comes later waits, and is refused when nobody leaves', async () => {
  const proxy = await start({ 'max-concurrency': 1, 'queue-timeout-seconds': 1 }, ['ann']);
  const script = world.script({ kind: 'chat' }, { hold: true });
  const first = chat(proxy);
  await world.until(() => asked().length === 1);
  const refused = await chat(proxy);
  assert.equal(refused.status, 429, refused.text);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  const waiting = chat(proxy);
  script.release();
  assert.equal((await first).status, 200);
  assert.equal((await waiting).status, 200);
  assert.equal(asked().length, 2);
});

test('a client key has its places too, other keys are not held up', async () => {
  const proxy = await start({ 'api-keys': ['sk-a', 'sk-b'], 'client-max-concurrency': 2 }, ['ann']);
  const script = world.script({ kind: 'chat' }, { hold: true, times: 2 });
  const running = [chat(proxy, { key: 'sk-a' }), chat(proxy, { key: 'sk-a', stream: true })];
  await world.until(() => asked().length === 2);
  const refused = await chat(proxy, { key: 'sk-a' });
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal((await chat(proxy, { key: 'sk-b' })).status, 200);
  script.release();
  for (const { status } of await Promise.all(running)) assert.equal(status, 200);
  await eventually('the places are free again', async () => (await chat(proxy, { key: 'sk-a' })).status === 200);
});
