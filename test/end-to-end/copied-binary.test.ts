// The executable alone, copied to an empty folder of a machine without Node: log in, start, chat, as the seed shows it.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { binaryPath, freePort } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { eventually } from './lab.ts';

let world: World;
let folder: string;
let port: number;
const children: ChildProcess[] = [];

before(async () => {
  world = await startWorld();
  folder = await mkdtemp(path.join(tmpdir(), 'cliproxy-alone-'));
  port = await freePort();
  await copyFile(binaryPath, path.join(folder, 'cliproxy'));
  // The only thing that a real user would not have: iFlow is elsewhere.
  const endpoints = Object.entries(world.endpoints.iflow ?? {}).map(([name, url]) => `    ${name}: "${url}"`);
  await writeFile(path.join(folder, 'config.yaml'), `endpoints:\n  iflow:\n${endpoints.join('\n')}\n`);
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await world?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

interface Program {
  child: ChildProcess;
  text(): string;
  exit: Promise<number | null>;
}

/** No PATH with anything in it, no home. */
function run(...args: string[]): Program {
  const child = spawn('./cliproxy', args, { cwd: folder, env: { PATH: '', HOME: '' }, stdio: 'pipe' });
  children.push(child);
  let text = '';
  child.stdout.on('data', (piece: Buffer) => {
    text += piece;
  });
  child.stderr.on('data', (piece: Buffer) => {
    text += piece;
  });
  const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, text: () => text, exit };
}

/** The seed's command; the same request without it on machines that have no curl. */
async function curl(body: string): Promise<string> {
  const url = `http://localhost:${port}/v1/chat/completions`;
  try {
    const args = ['-sS', '-N', url, '-H', 'Content-Type: application/json', '-d', body];
    return (await promisify(execFile)('curl', args)).stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return answer.text();
  }
}

const tokenFiles = async () => (await readdir(path.join(folder, 'auth'))).filter((name) => name.endsWith('.json'));

test('-iflow-login finds no browser, shows the URL, and saves the account', async () => {
  const callback = await freePort();
  const login = run('-iflow-login', '-email', 'ann@example.com', '-oauth-callback-port', String(callback));
  let url = '';
  await eventually('the URL is shown', () => {
    url = /^http\S+$/m.exec(login.text())?.[0] ?? '';
    return url !== '' && login.text().includes('Waiting for');
  });
  await world.authorize(url, { account: 'ann' });
  assert.equal(await login.exit, 0, login.text());
  assert.match(login.text(), /iFlow authentication successful!/);
  const [name = ''] = await tokenFiles();
  assert.match(name, /^iflow-ann@example\.com-\d+\.json$/);
  assert.equal((await stat(path.join(folder, 'auth', name))).mode & 0o777, 0o600);
  // The seed's check of the file.
  assert.match(await readFile(path.join(folder, 'auth', name), 'utf8'), /"api_key":"[^"]+"/);
});

test('-iflow-cookie saves a second account', async () => {
  const account = world.account('iflow', 'ben');
  const login = run('-iflow-cookie');
  await eventually('the prompt is shown', () => /cookie/i.test(login.text()));
  login.child.stdin?.write(`BXAuth=${account.cookie}; SessionID=zz;\n`);
  assert.equal(await login.exit, 0, login.text());
  assert.equal((await tokenFiles()).length, 2);
});

test('the server lists models, answers the curl of the seed and streams, with both accounts', async () => {
  const server = run('-host', '127.0.0.1', '-port', String(port));
  await eventually('it listens', () => server.text().includes('listening on'));
  assert.match(server.text(), /iFlow: 2 credentials loaded/);

  const listed = (await (await fetch(`http://localhost:${port}/v1/models`)).json()) as { data: { id: string }[] };
  assert.ok(listed.data.some(({ id }) => id === 'glm-4.6'));

  const question = (more: string) =>
    `{\n    "model": "glm-4.6",\n    "messages": [{"role": "user", "content": "Hello!"}]${more}\n  }`;
  assert.match(await curl(question('')), /echo: Hello!/);
  assert.match(await curl(question(',\n    "stream": true')), /^data: \{[\s\S]*data: \[DONE\]\s*$/);
  assert.deepEqual(new Set(world.select({ kind: 'chat' }).map(({ account }) => account)), new Set(['ann', 'ben']));

  server.child.kill('SIGTERM');
  assert.equal(await server.exit, 0);
  assert.deepEqual(world.problems, []);
});
