// What a running server knows outlives it: rests, counters and sessions after kill -9, open streams after SIGTERM.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { chat, compat, eventually, startChat } from './lab.ts';

let world: World;
let servers: RunningServer[];
beforeEach(async () => {
  world = await startWorld();
  servers = [];
});
afterEach(async () => {
  await world.close();
  for (const server of servers.reverse()) await server.stop();
});

async function start(options: Parameters<typeof startProxy>[0]): Promise<RunningServer> {
  const server = await startProxy(options);
  servers.push(server);
  return server;
}

const names = ['ann', 'ben', 'cleo'];
const asked = (account: string) => world.select({ kind: 'chat', account }).length;

test('after kill -9 a banned account stays banned, counters and sessions go on', async () => {
  const management = 'management-key-1';
  const config = {
    'openai-compatibility': [compat(world, names)],
    routing: { 'session-affinity': true },
    'remote-management': { 'secret-key': management },
  };
  const first = await start({ config });
  const session = { headers: { 'x-session-id': 'conversation-7' } };
  assert.equal((await chat(first, session)).status, 200);
  const bound = world.log.at(-1)?.account ?? '';
  const banned = names.find((name) => name !== bound) ?? '';
  world.script({ kind: 'chat', account: banned }, { error: 'unauthorized', times: Number.POSITIVE_INFINITY });
  while (asked(banned) === 0) assert.equal((await chat(first)).status, 200);

  const counted = async (server: RunningServer): Promise<Record<string, [success: number, failed: number]>> => {
    const headers = { authorization: `Bearer ${management}` };
    const response = await fetch(`${server.url}/v0/management/api-key-usage?reveal=1`, { headers });
    const { fake = {} } = (await response.json()) as Record<
      string,
      Record<string, { success: number; failed: number }>
    >;
    return Object.fromEntries(Object.entries(fake).map(([key, { success, failed }]) => [key, [success, failed]]));
  };
  const before = await counted(first);
  assert.equal(Object.keys(before).length, 3);
  const stateFile = path.join(first.authDir, '.routing-state.json');
  const succeeded = Object.values(before).reduce((sum, [success]) => sum + success, 0);
  await eventually('the state is on disk', async () => {
    const text = await readFile(stateFile, 'utf8').catch(() => '{}');
    const { credentials = {} } = JSON.parse(text) as { credentials?: Record<string, { success: number }> };
    return Object.values(credentials).reduce((sum, { success }) => sum + success, 0) === succeeded;
  });
  first.signal('SIGKILL');
  assert.equal(await first.exit, 137);

  const second = await start({ folder: first.folder, config });
  assert.deepEqual(await counted(second), before);
  const askedBefore = asked(banned);
  for (let i = 0; i < 9; i++) assert.equal((await chat(second)).status, 200);
  assert.equal(asked(banned), askedBefore, 'the banned account is asked again');
  for (let i = 0; i < 3; i++) {
    assert.equal((await chat(second, session)).status, 200);
    assert.equal(world.log.at(-1)?.account, bound);
  }
});

test('SIGTERM: open streams end well, new requests are refused, the exit code is 0', async () => {
  const server = await start({ config: { 'openai-compatibility': [compat(world, names)] } });
  const script = world.script({ kind: 'chat' }, { holdAfter: 2, times: 2 });
  const open = [await startChat(server.url, { stream: true }), await startChat(server.url, { stream: true })];
  const texts = open.map((response) => response.text());
  server.signal('SIGTERM');
  await server.until(/shutting down/);
  // Either nobody listens any more, or a kept connection says 503.
  const refused = await startChat(server.url).then(
    (response) => response.status,
    () => 0,
  );
  assert.ok([0, 503].includes(refused), `status ${refused}`);
  script.release();
  for (const text of await Promise.all(texts)) assert.match(text, /data: \[DONE\]\s*$/);
  assert.equal(await server.exit, 0);
});

test('a request that is made on a kept connection while the server drains is told 503', async () => {
  const { Agent, request } = await import('undici');
  const server = await start({ config: { 'openai-compatibility': [compat(world, names)] } });
  const script = world.script({ kind: 'chat' }, { hold: true });
  const held = startChat(server.url);
  await world.until(() => world.select({ kind: 'chat' }).length === 1);
  // One connection, whose second request is already on its way behind the first: it is never idle.
  const agent = new Agent({ pipelining: 2, connections: 1 });
  const ask = () =>
    request(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }),
    });
  assert.equal((await ask()).statusCode, 200);
  server.signal('SIGTERM');
  await server.until(/shutting down/);
  const late = await ask().then(
    ({ statusCode, headers }) => ({ statusCode, connection: headers.connection }),
    () => undefined,
  );
  if (late !== undefined) assert.deepEqual(late, { statusCode: 503, connection: 'close' });
  script.release();
  assert.equal((await held).status, 200);
  assert.equal(await server.exit, 0);
  await agent.destroy();
});

test('a second signal ends the program at once', async () => {
  const server = await start({ config: { 'openai-compatibility': [compat(world, names)] } });
  world.script({ kind: 'chat' }, { hold: true });
  const cut = startChat(server.url).catch(() => 'cut');
  await world.until(() => world.select({ kind: 'chat' }).length === 1);
  server.signal('SIGTERM');
  await server.until(/shutting down/);
  server.signal('SIGTERM');
  assert.notEqual(await server.exit, 0);
  assert.equal(await cut, 'cut');
});

test('streams that do not end are cut when the time for them is over', async () => {
  const config = { 'openai-compatibility': [compat(world, names)], 'shutdown-timeout-seconds': 1 };
  const server = await start({ config });
  world.script({ kind: 'chat' }, { holdAfter: 2 });
  const response = await startChat(server.url, { stream: true });
  const text = response.text().catch(() => 'cut');
  server.signal('SIGINT');
  assert.equal(await server.exit, 0);
  assert.doesNotMatch(await text, /\[DONE\]/);
});
