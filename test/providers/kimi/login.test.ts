import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { type Config, defaultConfig } from '../../../src/config/index.ts';
import { openAuthFolder } from '../../../src/credentials/auth-folder.ts';
import { createHttpClient } from '../../../src/net/client.ts';
import { createDispatchers } from '../../../src/net/dispatchers.ts';
import type { LoginContext } from '../../../src/oauth/flow.ts';
import { providers } from '../../../src/providers/index.ts';
import { logins } from '../../../src/providers/kimi/login.ts';
import { startWorld, type World } from '../../world/index.ts';

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.close());

/** A login on a clock that moves when somebody waits; `onWait` happens before each wait. */
async function stage(onWait: (lines: string[]) => Promise<unknown>) {
  const folder = mkdtempSync(path.join(tmpdir(), 'kimi-'));
  const dispatchers = createDispatchers({ globalProxy: () => '', env: {} });
  after(() => dispatchers.close());
  const lines: string[] = [];
  const clock = { now: 1_795_000_000_000 };
  const context = {
    config: { ...defaultConfig(), endpoints: world.endpoints } as Config,
    store: await openAuthFolder({
      folder,
      providers: providers.values(),
      log: { info: () => undefined, warn: () => undefined },
      watch: false,
    }),
    http: createHttpClient({ dispatchers }),
    terminal: {
      interactive: true,
      print: (line: string) => void lines.push(line),
      warn: (line: string) => void lines.push(line),
      ask: () => Promise.reject(new Error('nothing is asked')),
    },
    openBrowser: async () => false,
    now: () => clock.now,
    signal: new AbortController().signal,
    env: {},
    sleep: async (ms: number) => {
      await onWait(lines);
      clock.now += ms;
    },
  } satisfies LoginContext;
  return { context, lines, login: () => logins.cli['kimi-login']?.(context, { noBrowser: true, callbackPort: 0 }) };
}

const approve = (decision: { deny?: boolean } = {}) => {
  let visited = false;
  return async (lines: string[]) => {
    const url = lines.find((line) => line.startsWith(world.origin));
    if (visited || url === undefined) return;
    visited = true;
    await world.authorize(url, decision);
  };
};

test('the code is approved elsewhere: the documented lines, and a file with the device id of the login', async () => {
  const { context, lines, login } = await stage(approve());
  const result = await login();
  const [saved] = context.store.list();
  const fields = saved?.fields.reveal() ?? {};
  assert.equal(result?.path, saved?.path);
  assert.match(saved?.id ?? '', /^kimi-\d{13}\.json$/);
  assert.match(String(fields.device_id), /^[0-9a-f-]{36}$/);
  const url = lines.find((line) => line.startsWith(world.origin)) as string;
  const code = lines.find((line) => line.startsWith('User code: ')) as string;
  assert.deepEqual(lines, [
    'Starting Kimi authentication...',
    'To authenticate, please visit:',
    url,
    code,
    'Waiting for authorization...',
    '(This will timeout in 900 seconds if not authorized)',
    'Kimi authentication successful',
    `Authentication saved to ${saved?.path}`,
    'Authenticated as Kimi User',
    'Kimi authentication successful!',
  ]);
  assert.deepEqual(world.problems, []);
});

test('a denial ends with 3 and saves nothing', async () => {
  const { context, login } = await stage(approve({ deny: true }));
  await assert.rejects(login() as Promise<unknown>, { exit: 3, code: 'access_denied' });
  assert.deepEqual(context.store.list(), []);
});

test('nobody approves: the login ends with 4 when the code does, counting down meanwhile', async () => {
  const { lines, login } = await stage(async () => undefined);
  await assert.rejects(login() as Promise<unknown>, { exit: 4, code: 'callback_timeout' });
  const left = lines.flatMap((line) => /^Still waiting: (\d+) seconds left/.exec(line)?.[1] ?? []).map(Number);
  assert.ok(left.length >= 14, String(left));
  assert.deepEqual(
    left,
    left.toSorted((a, b) => b - a),
  );
});
