import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { checkDestination, isRefusedAddress, tokenMayGo } from '../../src/server/management/relay-guard.ts';
import { pinnedLookup } from '../../src/server/management/relay-network.ts';
import { type Echo, type Lab, openEcho, openLab, smallConfig } from './lab.ts';
import { startFiles } from './replay.ts';

const claudeIndex = '80d202d75762359e';
const withToken = { Authorization: 'Bearer $TOKEN$' };

describe('api-call', () => {
  let echo: Echo;
  let lab: Lab;
  before(async () => {
    echo = await openEcho({ 'metadata-alias.test': '169.254.169.254', 'v6-alias.test': 'fe80::1' });
    lab = await openLab({
      config: `${smallConfig}api-call-allowed-hosts: ["allowed.test"]\n`,
      files: startFiles,
      deps: { relay: echo.network },
    });
  });
  after(async () => {
    await lab.close();
    echo.close();
  });
  const call = (body: object) => lab.call('POST', 'api-call', { payload: JSON.stringify({ method: 'GET', ...body }) });
  const echoed = async (body: object) => {
    const answer = await call(body);
    assert.equal(answer.statusCode, 200, answer.body);
    return JSON.parse(answer.json().body);
  };

  for (const url of [
    'http://169.254.169.254/latest/meta-data',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://2852039166/',
    'http://0xa9.0xfe.0xa9.0xfe/',
    'http://metadata.google.internal/computeMetadata/v1/',
    'http://metadata.google.internal./',
    'http://metadata-alias.test/',
    'http://v6-alias.test/',
    'http://upstream.test/redirect?to=http%3A%2F%2F169.254.169.254%2F',
    'http://upstream.test/redirect?to=http%3A%2F%2Fmetadata-alias.test%2F',
    'http://upstream.test/redirect?to=file%3A%2F%2F%2Fetc%2Fpasswd',
  ]) {
    it(`never goes to ${url}`, async () => {
      lab.clock.now += 1_000;
      const answer = await call({ url });
      assert.deepEqual([answer.statusCode, answer.json().error], [403, 'destination not allowed']);
    });
  }

  it('without a token goes anywhere else, also on this machine', async () => {
    const { path, authorization } = await echoed({ url: 'http://upstream.test/v1/models?x=1' });
    assert.deepEqual([path, authorization], ['/v1/models?x=1', null]);
  });

  it('sends a token to hosts that are allowed, and nowhere else', async () => {
    const sent = await echoed({ url: 'http://allowed.test/echo', auth_index: claudeIndex, header: withToken });
    assert.equal(sent.authorization, 'Bearer fake-claude-access');
    for (const url of [
      'http://upstream.test/echo',
      'http://api.anthropic.com/x',
      'https://api.anthropic.com.evil.test/',
      'https://chatgpt.com/',
    ]) {
      const answer = await call({ url, auth_index: claudeIndex, header: withToken });
      assert.deepEqual([answer.statusCode, answer.json().error], [403, 'host not allowed'], url);
      assert.ok(!answer.body.includes('fake-claude-access'));
    }
  });

  it("may send a provider's token to its own quota services", () => {
    for (const [url, name] of [
      ['https://api.anthropic.com/api/oauth/usage', 'claude-alice@example.com.json'],
      ['https://chatgpt.com/backend-api/wham/usage', 'codex-dana@example.com-plus.json'],
      [
        'https://daily-cloudcode-pa.sandbox.googleapis.com/v1internal:fetchAvailableModels',
        'antigravity-erin@example.com.json',
      ],
      ['https://cloudcode-pa.googleapis.com/v1internal:retrieveUserQuota', 'gemini-frank@example.com-proj1.json'],
      ['https://api.kimi.com/coding/v1/usages', 'kimi-1700000000.json'],
    ] as const) {
      const credential = lab.store.list().find((each) => each.id.startsWith(name));
      assert.ok(credential, name);
      assert.ok(tokenMayGo(new URL(url), lab.deps.tokenHosts(credential), []), url);
    }
  });

  it('drops what authorises when a redirect leaves the host', async () => {
    const to = encodeURIComponent('http://upstream.test/echo');
    const url = `http://allowed.test/redirect?to=${to}`;
    assert.equal((await echoed({ url, auth_index: claudeIndex, header: withToken })).authorization, null);
    assert.equal((await echoed({ url, header: { Authorization: 'Bearer mine' } })).authorization, null);
  });

  it('never sends the placeholder itself', async () => {
    const unknown = await call({ url: 'http://allowed.test/echo', auth_index: 'ffffffffffffffff', header: withToken });
    assert.deepEqual([unknown.statusCode, unknown.json().error], [404, 'auth not found']);
    const nobody = await call({ url: 'http://allowed.test/echo', header: withToken });
    assert.deepEqual([nobody.statusCode, nobody.json().error], [400, 'auth token not found']);
  });

  it('refreshes an old token first, and says when that fails', async () => {
    await lab.store.save('claude-old@b.c.json', {
      type: 'claude',
      access_token: 'old',
      refresh_token: 'r',
      expired: '2026-01-01T00:00:00Z',
    });
    const index = lab.store.get('claude-old@b.c.json')?.authIndex;
    const answer = await call({ url: 'http://allowed.test/echo', auth_index: index, header: withToken });
    assert.deepEqual([answer.statusCode, answer.json().error], [400, 'auth token refresh failed']);
  });

  it('refuses answers of more than 10 MiB', async () => {
    assert.equal((await call({ url: 'http://upstream.test/long' })).statusCode, 413);
  });

  it('builds no request that would smuggle another', async () => {
    for (const header of [{ 'X-A': 'a\r\nX-B: b' }, { 'X A': '1' }]) {
      const answer = await call({ url: 'http://upstream.test/echo', header });
      assert.deepEqual([answer.statusCode, answer.json().error], [400, 'failed to build request']);
    }
    const framing = await call({
      url: 'http://upstream.test/echo',
      header: { 'Transfer-Encoding': 'chunked', 'content-length': '5' },
    });
    assert.equal(framing.statusCode, 200);
  });

  it('stands in the audit log with its host, not with its token', async () => {
    await call({ url: 'http://allowed.test/echo?secret=1', auth_index: claudeIndex, header: withToken });
    const { entries } = (await lab.call('GET', 'audit?limit=1')).json();
    assert.deepEqual(entries[0].changed, ['api-call GET allowed.test']);
  });
});

describe('the guard', () => {
  it('knows addresses in all their spellings', () => {
    for (const address of [
      '169.254.0.1',
      'fe80::1%eth0',
      '::ffff:169.254.1.1',
      '100.100.100.200',
      'fd00:ec2::254',
      'junk',
    ]) {
      assert.ok(isRefusedAddress(address), address);
    }
    for (const address of ['127.0.0.1', '10.0.0.1', '::1', '2606:4700::1111', 'fd00::1'])
      assert.ok(!isRefusedAddress(address), address);
  });

  it('refuses a name when one of its addresses is off limits', async () => {
    const lookup = async () => [
      { address: '203.0.113.1', family: 4 },
      { address: '169.254.169.254', family: 4 },
    ];
    assert.deepEqual(await checkDestination(new URL('http://two.test/'), lookup), { ok: false, reason: 'refused' });
  });

  it('connects to the checked address, whatever the name says later', () => {
    const lookup = pinnedLookup([{ address: '203.0.113.1', family: 4 }]);
    lookup('name.test', { all: true }, (_error, found) =>
      assert.deepEqual(found, [{ address: '203.0.113.1', family: 4 }]),
    );
    lookup('name.test', {}, (_error, found) => assert.equal(found, '203.0.113.1'));
    lookup('name.test', { family: 6 }, (error) => assert.equal(error?.code, 'ENOTFOUND'));
  });
});
