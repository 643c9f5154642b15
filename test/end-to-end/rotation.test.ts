// Several iFlow accounts before many clients at once: equal shares, no error while one rests, one refresh for all.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { type AccountOptions, startWorld, type World } from '../world/index.ts';
import { chat, inParallel } from './lab.ts';

const glm = 'glm-4.6';

let world: World;
let server: RunningServer | undefined;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  await world.close();
});

async function start(names: readonly string[], options: AccountOptions = {}): Promise<RunningServer> {
  const files = names.map((name) => world.file(world.account('iflow', name, options)));
  server = await startProxy({
    config: { endpoints: world.endpoints },
    authFiles: Object.fromEntries(files.map(({ name, fields }) => [name, fields])),
  });
  return server;
}

const asked = (account: string) => world.select({ kind: 'chat', account }).length;

test('300 requests, 30 at a time, over three accounts: each answers 100', async () => {
  const names = ['ann', 'ben', 'cleo'];
  const proxy = await start(names);
  const answers = await inParallel(300, 30, (i) => chat(proxy, { model: glm, stream: i % 3 === 0 }));
  for (const { status, text } of answers) assert.equal(status, 200, text);
  for (const name of names) assert.ok(Math.abs(asked(name) - 100) <= 1, `${name}: ${asked(name)}`);
});

test('an account that says 429 with Retry-After 3 is left alone for three seconds, and no client notices', async () => {
  const proxy = await start(['ann', 'ben', 'cleo']);
  world.script({ kind: 'chat', account: 'ben' }, { error: 'rate-limit', retryAfter: 3 });
  let restSince = 0;
  const times: number[] = [];
  // Traffic goes on until ben is asked again.
  while (asked('ben') < 2) {
    const seen = asked('ben');
    const sentAt = performance.now();
    const { status, text } = await chat(proxy, { model: glm });
    assert.equal(status, 200, text);
    if (asked('ben') > seen) {
      if (restSince === 0) restSince = performance.now();
      else times.push(sentAt - restSince);
    }
    assert.ok(restSince === 0 || performance.now() - restSince < 8_000, 'ben is never asked again');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // The window began some ms before its 429 reached this process.
  assert.ok((times[0] ?? 0) >= 2_900, `asked again after ${times[0]} ms`);
  assert.ok((times[0] ?? 0) < 5_000, `asked again only after ${times[0]} ms`);
});

for (const [what, options] of [
  ['has expired', { expiresIn: -60 }],
  ['is refused', {}],
] as const) {
  test(`50 requests at once with one token that ${what}: one refresh call, 50 answers`, async () => {
    const account = world.account('kimi', 'ann', options);
    const { name, fields } = world.file(account);
    server = await startProxy({ config: { endpoints: world.endpoints }, authFiles: { [name]: fields } });
    if (what === 'is refused') world.revoke(account, 'access');
    const proxy = server;
    const answers = await inParallel(50, 50, () => chat(proxy, { model: 'kimi-k2' }));
    for (const { status, text } of answers) assert.equal(status, 200, text);
    assert.equal(world.select({ kind: 'refresh' }).length, 1);
  });
}
