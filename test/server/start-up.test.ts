// The built program at its start: what cannot work is one line and exit 1, and nothing claims to listen before it does.
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { binaryExists, freePort, runCli, startProxy } from '../world/binary.ts';

const options = { skip: binaryExists ? false : 'build ./cliproxy first', timeout: 60_000 };

const refused: [what: string, config: string, args: string[], message: RegExp][] = [
  [
    'a config file that is not there',
    '',
    ['-config', 'absent.yaml'],
    /^cliproxy: config: \S*absent\.yaml:1: no such file$/m,
  ],
  ['a folder as config file', '', ['-config', 'auth'], /^cliproxy: config: \S*auth:1: .*folder/m],
  ['broken YAML', 'debug: true\nport: "80\n', [], /^cliproxy: config: \S*config\.yaml:\d+: /m],
  ['a key that stands twice', 'debug: true\ndebug: false\n', [], /^cliproxy: config: \S*config\.yaml:2: /m],
  ['a value of the wrong type', 'host: 127.0.0.1\nport: "8317"\n', [], /^cliproxy: config: \S*config\.yaml:2: port: /m],
  ['a negative port', 'port: -1\n', [], /^cliproxy: config: \S*config\.yaml:1: port: /m],
  [
    'an auth-dir that is a file',
    'host: 127.0.0.1\nauth-dir: config.yaml\n',
    ['-port', '0'],
    /^cliproxy: auth-dir: \S*config\.yaml is a file/m,
  ],
  [
    'TLS files that are missing',
    'host: 127.0.0.1\nauth-dir: auth\ntls: {enable: true, cert: no.pem, key: no.key}\n',
    ['-port', '0'],
    /^cliproxy: tls: no\.pem cannot be read \(ENOENT\)$/m,
  ],
  [
    'a TLS key that is none',
    'host: 127.0.0.1\nauth-dir: auth\ntls: {enable: true, cert: config.yaml, key: config.yaml}\n',
    ['-port', '0'],
    /^cliproxy: tls: the certificate and the key cannot be used: /m,
  ],
];
for (const [what, config, args, message] of refused) {
  test(`${what}: one line, exit 1, never "listening"`, options, async (context) => {
    const run = await runCli({ config, args });
    context.after(() => run.stop());
    assert.equal(await run.exit, 1, run.output);
    assert.match(run.output, message);
    assert.doesNotMatch(run.output, /listening on|\n\s+at /);
  });
}

for (const [what, config] of Object.entries({ 'an empty config': '', 'comments only': '# nothing\n' })) {
  test(`${what} means all defaults`, options, async (context) => {
    const port = await freePort();
    const run = await runCli({ config, args: ['-port', String(port), '-host', '127.0.0.1'] });
    context.after(() => run.stop());
    await run.until(new RegExp(`listening on http://127\\.0\\.0\\.1:${port} `));
    assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
  });
}

test('DEPLOY=cloud stands by with 503 and starts when the file has become valid', options, async (context) => {
  const port = await freePort();
  const run = await runCli({
    config: 'port: many\n',
    env: { DEPLOY: 'cloud', CLIPROXY_PORT: String(port) },
    args: ['-host', '127.0.0.1'],
  });
  context.after(() => run.stop());
  await run.until(/standing by/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 503);
  const next = path.join(run.folder, 'next.yaml');
  writeFileSync(next, `host: 127.0.0.1\nport: ${port}\n`);
  renameSync(next, run.configPath);
  await run.until(/listening on/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
});

// The engine says there when it cannot use the code that was compiled at build time: starting then takes half as long again.
test('a good start writes nothing to standard error', options, async (context) => {
  const proxy = await startProxy({ config: {} });
  context.after(() => proxy.stop());
  assert.equal(proxy.stderr, '');
});

test('each account is named at the start, its e-mail masked', options, async (context) => {
  const fields = { type: 'iflow', email: 'someone@example.com', api_key: 'sk-x', expired: '2099-01-01T00:00:00Z' };
  const proxy = await startProxy({ authFiles: { 'iflow-1.json': fields } });
  context.after(() => proxy.stop());
  assert.match(proxy.output, /loaded credential iflow so\*+@example\.com \(iflow-1\.json\)/);
  assert.ok(!proxy.output.includes('someone@'));
});

test('-auth-dir beats the file and is not written into it by an edit', options, async (context) => {
  const proxy = await startProxy({
    config: { 'auth-dir': 'from-the-file', 'remote-management': { 'secret-key': 'key-of-the-test' } },
    args: ['-auth-dir', 'from-the-flag'],
  });
  context.after(() => proxy.stop());
  const edit = await fetch(`${proxy.url}/v0/management/debug`, {
    method: 'PUT',
    headers: { authorization: 'Bearer key-of-the-test', 'content-type': 'application/json' },
    body: '{"value":true}',
  });
  assert.equal(edit.status, 200);
  const yaml = await fetch(`${proxy.url}/v0/management/config.yaml`, {
    headers: { authorization: 'Bearer key-of-the-test' },
  });
  const text = await yaml.text();
  assert.match(text, /^auth-dir: "?from-the-file"?$/m);
  assert.match(text, /^debug: true$/m);
  assert.match(proxy.output, /credentials are in \S*from-the-flag/);
});
