import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { run } from '../../src/cli/index.ts';

async function runIn(argv: string[], files: Record<string, string> = {}) {
  const cwd = mkdtempSync(path.join(tmpdir(), 'cli-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(cwd, name), text, { mode: 0o600 });
  const out: string[] = [];
  const errors: string[] = [];
  const code = await run(argv, {
    env: { HOME: cwd },
    cwd,
    print: (line) => void out.push(line),
    complain: (line) => void errors.push(line),
  });
  return { code, out: out.join('\n'), errors: errors.join('\n'), cwd };
}

const usage: [argv: string[], message: RegExp][] = [
  [['-bogus-flag'], /bogus-flag/],
  [['serve'], /unexpected argument "serve"/],
  [['doctor', 'now'], /unexpected argument "now"/],
  [['-no-browser', 'false'], /unexpected argument "false"/],
  [['-iflow-login', '-claude-login'], /-iflow-login and -claude-login/],
  [['-vertex-import', 'x', '-login'], /-login and -vertex-import/],
  [['-iflow-login', '-doctor'], /-iflow-login and -doctor/],
  [['-oauth-callback-port', 'many'], /"many"/],
];
for (const [argv, message] of usage) {
  test(`${argv.join(' ')} ends with 2 and says why`, async () => {
    const { code, out, errors } = await runIn(argv);
    assert.equal(code, 2);
    assert.match(errors, message);
    assert.match(errors, /Usage: cliproxy/);
    assert.equal(out, '');
  });
}

test('-version and -help end with 0 and print to standard output', async () => {
  const version = await runIn(['-version']);
  assert.equal(version.code, 0);
  assert.match(version.out, /^cliproxy \d+\.\d+\.\d+/);
  const help = await runIn(['--help', '-iflow-login']);
  assert.equal(help.code, 0);
  assert.match(help.out, /Usage: cliproxy \[flags\]/);
});

test('-check-config prints what a file means, with secrets masked', async () => {
  const { code, out } = await runIn(['-check-config'], {
    'config.yaml': 'port: 9123\napi-keys: [sk-very-secret-key-1]\n',
  });
  assert.equal(code, 0);
  assert.match(out, /port 9123/);
  assert.doesNotMatch(out, /very-secret/);
});

test('-check-config of a broken file names path, line and reason, and ends with 1', async () => {
  const files = { 'other.yaml': 'port: 1\nport: 2\n' };
  for (const argv of [
    ['-check-config', 'other.yaml'],
    ['-check-config', '-config', 'other.yaml'],
  ]) {
    const { code, errors } = await runIn(argv, files);
    assert.equal(code, 1);
    assert.match(errors, /other\.yaml:2: /);
  }
});

test('doctor, as a word or a flag, says that an account is missing and what to do', async () => {
  for (const argv of [['doctor'], ['-doctor'], ['doctor', '-port', '0']]) {
    const { code, out } = await runIn([...argv, '-auth-dir', 'accounts']);
    assert.equal(code, 1);
    assert.match(out, /fail {2}credentials: there is no account/);
    assert.match(out, /-> log in, for example/);
  }
});

test('doctor names files that cannot be used and accounts that have to log in again', async () => {
  const cwdFiles = {
    'bad.json': '{"type":"iflow",',
    'iflow-a.json':
      '{"type":"iflow","api_key":"sk-canary-0123456789","email":"a@b.cd","expired":"2020-01-01T00:00:00Z"}',
  };
  const { code, out } = await runIn(['doctor', '-port', '0', '-auth-dir', '.'], cwdFiles);
  assert.equal(code, 1);
  assert.match(out, /fail {2}credentials: bad\.json: not JSON/);
  assert.match(out, /iflow-a\.json: .*-iflow-login/);
  assert.doesNotMatch(out, /canary/);
});

test('doctor says so when nothing stands in the way', async () => {
  const config =
    'port: 0\nopenai-compatibility:\n  - name: x\n    base-url: http://127.0.0.1:9/v1\n    api-key-entries: [{api-key: k}]\n    models: [{name: m}]\n';
  const { code, out } = await runIn(['doctor'], { 'config.yaml': config });
  assert.equal(code, 0);
  assert.match(out, /Nothing stands in the way/);
});

test('doctor reports a proxy that does not answer', async () => {
  const config = 'port: 0\nproxy-url: http://user:hidden@127.0.0.1:9\n';
  const { code, out } = await runIn(['doctor'], { 'config.yaml': config });
  assert.equal(code, 1);
  assert.match(out, /fail {2}proxy: proxy-url: .*127\.0\.0\.1:9.* does not answer/);
  assert.doesNotMatch(out, /hidden/);
});
