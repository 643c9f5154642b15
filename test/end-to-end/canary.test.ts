// Known secrets go through every door of the built program, with all logs on: none of them is in a byte that it wrote,
// but where it belongs (the credential files).
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, type RunningServer, runCli, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { chat, compat, eventually } from './lab.ts';

const clientKey = 'sk-canary-client-key-11112222';
const wrongKey = 'sk-canary-guessed-key-33334444';
const managementKey = 'canary-management-key-55556666';
const wrongManagementKey = 'canary-wrong-management-77778888';
const clientCookie = 'canary-client-cookie-99990000';

let world: World;
let server: RunningServer | undefined;
/** Everything that must not be seen, by what it is. */
const secrets = new Map<string, string>();
/** Everything that was written, by where. */
const outputs = new Map<string, string>();

before(async () => {
  world = await startWorld();
});
after(async () => {
  await world?.close();
  await server?.stop();
});

const keep = (what: string, value: unknown): void => {
  if (typeof value === 'string' && value.length >= 8) secrets.set(what, value);
};

function keepFields(of: string, fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (/token|key|cookie|auth/.test(name) && !/^(?:key_name|token_type|token_uri)$/.test(name))
      keep(`${of} ${name}`, value);
    if (name === 'token' && typeof value === 'object' && value !== null)
      keepFields(of, value as Record<string, unknown>);
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    return statSync(file).isDirectory() ? filesBelow(file) : [file];
  });
}

test('logins print no code, token, key or cookie', async () => {
  const config = { endpoints: world.endpoints, debug: true };
  const login = await runCli({
    config,
    args: ['-iflow-login', '-no-browser', '-email', 'a@b.test', '-oauth-callback-port', String(await freePort())],
  });
  const [, url = ''] = await login.until(/^(http\S+)$/m);
  await login.until(/Waiting for/);
  const visit = await world.authorize(url, { account: 'cli-user' });
  keep('authorization code', visit.code);
  assert.equal(await login.exit, 0, login.output);
  for (const name of await login.authFileNames()) {
    if (name.endsWith('.json')) keepFields('login', await login.readAuthFile(name));
  }
  outputs.set('login output', login.output);
  await login.stop();

  const account = world.account('iflow', 'cookie-user');
  keep('browser cookie', account.cookie);
  const cookie = await runCli({
    config,
    args: ['-iflow-cookie'],
    answers: [[/cookie.*:/i, `BXAuth=${account.cookie}; SessionID=zz;`]],
  });
  assert.equal(await cookie.exit, 0, cookie.output);
  for (const name of await cookie.authFileNames()) {
    if (name.endsWith('.json')) keepFields('cookie login', await cookie.readAuthFile(name));
  }
  // The one exception: the line that the documentation promises (auth.md R19).
  const promised = `Authentication successful! API key: ${secrets.get('cookie login api_key')}`;
  assert.equal(cookie.output.split(promised).length, 2);
  outputs.set('cookie login output', cookie.output.replace(promised, ''));
  await cookie.stop();
});

test('a server with all logs on answers, refreshes, fails and is managed', async () => {
  const authFiles: Record<string, unknown> = {};
  for (const provider of ['iflow', 'claude', 'codex', 'qwen', 'kimi', 'gemini-cli'] as const) {
    const file = world.file(world.account(provider, 'alice', { expiresIn: provider === 'codex' ? 900_000 : -60 }));
    authFiles[file.name] = { ...file.fields, prefix: provider };
    keepFields(provider, file.fields);
  }
  const dead = world.file(world.account('claude', 'dead', { expiresIn: -60, refreshBroken: true }));
  authFiles[dead.name] = dead.fields;
  keepFields('dead login', dead.fields);
  for (const [what, value] of Object.entries({
    clientKey,
    wrongKey,
    managementKey,
    wrongManagementKey,
    clientCookie,
  })) {
    keep(what, value);
  }
  keep('upstream key', world.apiKey('openai', 'canary-upstream'));
  const proxy = await startProxy({
    config: {
      'api-keys': [clientKey],
      'remote-management': { 'secret-key': managementKey },
      endpoints: world.endpoints,
      debug: true,
      'request-log': true,
      'usage-statistics-enabled': true,
      'openai-compatibility': [compat(world, ['canary-upstream'])],
    },
    authFiles,
  });
  server = proxy;
  const ask = async (what: string, options: Parameters<typeof chat>[1]): Promise<void> => {
    const answer = await chat(proxy, {
      key: clientKey,
      ...options,
      headers: { cookie: `sid=${clientCookie}`, ...options?.headers },
    });
    outputs.set(`answer: ${what}`, answer.text + JSON.stringify([...answer.headers]));
  };
  const models = [
    'm',
    'iflow/glm-4.6',
    'claude/claude-sonnet-4-5-20250929',
    'codex/gpt-5',
    'qwen/coder-model',
    'kimi/kimi-k2',
    'gemini-cli/gemini-2.5-pro',
    'claude-sonnet-4-5-20250929',
    'nobody',
  ];
  for (const model of models) {
    await ask(model, { model });
    await ask(`${model}, stream`, { model, stream: true });
  }
  // Upstreams that quote the key that they refuse.
  const upstreamKey = world.apiKey('openai', 'canary-upstream');
  const quote = { error: { message: `Incorrect API key provided: ${upstreamKey}`, type: 'invalid_request_error' } };
  world.script({ provider: 'openai', kind: 'chat' }, { status: 401, body: quote });
  await ask('quoted key', {});
  world.script({ provider: 'openai', kind: 'chat' }, { status: 400, body: quote });
  await ask('quoted key in a 400', {});
  await ask('wrong key', { key: wrongKey });
  await ask('wrong key in a query', { path: `/v1/chat/completions?key=${wrongKey}`, headers: { authorization: '' } });
  await ask('broken body', { body: { messages: 'none' } });
  const manage = async (route: string, key: string): Promise<void> => {
    const response = await fetch(`${proxy.url}/v0/management/${route}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    outputs.set(`management ${route} ${key === managementKey}`, await response.text());
  };
  for (const route of ['auth-files', 'usage', 'logs', 'config?redact=1', 'api-key-usage?redact=1', 'audit'])
    await manage(route, managementKey);
  await manage('config', wrongManagementKey);
  outputs.set(
    'metrics',
    await (await fetch(`${proxy.url}/metrics`, { headers: { authorization: `Bearer ${clientKey}` } })).text(),
  );
  await eventually('the tokens that came by refresh are on disk', async () => {
    for (const name of Object.keys(authFiles)) keepFields(`${name} refreshed`, await proxy.readAuthFile(name));
    return world.select({ kind: 'refresh' }).length >= 5;
  });
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exit, 0);
  outputs.set('stdout', proxy.stdout);
  outputs.set('stderr', proxy.stderr);
  for (const file of filesBelow(proxy.folder)) {
    const name = path.relative(proxy.folder, file);
    // Where secrets live: the credential files, and the config with keys that clients send.
    if (name === 'config.yaml' || /^auth\/[^/]+\.json$/.test(name)) continue;
    outputs.set(name, readFileSync(file, 'latin1'));
  }
  assert.ok([...outputs.keys()].filter((name) => name.includes('logs')).length > 10, [...outputs.keys()].join('\n'));
});

test('no secret is in any of it, nor is the plain management key in the config', () => {
  assert.ok(secrets.size > 25, `${secrets.size} secrets`);
  for (const [where, text] of outputs) {
    for (const [what, secret] of secrets) assert.ok(!text.includes(secret), `${what} is in ${where}`);
  }
  const config = readFileSync(server?.configPath ?? '', 'utf8');
  assert.ok(!config.includes(managementKey));
});
