// Every login, from the built program, against the fake world: browser, paste and code; what is printed, saved, refused.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import path from 'node:path';
import test, { after, before, type TestContext } from 'node:test';
import { binaryExists, type CliOptions, freePort, type Run, runCli } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.close());

const options = { skip: binaryExists ? false : 'build ./cliproxy first' };

async function login(context: TestContext, args: string[], more: CliOptions = {}): Promise<Run> {
  const config = { endpoints: world.endpoints, ...(more.config as object) };
  const run = await runCli({ ...more, config, args: [...args, '-no-browser'] });
  context.after(() => run.stop());
  return run;
}

async function urlOf(run: Run): Promise<string> {
  const [, url] = await run.until(new RegExp(`^(${world.origin}\\S+)\\s`, 'm'));
  return url as string;
}

/** The one credential file, after the checks that hold for every login. */
async function savedFile(run: Run): Promise<{ name: string; fields: Record<string, unknown> }> {
  const names = (await run.authFileNames()).filter((name) => name.endsWith('.json'));
  assert.equal(names.length, 1, `${names}\n${run.output}`);
  const name = names[0] as string;
  if (process.platform !== 'win32') assert.equal(statSync(path.join(run.authDir, name)).mode & 0o777, 0o600);
  const fields = await run.readAuthFile(name);
  assert.equal(fields.disabled, false);
  assert.deepEqual(
    (await run.authFileNames()).filter((other) => other !== name),
    [],
    'nothing else is left in the folder',
  );
  return { name, fields };
}

const email: CliOptions = { answers: [[/Enter your email address: $/, 'alice@corp.test']] };
const project: CliOptions = {
  answers: [
    [/Enter choice[^\n]*: $/, '1'],
    [/Enter project ID[^\n]*: $/, ''],
  ],
};

/** Logins by browser whose redirect URI may have any port. */
const flexible = [
  { flag: '-iflow-login', name: /^iflow-alice@corp\.test-\d{10}\.json$/, more: email },
  { flag: '-login', name: /^gemini-.+\.json$/, more: project },
  { flag: '-antigravity-login', name: /^antigravity-.+\.json$/, more: {} },
];
for (const { flag, name, more } of flexible) {
  test(`${flag}: the browser comes back to the listener`, options, async (context) => {
    const port = await freePort();
    const run = await login(context, [flag, '-oauth-callback-port', String(port)], more);
    const visit = await world.authorize(await urlOf(run));
    assert.deepEqual(visit.problems, []);
    assert.ok(visit.page !== undefined && visit.page.status < 400, JSON.stringify(visit.page));
    assert.equal(await run.exit, 0, run.output);
    assert.match((await savedFile(run)).name, name);
  });
}

/** Logins with one registered redirect URI. */
const fixed = [
  { flag: '-claude-login', port: 54545, name: /^claude-.+\.json$/ },
  { flag: '-codex-login', port: 1455, name: /^codex-[0-9a-f]{8}-.+\.json$/ },
];
for (const { flag, port: registered, name } of fixed) {
  test(`${flag}: the browser comes back through a port mapping`, options, async (context) => {
    const port = await freePort();
    const run = await login(context, [flag, '-oauth-callback-port', String(port)]);
    const visit = await world.authorize(await urlOf(run), { follow: false });
    assert.deepEqual(visit.problems, []);
    assert.match(run.output, new RegExp(`always sends the browser to port ${registered}`));
    const page = await fetch((visit.redirect as string).replace(`localhost:${registered}`, `127.0.0.1:${port}`));
    assert.match(await page.text(), /Login successful/);
    assert.equal(await run.exit, 0, run.output);
    assert.match((await savedFile(run)).name, name);
  });

  test(`${flag}: the callback URL is pasted`, options, async (context) => {
    const run = await login(context, [flag, '-oauth-callback-port', String(await freePort())]);
    const visit = await world.authorize(await urlOf(run), { follow: false });
    await run.until(/Paste the \w+ callback URL \(or press Enter to keep waiting\): /);
    run.type('nonsense');
    await run.until(/That cannot be used/);
    run.type(visit.redirect as string);
    assert.equal(await run.exit, 0, run.output);
    assert.match((await savedFile(run)).name, name);
  });
}

const devices = [
  { flag: '-qwen-login', more: ['-email', 'my.alias'], name: /^qwen-my\.alias\.json$/ },
  { flag: '-codex-device-login', more: [], name: /^codex-[0-9a-f]{8}-.+\.json$/ },
];
for (const { flag, more, name } of devices) {
  test(`${flag}: the code is approved elsewhere`, options, async (context) => {
    const run = await login(context, [flag, ...more]);
    const code = flag.includes('codex') ? (await run.until(/device code: (\S+)/))[1] : undefined;
    const url = flag.includes('codex') ? `${world.origin}/codex/codex/device` : await urlOf(run);
    await world.authorize(url, code === undefined ? {} : { userCode: code });
    assert.equal(await run.exit, 0, run.output);
    assert.match((await savedFile(run)).name, name);
  });
}

test('-iflow-login prints the documented lines, in their order', options, async (context) => {
  const port = await freePort();
  const run = await login(context, ['-iflow-login', '-oauth-callback-port', String(port)], email);
  await world.authorize(await urlOf(run), { account: 'golden' });
  assert.equal(await run.exit, 0);
  const { name } = await savedFile(run);
  const lines = run.stdout.replace(/state=[0-9a-f]{32}/, 'state=STATE').split('\n');
  const callback = encodeURIComponent(`http://localhost:${port}/oauth2callback`);
  assert.deepEqual(lines.slice(lines.indexOf('Visit the following URL to continue authentication:')), [
    'Visit the following URL to continue authentication:',
    `${world.origin}/iflow/oauth?client_id=10009311001&loginMethod=phone&redirect=${callback}&state=STATE&type=phone`,
    'Waiting for iFlow authentication callback...',
    'Paste the iFlow callback URL (or press Enter to keep waiting): ',
    `Enter your email address: Authentication saved to ${path.join(run.authDir, name)}`,
    'iFlow authentication successful!',
    '',
  ]);
});

test('-iflow-cookie prints the documented lines, and a second time says that it is known', options, async (context) => {
  const account = world.account('iflow', 'cookie-user');
  const cookie = `SessionID=s1; BXAuth=${account.cookie}; Token=t1`;
  const answers: CliOptions['answers'] = [[/Enter iFlow Cookie \(from browser cookies\): $/, cookie]];
  const run = await login(context, ['-iflow-cookie'], { answers });
  assert.equal(await run.exit, 0, run.output);
  const { name, fields } = await savedFile(run);
  assert.deepEqual(run.stdout.split('\n'), [
    `Enter iFlow Cookie (from browser cookies): Authentication successful! API key: ${fields.api_key}`,
    `Expires at: ${fields.expired}`,
    `Authentication saved to: ${path.join(run.authDir, name)}`,
    '',
  ]);
  assert.equal(fields.api_key, world.account('iflow', 'cookie-user').apiKey);
  assert.match(String(fields.expired), /^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/);
  assert.deepEqual([fields.cookie, fields.bx_auth], [`${cookie};`, account.cookie]);

  const calls = world.log.length;
  const again = await login(context, ['-iflow-cookie'], { answers, authFiles: { [name]: fields } });
  assert.equal(await again.exit, 0);
  assert.match(again.stdout, new RegExp(`Duplicate BXAuth found, authentication already exists: ${name}\n$`));
  assert.equal(world.log.length, calls, 'nobody was asked');
});

test('no e-mail given after an iFlow login: EmailRequiredError, exit 14, nothing saved', options, async (context) => {
  const run = await login(context, ['-iflow-login', '-oauth-callback-port', String(await freePort())], {
    answers: [[/Enter your email address: $/, '']],
  });
  await world.authorize(await urlOf(run));
  assert.equal(await run.exit, 14);
  assert.match(run.stderr, /^EmailRequiredError: .*-iflow-login/m);
  assert.deepEqual(await run.authFileNames(), []);
});

test('no alias given for Qwen: EmailRequiredError before anyone is asked', options, async (context) => {
  const calls = world.log.length;
  const run = await login(context, ['-qwen-login'], { endInput: true });
  assert.equal(await run.exit, 14);
  assert.match(run.stderr, /^EmailRequiredError: /m);
  assert.equal(world.log.length, calls);
});

test('a denial ends with 3 and one line', options, async (context) => {
  const run = await login(context, ['-antigravity-login', '-oauth-callback-port', String(await freePort())]);
  const visit = await world.authorize(await urlOf(run), { deny: true });
  assert.match(visit.page?.body ?? '', /Login failed/);
  assert.equal(await run.exit, 3);
  assert.match(run.stderr, /^Antigravity authentication failed: .*access_denied.*Run `/m);
});

test('callbacks of strangers are refused, the login waits on and succeeds', options, async (context) => {
  const run = await login(context, ['-login', '-oauth-callback-port', String(await freePort())], project);
  const url = await urlOf(run);
  const stranger = await world.authorize(url, { account: 'mallory', state: 'attacker-state-0123456789' });
  assert.equal(stranger.page?.status, 400);
  await world.authorize(url);
  assert.equal(await run.exit, 0, run.output);
  const codes = world.select({ provider: 'gemini-cli', kind: 'token' }).map((entry) => JSON.stringify(entry));
  assert.ok(!codes.some((text) => text.includes(stranger.code as string)));
});

test('a code that is refused ends with 1, with the reason and without the code', options, async (context) => {
  world.script({ provider: 'claude', kind: 'token' }, { error: 'invalid-grant' });
  const run = await login(context, ['-claude-login', '-oauth-callback-port', String(await freePort())]);
  const visit = await world.authorize(await urlOf(run), { follow: false });
  run.type(visit.redirect as string);
  assert.equal(await run.exit, 1);
  assert.match(run.stderr, /^Claude authentication failed: claude token: status 4\d\d, invalid_grant/m);
  assert.ok(!run.stderr.includes(visit.code as string));
});

test('nobody to answer at the token endpoint ends with 5', options, async (context) => {
  const endpoints = { ...world.endpoints, qwen: { 'device-code': `http://127.0.0.1:${await freePort()}/x` } };
  const run = await login(context, ['-qwen-login', '-email', 'a'], { config: { endpoints } });
  assert.equal(await run.exit, 5);
  assert.match(run.stderr, /^Qwen authentication failed: .*doctor/m);
});

test('Ctrl-C ends with 130 and leaves no file and no listener', options, async (context) => {
  const port = await freePort();
  const run = await login(context, ['-iflow-login', '-oauth-callback-port', String(port)]);
  await run.until(/Paste the iFlow callback URL/);
  run.signal('SIGINT');
  assert.equal(await run.exit, 130);
  assert.deepEqual(await run.authFileNames(), []);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/oauth2callback`));
});

test('a taken port without a terminal ends with 13 and its number', options, async (context) => {
  const first = await login(context, ['-iflow-login', '-oauth-callback-port', String(await freePort())]);
  const [, port] = await first.until(/localhost%3A(\d+)%2F/);
  await first.until(/Paste/);
  const second = await login(context, ['-iflow-login', '-oauth-callback-port', port as string], { endInput: true });
  assert.equal(await second.exit, 13);
  assert.match(second.stderr, new RegExp(`port ${port} is already in use \\(EADDRINUSE\\)`));
});

test('a Gemini login whose set-up fails is kept, and the next one goes on from it', options, async (context) => {
  const denied = { status: 403, body: { error: { message: 'API access is not allowed' } }, times: 2 };
  world.script({ provider: 'gemini-cli', path: 'cloudaicompanion.googleapis.com' }, denied);
  const first = await login(context, ['-login', '-oauth-callback-port', String(await freePort())], {
    ...project,
  });
  await world.authorize(await urlOf(first), { account: 'late' });
  assert.equal(await first.exit, 1, first.output);
  const [name] = await first.authFileNames();
  assert.match(name ?? '', /^pending-gemini-\d+\.json$/);
  assert.match(first.stderr, /API access is not allowed.*pending-gemini/);
  const kept = await first.readAuthFile(name as string);
  assert.equal(kept.disabled, true);

  const second = await login(context, ['-login'], { ...project, authFiles: { [name as string]: kept } });
  assert.equal(await second.exit, 0, second.output);
  assert.match(second.stdout, /Continuing the unfinished login/);
  assert.match((await savedFile(second)).name, /^gemini-late/);
});

test(
  'a Claude login whose account nobody tells is kept, and the next one goes on from it',
  options,
  async (context) => {
    world.account('claude', 'nameless', { noEmail: true });
    world.script({ provider: 'claude', path: '/api/oauth/profile' }, { status: 403, body: {} });
    const first = await login(context, ['-claude-login', '-oauth-callback-port', String(await freePort())]);
    const visit = await world.authorize(await urlOf(first), { account: 'nameless', follow: false });
    first.type(visit.redirect as string);
    assert.equal(await first.exit, 1, first.output);
    const [name = ''] = await first.authFileNames();
    assert.match(name, /^pending-claude-\d+\.json$/);
    assert.match(first.stderr, /missing account information.*pending-claude/);
    const kept = await first.readAuthFile(name);
    assert.deepEqual([kept.disabled, kept.pending], [true, 'user_info_failed']);

    const second = await login(context, ['-claude-login'], { authFiles: { [name]: kept } });
    assert.equal(await second.exit, 0, second.output);
    const saved = await savedFile(second);
    assert.match(saved.name, /^claude-nameless/);
    assert.equal(saved.fields.pending, undefined);
  },
);

for (const { flag, provider, type } of [
  { flag: '-login', provider: 'gemini-cli', type: 'gemini' },
  { flag: '-antigravity-login', provider: 'antigravity', type: 'antigravity' },
] as const) {
  test(
    `${flag}: an account that Google does not tell is kept, and asked for the next time`,
    options,
    async (context) => {
      world.script({ provider, kind: 'user-info' }, { status: 403, body: { error: { message: 'not now' } } });
      const first = await login(context, [flag, '-oauth-callback-port', String(await freePort())], project);
      await world.authorize(await urlOf(first), { account: 'untold' });
      assert.equal(await first.exit, 1, first.output);
      const [name = ''] = await first.authFileNames();
      assert.match(name, new RegExp(`^pending-${type}-\\d+\\.json$`));
      const kept = await first.readAuthFile(name);
      assert.deepEqual([kept.disabled, kept.pending], [true, 'user_info_failed']);

      const second = await login(context, [flag], { ...project, authFiles: { [name]: kept } });
      assert.equal(await second.exit, 0, second.output);
      assert.match((await savedFile(second)).name, new RegExp(`^${type}-untold`));
    },
  );
}

test('logging in again renews the tokens and keeps what the user set', options, async (context) => {
  const old = world.account('claude', 'again');
  const { name, fields } = world.file(old);
  const settings = { priority: 7, note: 'mine', prefix: 'team', proxy_url: 'direct' };
  const authFiles = { [name]: { ...fields, ...settings, access_token: 'old' } };
  const run = await login(context, ['-claude-login', '-oauth-callback-port', String(await freePort())], { authFiles });
  const visit = await world.authorize(await urlOf(run), { account: 'again', follow: false });
  run.type(visit.redirect as string);
  assert.equal(await run.exit, 0, run.output);
  const saved = await savedFile(run);
  assert.equal(saved.name, name);
  assert.equal(saved.fields.access_token, world.account('claude', 'again').accessToken);
  assert.deepEqual({ ...saved.fields, ...settings }, saved.fields);
});

test('the same e-mail in another Claude organization gets a file of its own', options, async (context) => {
  const { name, fields } = world.file(world.account('claude', 'two-orgs'));
  const other = { ...fields, organization_uuid: '99999999-aaaa', access_token: 'other' };
  const run = await login(context, ['-claude-login', '-oauth-callback-port', String(await freePort())], {
    authFiles: { [name]: other },
  });
  const visit = await world.authorize(await urlOf(run), { account: 'two-orgs', follow: false });
  run.type(visit.redirect as string);
  assert.equal(await run.exit, 0, run.output);
  const names = await run.authFileNames();
  assert.equal(names.length, 2, String(names));
  assert.equal((await run.readAuthFile(name)).access_token, 'other');
});

test('a service account is imported, and refused without a key', options, async (context) => {
  const key = world.serviceAccount('proj-9');
  const run = await login(context, ['-vertex-import', 'auth/../key.json', '-vertex-import-prefix', '/teamA/'], {
    authFiles: { '../key.json': key },
  });
  assert.equal(await run.exit, 0, run.output);
  const { name, fields } = await savedFile(run);
  assert.equal(name, 'vertex-teamA-proj-9.json');
  assert.equal(run.stdout, `Vertex credentials imported: ${path.join(run.authDir, name)}\n`);
  assert.equal(fields.prefix, 'teamA');

  const { private_key: _, ...bare } = key;
  const refused = await login(context, ['-vertex-import', 'key.json'], { authFiles: { '../key.json': bare } });
  assert.equal(await refused.exit, 1);
  assert.match(refused.stderr, /service account missing private_key/);
});

test('nothing that was asked of the services broke their rules', options, () => {
  assert.deepEqual(
    world.problems.filter((problem) => !problem.includes('attacker')),
    [],
  );
});
