// What providers are known to do instead of answering, through the built program (upstreams.md §2, §8).
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { type Action, startWorld, type World } from '../world/index.ts';
import { pieces } from './pieces.ts';

let world: World;
let proxy: RunningServer;

/** Two iFlow accounts, and one of each other kind. */
before(async () => {
  world = await startWorld();
  const accounts = [
    world.account('iflow', 'alice'),
    world.account('iflow', 'bob'),
    world.account('qwen', 'alice'),
    world.account('qwen', 'bob'),
    world.account('antigravity', 'alice', { projects: ['p1'] }),
    world.account('gemini-cli', 'alice', { projects: ['p1', 'p2'] }),
  ];
  const files = accounts.map((account) => world.file(account));
  proxy = await startProxy({
    config: { 'api-keys': ['sk-test'], endpoints: world.endpoints, 'disable-cooling': true },
    authFiles: Object.fromEntries(files.map(({ name, fields }) => [name, fields])),
  });
});
after(async () => {
  await proxy?.stop();
  await world?.close();
});

let seen = 0;
beforeEach(() => {
  seen = world.log.length;
});
const asked = () => world.log.slice(seen).filter((entry) => entry.kind === 'chat');

async function chat(model: string, stream = false): Promise<{ status: number; text: string }> {
  const response = await fetch(`${proxy.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test' },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'hello' }] }),
  });
  return { status: response.status, text: await response.text() };
}

const completion = {
  id: 'x',
  object: 'chat.completion',
  created: 1,
  model: 'glm-4.6',
  choices: [{ index: 0, message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }],
};

const disguised: [string, Action][] = [
  ['a business error inside a 200', { body: { status: '449', msg: 'too fast' } }],
  ['an empty 200', { empty: true }],
  [
    'a lost connection behind it',
    { body: { ...completion, choices: [{ index: 0, message: { content: '' }, finish_reason: 'network_error' }] } },
  ],
  ['an HTML page', { body: '<html>maintenance</html>', headers: { 'content-type': 'text/html' } }],
];
for (const [what, action] of disguised) {
  for (const stream of [false, true]) {
    test(`iFlow answers ${stream ? 'a stream' : 'a request'} with ${what}: the next account answers instead`, async () => {
      world.script({ provider: 'iflow', kind: 'chat' }, action);
      const { status, text } = await chat('glm-4.6', stream);
      assert.equal(status, 200, text);
      assert.match(pieces(text), /hello/);
      assert.equal(new Set(asked().map((entry) => entry.account)).size, 2);
    });
  }
}

test('iFlow loses its connection at the start of a stream: the next account answers instead', async () => {
  const chunk = JSON.stringify({ id: 'x', choices: [{ index: 0, delta: {}, finish_reason: 'network_error' }] });
  world.script(
    { provider: 'iflow', kind: 'chat' },
    { body: `data: ${chunk}\n\ndata: [DONE]\n\n`, headers: { 'content-type': 'text/event-stream' } },
  );
  const { status, text } = await chat('glm-4.6', true);
  assert.equal(status, 200, text);
  assert.match(pieces(text), /hello/);
  assert.equal(asked().length, 2);
});

test('iFlow answers a stream with one JSON: the client gets chunks and the end mark', async () => {
  world.script({ provider: 'iflow', kind: 'chat' }, { body: completion });
  const { status, text } = await chat('glm-4.6', true);
  assert.equal(status, 200);
  assert.match(text, /^data: \{.*chat\.completion\.chunk/);
  assert.match(text, /whole/);
  assert.match(text, /data: \[DONE\]\s*$/);
});

test('iFlow says 406: the same account is asked again without a signature', async () => {
  world.script({ provider: 'iflow', kind: 'chat' }, { status: 406, body: '' });
  assert.equal((await chat('glm-4.6')).status, 200);
  const entries = asked();
  assert.deepEqual(
    entries.map((entry) => entry.notes.signature),
    ['ok', 'absent'],
  );
  assert.equal(entries[0]?.account, entries[1]?.account);
});

test('Qwen says 403 for a used-up quota: another account answers', async () => {
  const body = { error: { message: 'Free allocated quota exceeded.', code: 'insufficient_quota' } };
  world.script({ provider: 'qwen', kind: 'chat' }, { status: 403, body });
  assert.equal((await chat('coder-model')).status, 200);
  assert.equal(asked().length, 2);
});

test('both Qwen accounts are out: the client gets a 429 with the wait', async () => {
  const body = { error: { message: 'Free allocated quota exceeded.', code: 'insufficient_quota' } };
  const headers = { 'retry-after': '7' };
  world.script({ provider: 'qwen', kind: 'chat' }, { status: 403, body, headers, times: 2 });
  assert.equal((await chat('coder-model')).status, 429);
});

test('Gemini projects of one login take turns and stand in for each other', async () => {
  world.script({ provider: 'gemini-cli', kind: 'chat' }, { error: 'quota', retryAfter: 30 });
  assert.equal((await chat('gemini-2.5-pro')).status, 200);
  assert.deepEqual(new Set(asked().map((entry) => entry.notes.project)), new Set(['p1', 'p2']));
});

test("an Antigravity refusal reaches the client with the service's own words and wait", async () => {
  world.script({ provider: 'antigravity', kind: 'chat' }, { error: 'quota', retryAfter: 30 });
  const response = await fetch(`${proxy.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test' },
    body: JSON.stringify({ model: 'gemini-3-flash', messages: [{ role: 'user', content: 'hello' }] }),
  });
  assert.equal(response.status, 429);
  assert.equal(response.headers.get('retry-after'), '30');
  assert.match(await response.text(), /exhausted/);
});
