// Two servers on one auth folder, every token at its end: each refresh token is spent once (auth.md R9).
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';

const models = {
  iflow: 'glm-4.6',
  qwen: 'coder-model',
  kimi: 'kimi-k2',
  claude: 'claude-sonnet-4-5-20250929',
  codex: 'gpt-5',
  'gemini-cli': 'gemini-2.5-pro',
  antigravity: 'gemini-3-flash',
} as const;
const ids = Object.keys(models) as (keyof typeof models)[];

let world: World;
let folder: string;
let servers: RunningServer[] = [];

before(async () => {
  world = await startWorld();
  folder = await mkdtemp(join(tmpdir(), 'cliproxy-test-shared-'));
  for (const id of ids) {
    const { name, fields } = world.file(world.account(id, 'alice', { expiresIn: -60 }));
    const text = JSON.stringify({ ...fields, prefix: id, note: 'mine', unknown: { kept: true } });
    await writeFile(join(folder, name), text, { mode: 0o600 });
  }
  const config = { 'api-keys': ['sk-test'], endpoints: world.endpoints, 'auth-dir': folder };
  servers = await Promise.all([startProxy({ config }), startProxy({ config })]);
});
after(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await world?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

for (const id of ids) {
  test(`${id}: both servers answer, with one token call between them`, async () => {
    const answers = await Promise.all(
      servers.map(async (server) => {
        const response = await fetch(`${server.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test' },
          body: JSON.stringify({ model: `${id}/${models[id]}`, messages: [{ role: 'user', content: 'hi' }] }),
        });
        return { status: response.status, text: await response.text() };
      }),
    );
    for (const { status, text } of answers) assert.equal(status, 200, text);
    assert.equal(world.select({ provider: id, kind: 'refresh' }).length, 1);
    assert.deepEqual(
      world.select({ provider: id }).flatMap((entry) => entry.problems),
      [],
    );
  });
}

test('the files hold the new tokens, keep what was theirs, and nothing else is left', async () => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  assert.equal(names.length, ids.length);
  for (const name of names) {
    const file = JSON.parse(await readFile(join(folder, name), 'utf8'));
    assert.deepEqual([file.note, file.unknown], ['mine', { kept: true }], name);
    const { accessToken } = world.account(file.type === 'gemini' ? 'gemini-cli' : file.type);
    assert.equal(file.token?.access_token ?? file.access_token, accessToken, name);
    if (process.platform !== 'win32') assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  }
});
