import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { matchesNoProxy, parseProxy, proxyLabel, resolveProxy } from '../../src/net/proxy.ts';

const https = 'https://api.example.com';
const label = (sources: Parameters<typeof resolveProxy>[0], origin = https) => {
  const proxy = resolveProxy(sources, origin);
  return proxy === undefined ? 'direct' : proxyLabel(proxy);
};

describe('choosing the proxy', () => {
  const env = { HTTPS_PROXY: 'http://env-s:1', HTTP_PROXY: 'env-p:2', NO_PROXY: 'internal.example.com' };
  const table: [string, Parameters<typeof resolveProxy>[0], string, string][] = [
    ['the credential beats everything', { credential: 'http://c:1', global: 'http://g:1', env }, https, 'http://c:1'],
    ['the global one beats the environment', { global: 'socks5://g:1', env }, https, 'socks5://g:1'],
    ['an empty value inherits', { credential: ' ', global: '', env }, https, 'http://env-s:1'],
    ['direct at the credential ends the search', { credential: 'direct', global: 'http://g:1', env }, https, 'direct'],
    ['none in any case ends it too', { credential: 'None', global: 'http://g:1', env }, https, 'direct'],
    ['global none hides the environment', { global: 'none', env }, https, 'direct'],
    ['http origins take HTTP_PROXY', { env }, 'http://api.example.com', 'http://env-p:2'],
    ['NO_PROXY names go direct', { env }, 'https://internal.example.com', 'direct'],
    ['NO_PROXY covers sub-domains', { env }, 'https://a.internal.example.com', 'direct'],
    ['loopback never goes to the environment', { env }, 'http://127.0.0.1:8080', 'direct'],
    ['nor does localhost', { env }, 'https://localhost:1', 'direct'],
    ['nor ::1', { env }, 'https://[::1]:1', 'direct'],
    ['but a configured proxy is used for loopback', { global: 'http://g:1', env }, 'http://127.0.0.1', 'http://g:1'],
    ['lower-case names count', { env: { https_proxy: 'http://l:3' } }, https, 'http://l:3'],
    ['ALL_PROXY is the last', { env: { all_proxy: 'socks5://a:4' } }, https, 'socks5://a:4'],
    ['nothing set is direct', { env: {} }, https, 'direct'],
  ];
  for (const [name, sources, origin, expected] of table) {
    it(name, () => assert.equal(label(sources, origin), expected));
  }
});

describe('reading a proxy URL', () => {
  it('knows four schemes with default ports', () => {
    assert.equal(proxyLabel(parseProxy('http://h')), 'http://h:80');
    assert.equal(proxyLabel(parseProxy('https://h')), 'https://h:443');
    assert.equal(proxyLabel(parseProxy('socks5://h')), 'socks5://h:1080');
    assert.equal(proxyLabel(parseProxy('SOCKS5H://[::1]:9')), 'socks5://[::1]:9');
  });
  it('decodes user and password and never prints the password', () => {
    const proxy = parseProxy('http://u%40x:p%3Aw-very-secret-value@h:1');
    assert.equal(proxy.username, 'u@x');
    assert.equal(proxy.password?.reveal(), 'p:w-very-secret-value');
    assert.doesNotMatch(inspect(proxy) + JSON.stringify(proxy) + proxyLabel(proxy), /very-secret/);
  });
  for (const bad of [
    'ftp://h:1',
    'h:1',
    'http://',
    'nonsense',
    'socks4://h:1',
    'http://a:s3cr3t@h:99999',
    'http://h:0',
  ]) {
    it(`refuses ${bad} without repeating it`, () => {
      assert.throws(
        () => label({ global: bad, env: {} }),
        (error: Error & { code?: string }) => error.code === 'ERR_PROXY_INVALID' && !error.message.includes('s3cr3t'),
      );
    });
  }
  it('refuses a bad value of the environment too', () => {
    assert.throws(() => label({ env: { HTTPS_PROXY: 'gopher://x' } }), { code: 'ERR_PROXY_INVALID' });
  });
});

describe('NO_PROXY', () => {
  const table: [string, string, boolean][] = [
    ['*', 'https://any.thing', true],
    ['.example.com', 'https://a.example.com', true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', 'https://a.example.com', true],
    ['example.com', 'https://notexample.com', false],
    ['a.b, example.com:8443', 'https://example.com:8443', true],
    ['example.com:8443', 'https://example.com', false],
    ['EXAMPLE.com:443', 'https://example.com', true],
    ['10.0.0.0/8', 'http://10.2.3.4', true],
    ['10.0.0.0/8', 'http://11.2.3.4', false],
    ['192.168.1.1', 'http://192.168.1.1:81', true],
    ['fd00::/8', 'http://[fd00::1]', true],
    ['[fd00::1]:80', 'http://[fd00::1]', true],
    ['10.0.0.0/99', 'http://10.2.3.4', false],
    ['', 'https://example.com', false],
  ];
  for (const [list, url, expected] of table) {
    it(`"${list}" ${expected ? 'covers' : 'does not cover'} ${url}`, () => {
      assert.equal(matchesNoProxy(list, new URL(url)), expected);
    });
  }
});
