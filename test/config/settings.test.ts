// Where values come from: flag, environment, file, default (spec/config.md §8, §9, §15).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isLoopback, parseConfig, parseDotEnv, resolveSettings, type SettingSources } from '../../src/config/index.ts';

const settings = (text: string | undefined, sources: SettingSources = {}) =>
  resolveSettings({
    cwd: '/srv',
    home: '/home/me',
    isWritable: () => false,
    ...sources,
    file: text === undefined ? undefined : parseConfig(text),
  });

describe('precedence', () => {
  const file = 'port: 1\nhost: "192.0.2.1"\nauth-dir: file\napi-keys: [k]\n';
  const env = {
    CLIPROXY_PORT: ' 2 ',
    CLIPROXY_HOST: 'env.test',
    CLIPROXY_AUTH_DIR: 'env',
    CLIPROXY_CONFIG: 'env.yaml',
  };
  const flags = { port: 3, host: 'flag.test', authDir: 'flag', config: 'flag.yaml' };
  const pick = ({ port, host, authDir, configPath }: ReturnType<typeof settings>) => [port, host, authDir, configPath];

  test('defaults', () =>
    assert.deepEqual(pick(settings(undefined)), [8080, '127.0.0.1', '/srv/auth', '/srv/config.yaml']));
  test('the file beats defaults', () =>
    assert.deepEqual(pick(settings(file)), [1, '192.0.2.1', '/srv/file', '/srv/config.yaml']));
  test('the environment beats the file', () =>
    assert.deepEqual(pick(settings(file, { env })), [2, 'env.test', '/srv/env', '/srv/env.yaml']));
  test('flags beat the environment', () => {
    const result = settings(file, { env, flags });
    assert.deepEqual(pick(result), [3, 'flag.test', '/srv/flag', '/srv/flag.yaml']);
    assert.deepEqual(new Set(Object.values(result.origins)), new Set(['flag', 'default']));
  });
  test('blank variables count as unset', () => {
    assert.equal(settings(file, { env: { CLIPROXY_PORT: ' ', CLIPROXY_AUTH_DIR: '' } }).port, 1);
  });
  test('a port that is none is refused', () => {
    for (const port of ['x', '70000', '-1', '1.5'])
      assert.throws(() => settings(file, { env: { CLIPROXY_PORT: port } }), RangeError);
  });
  test('port 0 that is written is honoured', () => assert.equal(settings('port: 0').port, 0));
  test('flag 0 too', () => assert.equal(settings(file, { flags: { port: 0 } }).port, 0));
});

describe('the address', () => {
  test('is loopback as long as no api-keys are set and no host is named', () => {
    assert.equal(settings(undefined).host, '127.0.0.1');
    assert.equal(settings('debug: true').host, '127.0.0.1');
    assert.equal(settings('debug: true').open, false);
  });
  test('is every interface with api-keys and no host', () => {
    assert.deepEqual([settings('api-keys: [k]').host, settings('api-keys: [k]').open], ['', true]);
  });
  test('stays loopback when an empty host and no api-keys are written down', () => {
    for (const keys of ['', '\napi-keys: []', '\napi-keys: ["", " "]']) {
      const { host, open, warnings } = settings(`host: ""${keys}`);
      assert.deepEqual([host, open], ['127.0.0.1', false]);
      assert.match(warnings.join(), /listening on 127\.0\.0\.1 only, because there are no api-keys/);
    }
    assert.equal(settings('host: ""\nallow-unauthenticated: true').host, '');
  });
  test('that is named and open without api-keys gets a loud warning', () => {
    assert.match(settings('host: 0.0.0.0').warnings.join(), /WARNING: listening on 0\.0\.0\.0/);
    assert.match(settings(undefined, { flags: { host: '::' } }).warnings.join(), /WARNING/);
    assert.deepEqual(settings('host: ""\nallow-unauthenticated: true').warnings, []);
    assert.deepEqual(settings('host: ""\napi-keys: [k]').warnings, []);
    assert.deepEqual(settings('host: localhost').warnings, []);
  });
  test('loopback is the whole block, both families, mapped too', () => {
    for (const host of ['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost', '::ffff:127.0.0.1'])
      assert.ok(isLoopback(host), host);
    for (const host of ['', '0.0.0.0', '::', '128.0.0.1', '127.evil.test']) assert.ok(!isLoopback(host), host);
  });
});

describe('folders', () => {
  test('a leading ~ is the home folder, whatever follows', () => {
    assert.equal(settings('auth-dir: ~/.cli-proxy-api').authDir, '/home/me/.cli-proxy-api');
    assert.equal(settings('auth-dir: ~foo/x').authDir, '/home/me/foo/x');
    assert.equal(settings('auth-dir: a/~').authDir, '/srv/a/~');
    assert.equal(settings('auth-dir: "~"').authDir, '/home/me');
  });
  test('a blank auth-dir is the default', () => assert.equal(settings('auth-dir: " "').authDir, '/srv/auth'));
  test('logs: variable, WRITABLE_PATH, ./logs if writable, else in the credential folder', () => {
    assert.equal(settings(undefined, { env: { CLIPROXY_LOG_DIR: 'l', WRITABLE_PATH: '/w' } }).logDir, '/srv/l');
    assert.equal(settings(undefined, { env: { writable_path: '/w' } }).logDir, '/w/logs');
    assert.equal(settings(undefined, { isWritable: (folder) => folder === '/srv/logs' }).logDir, '/srv/logs');
    assert.equal(settings(undefined).logDir, '/srv/auth/logs');
  });
  test('stand-by is DEPLOY=cloud, exactly', () => {
    assert.equal(settings(undefined, { env: { DEPLOY: 'cloud' } }).standby, true);
    assert.equal(settings(undefined, { env: { DEPLOY: 'Cloud' } }).standby, false);
  });
});

test('.env: export, quotes, comments, expansion', () => {
  const text = `# c\nA=1\nexport B = two words # c\nC="q # ${'$'}{A} \\n"\nD='${'$'}{A} #'\nE=${'$'}{A}${'$'}{HOME}x\n F=\nnonsense\nG=a#b\n`;
  assert.deepEqual(parseDotEnv(text, { HOME: '/h' }), {
    A: '1',
    B: 'two words',
    C: 'q # 1 \n',
    D: `${'$'}{A} #`,
    E: '1/hx',
    F: '',
    G: 'a#b',
  });
});
