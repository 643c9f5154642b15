// Credentials that come and go by the thousand leave nothing behind (routing.md D18, compressed).
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { type LiveHeap, liveHeap } from '../world/live-heap.ts';
import { chat, compat, eventually, inParallel } from './lab.ts';

let world: World;
let server: RunningServer;
let heap: LiveHeap;
before(async () => {
  world = await startWorld();
  server = await startProxy({
    inspected: true,
    config: {
      'api-keys': ['sk-0'],
      'openai-compatibility': [compat(world, ['ann'])],
      endpoints: world.endpoints,
    },
  });
  heap = await liveHeap(server);
});
after(async () => {
  heap?.close();
  await world?.close();
  await server?.stop();
});

/** How many credentials and lines of metrics there are, from the server's own figures. */
async function figures(): Promise<{ credentials: number; series: number }> {
  const response = await fetch(`${server.url}/metrics`, { headers: { authorization: 'Bearer sk-0' } });
  const text = await response.text();
  const counts = [...text.matchAll(/^cliproxy_credentials\{.*\} (\d+)/gm)].map(([, count]) => Number(count));
  return { credentials: counts.reduce((sum, count) => sum + count, 0), series: text.split('\n').length };
}

const write = (keys: readonly string[], name: string): void => {
  const entries = keys.map((key) => ({ 'api-key': key }));
  const config = {
    host: '127.0.0.1',
    port: server.port,
    'auth-dir': server.authDir,
    'api-keys': ['sk-0'],
    endpoints: world.endpoints,
    'openai-compatibility': [
      compat(world, ['ann']),
      ...(keys.length === 0 ? [] : [{ ...compat(world, []), name, 'api-key-entries': entries }]),
    ],
  };
  writeFileSync(server.configPath, stringify(config));
};
const reaches = (count: number) =>
  eventually(`${count} credentials`, async () => (await figures()).credentials === count);

const perCycle = 1_000;

/** A thousand keys come, some are used and refused, all go again. */
async function cycle(n: number): Promise<void> {
  write(
    Array.from({ length: perCycle }, (_, i) => `sk-cycle-${n}-${i}`),
    `cycle${n}`,
  );
  await reaches(perCycle + 1);
  await inParallel(10, 5, () => chat(server, { key: 'sk-0', body: { prompt_cache_key: `session-${n}` } }));
  write([], '');
  await reaches(1);
}

test('thousands of keys that come and go leave memory flat and no state', { timeout: 60_000 }, async () => {
  // The first cycles fill caches.
  for (let n = 0; n < 2; n++) await cycle(n);
  const settled = await heap.bytes();
  const { series } = await figures();
  for (let n = 2; n < 6; n++) await cycle(n);
  const perKey = ((await heap.bytes()) - settled) / (4 * perCycle);
  // A credential with its state is some kilobytes; the counters of the provider names that were new remain.
  assert.ok(perKey < 512, `each key leaves ${Math.round(perKey)} bytes behind`);
  const { series: seriesNow } = await figures();
  assert.ok(seriesNow - series < 200, `${series} lines of metrics became ${seriesNow}`);
});

test('state of removed credential files is gone, from memory and from the state file', async () => {
  const files = Array.from({ length: 6 }, (_, i) => world.file(world.account('iflow', `user${i}`)));
  for (const { name, fields } of files) {
    writeFileSync(path.join(server.authDir, name), JSON.stringify(fields), { mode: 0o600 });
  }
  await reaches(files.length + 1);
  const script = world.script(
    { provider: 'iflow', kind: 'chat' },
    { error: 'forbidden', times: Number.POSITIVE_INFINITY },
  );
  assert.notEqual((await chat(server, { key: 'sk-0', model: 'glm-4.6' })).status, 200);
  script.action.times = 0;
  const stateFile = path.join(server.authDir, '.routing-state.json');
  const saved = (): string[] => {
    try {
      return Object.keys((JSON.parse(readFileSync(stateFile, 'utf8')) as { credentials: object }).credentials);
    } catch {
      return [];
    }
  };
  const ours = () => saved().filter((id) => id.startsWith('iflow-'));
  await eventually('their rests are on disk', () => ours().length === files.length);
  for (const { name } of files) rmSync(path.join(server.authDir, name));
  await reaches(1);
  await chat(server, { key: 'sk-0' });
  await eventually('their rests are gone from the disk', () => ours().length === 0);
  assert.ok(saved().length <= 12, `${saved().length} states are kept`);
});
