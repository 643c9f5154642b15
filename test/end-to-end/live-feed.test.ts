// The live feed of the built program: who watches sees each request as it ends.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { chat, compat } from './lab.ts';

const key = 'management-key-1';
let world: World;
let server: RunningServer;
before(async () => {
  world = await startWorld();
  server = await startProxy({
    config: { 'remote-management': { 'secret-key': key }, 'openai-compatibility': [compat(world, ['ann'])] },
  });
});
after(async () => {
  await world.close();
  await server.stop();
});

test('a request is told within 200 ms of its end, with its outcome, and once', async () => {
  const leave = new AbortController();
  const feed = await fetch(`${server.url}/v0/management/events`, {
    headers: { authorization: `Bearer ${key}` },
    signal: leave.signal,
  });
  const reader = (feed.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  const told = async (n: number): Promise<void> => {
    while (text.split('event: request\n').length <= n) {
      const { done, value } = await reader.read();
      assert.ok(!done, text);
      text += decoder.decode(value, { stream: true });
    }
  };
  await chat(server, { stream: true });
  await told(1);
  await chat(server, { model: 'nobody-has-it' });
  await told(2);
  leave.abort();
  const events = [...text.matchAll(/^event: request\ndata: (.+)$/gm)].map(
    ([, data]) => JSON.parse(data ?? '') as Record<string, unknown>,
  );
  assert.deepEqual(
    events.map(({ status, model, stream, attempts }) => [status, model, stream, attempts]),
    [
      [200, 'm', true, 1],
      [404, 'nobody-has-it', false, 0],
    ],
  );
});
