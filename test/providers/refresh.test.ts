// Every provider's refresh against the fake world: the exchange itself, what it writes, what it takes for final.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Config, defaultConfig } from '../../src/config/index.ts';
import { readExpiry, readLastRefresh } from '../../src/credentials/expiry.ts';
import { createHttpClient } from '../../src/net/client.ts';
import { createDispatchers, type Dispatchers } from '../../src/net/dispatchers.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { providers } from '../../src/providers/index.ts';
import { type RefreshContext, RefreshError } from '../../src/providers/provider.ts';
import { type Account, type Action, startWorld, type World } from '../world/index.ts';

const ids = ['iflow', 'claude', 'codex', 'gemini-cli', 'antigravity', 'qwen', 'kimi'] as const;
type Id = (typeof ids)[number];

let world: World;
let dispatchers: Dispatchers;

before(async () => {
  world = await startWorld();
  dispatchers = createDispatchers({ globalProxy: () => undefined, env: {} });
});
after(async () => {
  await dispatchers.close();
  await world.close();
});

function context(config: Partial<Config> = {}): RefreshContext {
  return {
    http: createHttpClient({ dispatchers }),
    config: { ...defaultConfig(), endpoints: world.endpoints, ...config },
    now: Date.now,
  };
}

async function refresh(id: Id, fields: JsonObject, config: Partial<Config> = {}): Promise<JsonObject> {
  const policy = providers.get(id)?.refresh;
  assert.ok(policy);
  assert.ok(policy.canRefresh(fields, context(config).config), 'not refreshable');
  return policy.refresh(fields, context(config));
}

async function refusal(id: Id, fields: JsonObject, config: Partial<Config> = {}): Promise<RefreshError> {
  let caught: unknown;
  await refresh(id, fields, config).catch((error: unknown) => {
    caught = error;
  });
  assert.ok(caught instanceof RefreshError, `not a RefreshError: ${String(caught)}`);
  return caught;
}

let made = 0;
const newName = (): string => `user${made++}`;

/** An account whose token has ended, and its file. */
function expired(id: Id): { account: Account; fields: JsonObject } {
  const account = world.account(id, newName(), { expiresIn: -60 });
  return { account, fields: world.file(account).fields };
}

const tokenOf = (id: Id, fields: JsonObject): unknown =>
  id === 'gemini-cli'
    ? (fields.token as JsonObject).access_token
    : id === 'iflow'
      ? fields.api_key
      : fields.access_token;

for (const id of ids) {
  test(`${id}: a refresh gives a token that lives, and says until when`, async () => {
    const { account, fields } = expired(id);
    const renewed = await refresh(id, fields);
    assert.equal(tokenOf(id, renewed), id === 'iflow' ? account.apiKey : account.accessToken);
    const merged = { ...fields, ...renewed };
    assert.ok((readExpiry(merged) ?? 0) > Date.now() + 60_000, 'expiry did not move');
    assert.ok(Math.abs((readLastRefresh(merged) ?? 0) - Date.now()) < 5_000);
    assert.deepEqual(
      world.select({ account: account.name }).flatMap((entry) => entry.problems),
      [],
    );
  });

  test(`${id}: nothing in the answer blanks what the file knows`, async () => {
    const { fields } = expired(id);
    for (const [key, value] of Object.entries(await refresh(id, fields))) assert.notEqual(value, '', key);
  });

  test(`${id}: a refused refresh token is final, and its text is not in the message`, async () => {
    const { account, fields } = expired(id);
    world.revoke(account, 'refresh');
    const error = await refusal(id, fields);
    assert.equal(error.permanent, true);
    assert.match(error.message, /invalid_grant/);
    assert.ok(!error.message.includes(account.refreshToken));
  });

  const passing: [string, Action][] = [
    ['a 500', { error: 'server-error' }],
    ['a 503', { error: 'overloaded' }],
    ['a rate limit', { error: 'rate-limit', retryAfter: 90 }],
    ['an HTML page', { status: 403, body: '<!doctype html><title>Just a moment...</title>' }],
    ['an empty answer', { empty: true }],
    // Twice: a request on a kept-alive connection that dies is sent once more by itself.
    ['a broken connection', { drop: 'reset', times: 2 }],
    ['JSON without a token', { status: 200, body: { hello: 'world' } }],
  ];
  for (const [what, action] of passing) {
    test(`${id}: ${what} passes, the login is not dead`, async () => {
      const { account, fields } = expired(id);
      world.script({ provider: id, kind: 'refresh', account: account.name }, action);
      const error = await refusal(id, fields);
      assert.equal(error.permanent, false, error.message);
      assert.ok(!error.message.includes(account.refreshToken));
      if (action.error === 'rate-limit') assert.equal(error.retryAfterMs, 90_000);
      if (what === 'an HTML page') assert.match(error.message, /an HTML page, "Just a moment\.\.\."/);
      const again = world.select({ kind: 'refresh', account: account.name, state: 'cut' }).length === 1;
      if (again) await refusal(id, fields);
      assert.ok(tokenOf(id, await refresh(id, fields)), 'the next try works');
    });
  }
}

test('a refresh token used twice is final for Codex, in whatever shape it is said', async () => {
  const { fields } = expired('codex');
  await refresh('codex', fields);
  const error = await refusal('codex', fields);
  assert.equal(error.permanent, true);
  assert.match(error.message, /refresh_token_reused/);
});

test('Codex answers without id_token and Claude answers without account leave the e-mail alone', async () => {
  for (const id of ['codex', 'claude'] as const) {
    const { account, fields } = expired(id);
    const body = { access_token: 'new', expires_in: 60 };
    world.script({ provider: id, kind: 'refresh', account: account.name }, { status: 200, body });
    const renewed = await refresh(id, fields);
    assert.equal(renewed.access_token, 'new');
    for (const key of ['email', 'id_token', 'refresh_token', 'account_id', 'account_uuid']) {
      assert.equal(renewed[key], undefined, `${id} ${key}`);
    }
  }
});

test('Kimi takes 401 and 403 for final', async () => {
  for (const status of [401, 403]) {
    const { account, fields } = expired('kimi');
    world.script({ provider: 'kimi', kind: 'refresh', account: account.name }, { status, body: { error: 'no' } });
    assert.equal((await refusal('kimi', fields)).permanent, true);
  }
});

test('Kimi files without a device id keep the one that was sent', async () => {
  const { account, fields } = expired('kimi');
  const { device_id: _, ...without } = fields;
  const renewed = await refresh('kimi', without);
  const [call] = world.select({ provider: 'kimi', kind: 'refresh', account: account.name });
  assert.equal(renewed.device_id, call?.headers['x-msh-device-id']);
});

test('Qwen may move an account to another host', async () => {
  const { account, fields } = expired('qwen');
  const body = { access_token: 'new', expires_in: 60, resource_url: 'other.qwen.ai' };
  world.script({ provider: 'qwen', kind: 'refresh', account: account.name }, { status: 200, body });
  assert.equal((await refresh('qwen', fields)).resource_url, 'other.qwen.ai');
});

test("Qwen's own words for a dead refresh token are understood", async () => {
  const { account, fields } = expired('qwen');
  const body = { error: 'invalid_request', error_description: 'Invalid refresh token or client_id' };
  world.script({ provider: 'qwen', kind: 'refresh', account: account.name }, { status: 400, body });
  assert.equal((await refusal('qwen', fields)).permanent, true);
});

test('iFlow saying "busy" inside a 200 passes, saying "not logged in" is final', async () => {
  for (const [code, permanent] of [
    ['500', false],
    ['40101', true],
  ] as const) {
    const { account, fields } = expired('iflow');
    const body = { success: false, code, message: 'said so' };
    world.script({ provider: 'iflow', kind: 'refresh', account: account.name }, { status: 200, body });
    const error = await refusal('iflow', fields);
    assert.equal(error.permanent, permanent);
    assert.match(error.message, /said so/);
  }
});

test('iFlow without an API key in the user info is an error, not an empty key', async () => {
  const account = world.account('iflow', newName(), { expiresIn: -60, noApiKey: true });
  const error = await refusal('iflow', world.file(account).fields);
  assert.equal(error.permanent, false);
  assert.match(error.message, /no API key/);
});

test('an iFlow cookie login renews its key, under the name of the key', async () => {
  const account = world.account('iflow', newName(), { keyName: '138****0000' });
  const { fields } = world.cookieFile(account);
  const before = account.apiKey;
  const renewed = await refresh('iflow', fields);
  assert.equal(renewed.api_key, account.apiKey);
  assert.notEqual(account.apiKey, before);
  assert.equal(renewed.expire_raw, account.keyExpires);
  assert.equal(readExpiry(renewed), Date.parse(`${account.keyExpires.replace(' ', 'T')}:00Z`));
  assert.equal(renewed.cookie, undefined);
  const [call] = world.select({ provider: 'iflow', kind: 'cookie-post', account: account.name });
  assert.deepEqual(call?.json, { name: '138****0000' });
});

test('files of other programs have the name of the key in email', async () => {
  const account = world.account('iflow', newName());
  const { bx_auth: _, key_name: __, ...old } = world.cookieFile(account).fields;
  const renewed = await refresh('iflow', { ...old, cookie: `BXAuth=${account.cookie};` });
  assert.equal(renewed.api_key, account.apiKey);
});

test('an ended iFlow session is final, a session without a key is not', async () => {
  for (const [cookie, permanent] of [
    ['expired', true],
    ['no-key', false],
  ] as const) {
    const account = world.account('iflow', newName(), { cookie });
    const error = await refusal('iflow', world.cookieFile(account).fields);
    assert.equal(error.permanent, permanent, error.message);
    assert.ok(!error.message.includes(account.cookie));
  }
});

test('renewal by cookie can be switched off', () => {
  const { fields } = world.cookieFile(world.account('iflow', newName()));
  const policy = providers.get('iflow')?.refresh;
  const off = { ...defaultConfig(), iflow: { 'cookie-auto-renew': false } };
  assert.equal(policy?.canRefresh(fields, off), false);
  assert.equal(policy?.canRefresh(fields, defaultConfig()), true);
});

test('a Gemini refresh stays inside the nested token, keeps its other members and the file its client', async () => {
  const { account, fields } = expired('gemini-cli');
  const renewed = await refresh('gemini-cli', fields);
  const token = renewed.token as JsonObject;
  assert.equal(token.refresh_token, account.refreshToken);
  assert.equal(token.universe_domain, 'googleapis.com');
  assert.equal(renewed.expired, undefined, 'a time at the top would hide the one inside');
});

test('a token is refreshed by the client it was issued to, or refused', async () => {
  const { fields } = expired('gemini-cli');
  const token = { ...(fields.token as JsonObject), client_id: 'other', client_secret: 'own' };
  const error = await refusal('gemini-cli', { ...fields, token });
  assert.match(error.message, /invalid_client/);
  assert.equal(error.permanent, true);
});

test('Antigravity finds the project that the file does not know', async () => {
  const { account, fields } = expired('antigravity');
  const renewed = await refresh('antigravity', { ...fields, project_id: '' });
  assert.equal(renewed.project_id, account.projects[0]);
});

test("refreshes go through the credential's own proxy, never past it", async () => {
  const { account, fields } = expired('claude');
  const error = await refusal('claude', { ...fields, proxy_url: 'http://127.0.0.1:1' });
  assert.equal(error.permanent, false);
  assert.deepEqual(world.select({ account: account.name }), []);
});

test('files without a refresh token are not refreshable', () => {
  for (const id of ids) {
    assert.equal(providers.get(id)?.refresh?.canRefresh({ access_token: 'at', api_key: 'k' }), false, id);
  }
});
