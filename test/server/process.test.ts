// The built program: how it starts among bad files, survives being killed, and ends.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { binaryPath, startProxy } from '../world/binary.ts';
import { chatStream, until } from './lab.ts';

const managementKey = 'management-canary-key-77';
const clientKey = 'client-canary-key-88';
const credential = (n: number) => ({
  type: 'codex',
  email: `u${n}@example.com`,
  access_token: `canary-at-${n}`,
  refresh_token: `canary-rt-${n}`,
  expired: '2099-01-01T00:00:00Z',
  keep_me: `foreign-${n}`,
});

async function upstream() {
  const waiting: (() => void)[] = [];
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatStream.head + chatStream.text());
    waiting.push(() => response.end(chatStream.end));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    open: () => waiting.length,
    finish: () => {
      for (const end of waiting.splice(0)) end();
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const config = (url = 'http://127.0.0.1:9/v1') => ({
  'api-keys': [clientKey],
  'remote-management': { 'secret-key': managementKey },
  'openai-compatibility': [
    {
      name: 'fake',
      'base-url': url,
      'api-key-entries': [{ 'api-key': 'canary-up' }],
      models: [{ name: 'chat', alias: 'chat' }],
    },
  ],
});

describe('kill -9 while files are written', { timeout: 120_000 }, () => {
  test('leaves every credential and the config whole, round after round', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'crash-'));
    const names = [0, 1, 2].map((n) => `codex-${n}.json`);
    const files = Object.fromEntries(names.map((name, n) => [name, { ...credential(n), blob: 'p'.repeat(200_000) }]));
    try {
      for (let round = 0; round < 6; round++) {
        const run = await startProxy({ folder, config: config(), authFiles: round === 0 ? files : {} });
        const manage = (method: string, route: string, body: unknown) =>
          fetch(`${run.url}/v0/management/${route}`, {
            method,
            headers: { authorization: `Bearer ${managementKey}`, 'content-type': 'application/json' },
            body: JSON.stringify(body),
          }).catch(() => undefined);
        // Loaded and answering before the writers race with the kill.
        await manage('PUT', 'request-retry', { value: round % 2 });
        const writers = [0, 1, 2].flatMap((n) => [
          manage('PATCH', 'auth-files/fields', { name: names[n], note: `round ${round}` }),
          manage('POST', `auth-files?name=${names[n]}`, { ...files[names[n] as string], note: `upload ${round}` }),
          manage('PUT', 'request-retry', { value: n }),
        ]);
        await Promise.race(writers);
        run.signal('SIGKILL');
        await Promise.all([run.exit, ...writers]);
        for (const [n, name] of names.entries()) {
          const found = JSON.parse(await readFile(path.join(folder, 'auth', name), 'utf8')) as ReturnType<
            typeof credential
          >;
          assert.deepEqual([found.refresh_token, found.keep_me], [`canary-rt-${n}`, `foreign-${n}`], `round ${round}`);
          assert.equal((await stat(path.join(folder, 'auth', name))).mode & 0o777, 0o600);
        }
        const text = await readFile(path.join(folder, 'config.yaml'), 'utf8');
        assert.ok(text.includes(clientKey) && text.includes('base-url') && !text.includes(managementKey), text);
      }
      const temporary = (await readdir(path.join(folder, 'auth'))).filter((name) => name.includes('.tmp-'));
      assert.ok(temporary.length <= 3, `left behind: ${temporary}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

test('bad files beside a good one: it starts, serves, names them, and ends', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'bad-files-'));
  const auth = path.join(folder, 'auth');
  await mkdir(auth);
  const write = (name: string, content: string | Buffer) => writeFile(path.join(auth, name), content, { mode: 0o600 });
  await write('good.json', JSON.stringify(credential(1)));
  await write('empty.json', '');
  await write('half.json', '{"type":"codex","acc');
  await write('list.json', '[]');
  await write('deep.json', '['.repeat(200_000));
  await write('types.json', '{"type":["codex"],"email":{},"access_token":5,"expired":[]}');
  await write('huge.json', `{"type":"codex","x":"${'A'.repeat(8 * 1024 * 1024)}"}`);
  await write('date.json', '{"type":"codex","access_token":"a","expired":"99999-99-99T99:99:99Z","expires_in":1e308}');
  await mkdir(path.join(auth, 'folder.json'));
  await symlink('loop.json', path.join(auth, 'loop.json'));
  await symlink('/nonexistent/x.json', path.join(auth, 'dangling.json'));
  execFileSync('mkfifo', [path.join(auth, 'fifo.json')]);
  const run = await startProxy({ folder, config: config() });
  try {
    const headers = { authorization: `Bearer ${managementKey}` };
    const list = await (await fetch(`${run.url}/v0/management/auth-files`, { headers })).text();
    assert.ok(list.includes('good.json'));
    for (const name of ['half.json', 'list.json', 'huge.json', 'fifo.json', 'loop.json']) {
      assert.ok(list.includes(name) || run.output.includes(name), `${name} is not named`);
      const response = await fetch(`${run.url}/v0/management/auth-files/download?name=${name}`, { headers });
      assert.ok(response.status < 500, `${name}: ${response.status}`);
    }
    run.signal('SIGTERM');
    assert.equal(await run.exit, 0);
  } finally {
    await run.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('SIGTERM: open streams end well, new connections are refused, the exit code is 0', {
  timeout: 60_000,
}, async () => {
  const fake = await upstream();
  const run = await startProxy({ config: config(fake.url) });
  try {
    const ask = () =>
      fetch(`${run.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${clientKey}` },
        body: JSON.stringify({ model: 'chat', stream: true, messages: [{ role: 'user', content: 'hi' }] }),
      });
    const streams = await Promise.all(Array.from({ length: 20 }, ask));
    run.signal('SIGTERM');
    await run.until(/shutting down/);
    await until(
      () =>
        ask().then(
          (response) => response.status === 503,
          () => true,
        ),
      'new requests are refused',
    );
    fake.finish();
    for (const stream of streams) assert.ok((await stream.text()).includes('[DONE]'));
    assert.equal(await run.exit, 0);
  } finally {
    fake.close();
    await run.stop();
  }
});

test('a busy port: one line that names it, exit code not 0, the first server undisturbed', {
  timeout: 60_000,
}, async () => {
  const run = await startProxy({ config: config() });
  try {
    const folder = await mkdtemp(path.join(tmpdir(), 'busy-'));
    const child = spawn(binaryPath, ['-port', String(run.port), '-auth-dir', folder], {
      cwd: folder,
      env: { HOME: folder },
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    const code = await new Promise((resolve) => child.on('close', resolve));
    await rm(folder, { recursive: true, force: true });
    assert.notEqual(code, 0);
    assert.match(text, new RegExp(`${run.port}.*in use|in use.*${run.port}|EADDRINUSE.*${run.port}`));
    assert.doesNotMatch(text, /\n\s+at /);
    assert.equal((await fetch(`${run.url}/healthz`)).status, 200);
  } finally {
    await run.stop();
  }
});

test('a read-only auth folder: it serves, and says why a write fails', {
  timeout: 60_000,
  skip: process.getuid?.() === 0 && 'root may write anywhere',
}, async () => {
  const run = await startProxy({ config: config(), authFiles: { 'codex-0.json': credential(0) } });
  try {
    await chmod(run.authDir, 0o500);
    const response = await fetch(`${run.url}/v0/management/auth-files/fields`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${managementKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'codex-0.json', note: 'n' }),
    });
    assert.ok(response.status >= 400);
    assert.ok(!(await response.text()).includes(run.authDir));
    assert.equal((await fetch(`${run.url}/healthz`)).status, 200);
  } finally {
    await chmod(run.authDir, 0o700);
    await run.stop();
  }
});

test('no secret stands in the process arguments, the output or a crash', { timeout: 60_000 }, async () => {
  const run = await startProxy({ config: config(), authFiles: { 'codex-0.json': credential(0) } });
  try {
    for (const key of [clientKey, managementKey]) {
      await fetch(`${run.url}/v1/models?key=${key}`);
      await fetch(`${run.url}/v0/management/config`, { headers: { authorization: `Bearer ${key}` } });
    }
    run.signal('SIGABRT');
    await run.exit;
    assert.doesNotMatch(run.output, /canary-(at|rt|key|up)/);
  } finally {
    await run.stop();
  }
});
