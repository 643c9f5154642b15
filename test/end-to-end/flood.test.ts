// After a flood of bad input the program is as small as before, within a fifth: what was taken for it went back to the
// system, which only the system can say. "Before" is a server that has served: code it runs for the first time is loaded
// from the executable, ten megabytes that no flood can be blamed for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { chat, compat, eventually, model } from './lab.ts';

let world: World;
let server: RunningServer;
before(async () => {
  world = await startWorld();
  server = await startProxy({
    config: { 'api-keys': ['sk-0'], 'openai-compatibility': [compat(world, ['ann'])], endpoints: world.endpoints },
  });
});
after(async () => {
  await world?.close();
  await server?.stop();
});

/** MB that are resident. */
function resident(): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

interface Body {
  body: string | Buffer;
  encoding?: string;
}

const routes = ['/v1/chat/completions', '/v1/messages', '/v1/responses', `/v1beta/models/${model}:generateContent`];
const saying = (content: string) => JSON.stringify({ model, messages: [{ role: 'user', content }] });

const small: Body[] = [
  { body: saying('hello') },
  ...['', '{', '[]', 'null', '"text"', '{"model":7}', '{"model":"nobody-has-this"}', '\0\xff'].map((body) => ({
    body,
  })),
  { body: saying('hello').slice(0, -9) },
  { body: Buffer.from(saying('hello')), encoding: 'gzip' },
  { body: gzipSync(saying('hello')).subarray(0, 40), encoding: 'gzip' },
  { body: Buffer.alloc(40, 0xff), encoding: 'br' },
  { body: saying('hello'), encoding: 'x-rot13' },
];

function large(): Body[] {
  const bomb = saying('A'.repeat(96 << 20));
  const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
  return [
    { body: saying('x'.repeat(2 << 20)) },
    { body: `${'['.repeat(50_000)}${']'.repeat(50_000)}` },
    { body: `{"model":"${model}","messages":[${'{},'.repeat(90_000)}{}]}` },
    { body: gzipSync(bomb), encoding: 'gzip' },
    { body: brotliCompressSync(bomb, quick), encoding: 'br' },
  ];
}

async function send(route: string, { body, encoding }: Body): Promise<void> {
  const headers = { authorization: 'Bearer sk-0', 'content-type': 'application/json' };
  const response = await fetch(server.url + route, {
    method: 'POST',
    headers: encoding === undefined ? headers : { ...headers, 'content-encoding': encoding },
    body: body as never,
  });
  await response.arrayBuffer();
  assert.ok(response.status < 500, `${route}: ${response.status}`);
}

async function flood(bodies: readonly Body[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const route of routes) await Promise.all(bodies.map((body) => send(route, body)));
  }
}

const linux = process.platform === 'linux' ? false : 'reads /proc';

test('memory after a flood is what it was before, within a fifth', { skip: linux, timeout: 120_000 }, async () => {
  await flood(small, 5);
  const before = resident();
  await flood([...small, ...large()], 10);
  const most = resident();
  assert.ok(most > before * 1.3, `${before} MB, then ${most} MB: the flood proves nothing`);
  // The last of the collections comes 18 s after the last request.
  await eventually(
    `memory is back (${Math.round(before)} MB before, ${Math.round(most)} MB in the flood)`,
    () => resident() <= before * 1.2,
    40_000,
  );
  assert.equal((await chat(server, { key: 'sk-0' })).status, 200);
  assert.doesNotMatch(server.stderr, /warning/i);
});
