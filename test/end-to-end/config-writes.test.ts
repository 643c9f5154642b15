// The config file of a running server, written in every way that editors and orchestrators have (config.md §14).
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { stringify } from 'yaml';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { chat, compat, eventually, startChat } from './lab.ts';

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

const config = (key: string, more: Record<string, unknown> = {}) => ({
  'api-keys': [key],
  'openai-compatibility': [compat(world, ['ann', 'ben'])],
  ...more,
});

async function start(more: Record<string, unknown> = {}): Promise<RunningServer> {
  server = await startProxy({ config: config('sk-0', more) });
  return server;
}

/** The whole text of the file of this server. */
const text = (proxy: RunningServer, key: string, more: Record<string, unknown> = {}): string =>
  stringify({ host: '127.0.0.1', port: proxy.port, 'auth-dir': proxy.authDir, ...config(key, more) });

const accepts = async (proxy: RunningServer, key: string): Promise<boolean> =>
  (await chat(proxy, { key })).status === 200;
/** Well above the 100 ms that events are given to settle, well below the five seconds of the poll behind them. */
const soonMs = 3_000;
const takes = (proxy: RunningServer, key: string) =>
  eventually(`${key} is accepted`, () => accepts(proxy, key), soonMs);

const ways: Record<string, (file: string, content: string) => void> = {
  'in place': (file, content) => writeFileSync(file, content),
  'by rename': (file, content) => {
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
  },
  'as vim does: the old file moved away, a new one made': (file, content) => {
    renameSync(file, `${file}~`);
    writeFileSync(file, content);
    unlinkSync(`${file}~`);
  },
  'deleted and made again': (file, content) => {
    unlinkSync(file);
    writeFileSync(file, content);
  },
};
test('any way of writing is seen, three times in a row each', async () => {
  const proxy = await start();
  let n = 0;
  for (const write of Object.values(ways)) {
    for (let i = 0; i < 3; i++) {
      const key = `sk-${++n}`;
      write(proxy.configPath, text(proxy, key));
      await takes(proxy, key);
      assert.equal(await accepts(proxy, `sk-${n - 1}`), false);
    }
  }
});

test('a mounted volume whose ..data link is swapped, as Kubernetes does, is seen', async () => {
  const proxy = await start();
  const volume = path.join(proxy.folder, 'volume');
  let version = 0;
  const publish = (key: string): void => {
    const data = `..version-${++version}`;
    mkdirSync(path.join(volume, data), { recursive: true });
    writeFileSync(path.join(volume, data, 'config.yaml'), text(proxy, key));
    symlinkSync(data, path.join(volume, '..data.tmp'));
    renameSync(path.join(volume, '..data.tmp'), path.join(volume, '..data'));
    rmSync(path.join(volume, `..version-${version - 1}`), { recursive: true, force: true });
  };
  publish('sk-1');
  symlinkSync(path.join('..data', 'config.yaml'), path.join(volume, 'config.yaml'));
  unlinkSync(proxy.configPath);
  symlinkSync(path.join('volume', 'config.yaml'), proxy.configPath);
  await takes(proxy, 'sk-1');
  for (const key of ['sk-2', 'sk-3', 'sk-4']) {
    publish(key);
    await takes(proxy, key);
  }
});

test('a broken, emptied or vanished file keeps the last good state, and says why; the next good one is taken', async () => {
  const proxy = await start();
  for (const [i, broken] of ['api-keys: [', 'port: "many"\n', '', 'api-keys: []\napi-keys: []\n'].entries()) {
    writeFileSync(proxy.configPath, broken);
    await eventually('the log says it', () => proxy.output.split('the last good').length > i + 1, soonMs);
    assert.equal(await accepts(proxy, 'sk-0'), true);
  }
  rmSync(proxy.configPath);
  await proxy.until(/is gone; the last good one stays/);
  assert.equal(await accepts(proxy, 'sk-0'), true);
  writeFileSync(proxy.configPath, text(proxy, 'sk-good'));
  await takes(proxy, 'sk-good');
});

test('requests under way finish with the configuration they began with', async () => {
  const proxy = await start();
  const stream = world.script({ kind: 'chat', stream: true }, { holdAfter: 2 });
  const whole = world.script({ kind: 'chat', stream: false }, { hold: true });
  const open = [startChat(proxy.url, { key: 'sk-0', stream: true }), startChat(proxy.url, { key: 'sk-0' })];
  await world.until(() => world.select({ kind: 'chat' }).length === 2);
  const swapped = { 'openai-compatibility': [compat(world, ['cleo'])] };
  writeFileSync(proxy.configPath, text(proxy, 'sk-1', swapped));
  await takes(proxy, 'sk-1');
  assert.equal(world.log.at(-1)?.account, 'cleo');
  stream.release();
  whole.release();
  const [first, second] = await Promise.all(open);
  assert.match((await first?.text()) ?? '', /data: \[DONE\]\s*$/);
  assert.equal(second?.status, 200);
  assert.match((await second?.text()) ?? '', /hello/);
});

test('rests survive a reload, whatever was changed', async () => {
  const proxy = await start();
  world.script({ kind: 'chat', account: 'ann' }, { error: 'rate-limit', retryAfter: 600 });
  const ann = () => world.select({ kind: 'chat', account: 'ann' }).length;
  while (ann() === 0) assert.equal(await accepts(proxy, 'sk-0'), true);
  const changes = {
    'request-retry': 2,
    'max-retry-interval': 5,
    'force-model-prefix': true,
    routing: { strategy: 'ff' },
  };
  writeFileSync(proxy.configPath, text(proxy, 'sk-1', changes));
  await takes(proxy, 'sk-1');
  for (let i = 0; i < 4; i++) assert.equal(await accepts(proxy, 'sk-1'), true);
  assert.equal(ann(), 1);
});

test('auth-dir moves: old accounts go, new ones and later ones come', async () => {
  const proxy = await start({ endpoints: world.endpoints });
  const files = ['ivy', 'jim'].map((name) => world.file(world.account('iflow', name)));
  const elsewhere = path.join(proxy.folder, 'elsewhere');
  mkdirSync(elsewhere);
  const put = (folder: string, i: number) =>
    writeFileSync(path.join(folder, files[i]?.name ?? ''), JSON.stringify(files[i]?.fields), { mode: 0o600 });
  const answeredBy = async (): Promise<string> => {
    const { status } = await chat(proxy, { key: 'sk-0', model: 'glm-4.6' });
    return status === 200 ? (world.log.at(-1)?.account ?? '') : '';
  };
  put(proxy.authDir, 0);
  await eventually('ivy answers', async () => (await answeredBy()) === 'ivy', soonMs);
  writeFileSync(proxy.configPath, text(proxy, 'sk-0', { endpoints: world.endpoints, 'auth-dir': elsewhere }));
  await eventually('nobody answers', async () => (await answeredBy()) === '', soonMs);
  put(elsewhere, 1);
  await eventually('jim answers', async () => (await answeredBy()) === 'jim', soonMs);
});

test('on an open address a vanished api-keys does not open the door', async () => {
  const proxy = await start({ host: '0.0.0.0' });
  const open = { host: '0.0.0.0', 'api-keys': [] };
  writeFileSync(proxy.configPath, text(proxy, '', open));
  await proxy.until(/the old keys stay/);
  assert.equal((await chat(proxy)).status, 401);
  assert.equal(await accepts(proxy, 'sk-0'), true);
  writeFileSync(proxy.configPath, text(proxy, '', { ...open, 'allow-unauthenticated': true }));
  await eventually('everyone is let in', async () => (await chat(proxy)).status === 200, soonMs);
});

test('SIGHUP forces a reload and does not end the server', async () => {
  const proxy = await start();
  writeFileSync(proxy.configPath, text(proxy, 'sk-1'));
  proxy.signal('SIGHUP');
  await takes(proxy, 'sk-1');
  assert.doesNotMatch(proxy.output, /shutting down/);
});
