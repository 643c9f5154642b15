import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import bcrypt from 'bcryptjs';
import { clientAddress, isLoopback } from '../../src/server/management/client-address.ts';
import { durationText } from '../../src/server/management/lockout.ts';
import { hostAllowed, originVerdict } from '../../src/server/management/origin.ts';
import { allRoutes } from '../../src/server/management/routes/index.ts';
import { bearer, key, type Lab, openLab, smallConfig } from './lab.ts';

const viewerKey = 'viewer-key-of-the-tests';
const withViewer = `${smallConfig}management-keys:
  - name: someone
    scope: viewer
    hash: "${bcrypt.hashSync(viewerKey, 4)}"
`;
const open = smallConfig.replace('remote-management:', 'remote-management:\n  allow-remote: true');
const get = (lab: Lab, headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
  lab.app.inject({
    method: 'GET',
    url: '/v0/management/debug',
    headers: { host: 'localhost', ...headers },
    remoteAddress,
  });

describe('the management key', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
  });
  after(() => lab.close());

  for (const [what, headers, status] of [
    ['a bearer token', { authorization: `Bearer ${key}` }, 200],
    ['the scheme in any case', { authorization: `bEaReR ${key}` }, 200],
    ['no scheme', { authorization: key }, 200],
    ['X-Management-Key', { 'x-management-key': key }, 200],
    ['X-Management-Key beside an empty Authorization', { authorization: '', 'x-management-key': key }, 200],
    [
      'a wrong Authorization beside a right X-Management-Key',
      { authorization: 'Bearer x', 'x-management-key': key },
      401,
    ],
    ['another scheme', { authorization: `Basic ${key}` }, 401],
    ['x-api-key', { 'x-api-key': key }, 401],
    ['nothing', {}, 401],
  ] as const) {
    it(`as ${what} is answered ${status}`, async () => {
      lab.clock.now += 3_600_000;
      assert.equal((await get(lab, headers)).statusCode, status);
    });
  }

  it('is not taken from the query', async () => {
    const answer = await lab.app.inject({
      method: 'GET',
      url: `/v0/management/debug?key=${key}`,
      headers: { host: 'localhost' },
    });
    assert.equal(answer.statusCode, 401);
    assert.equal(answer.json().error, 'missing management key');
  });

  it('is hashed in the file, and the comments stay', () => {
    const text = readFileSync(lab.configFile, 'utf8');
    assert.ok(!text.includes(key));
    assert.match(text, /secret-key: "\$2a\$10\$/);
  });

  it('is compared with bcrypt once, then from memory', async () => {
    await get(lab, bearer);
    const start = performance.now();
    for (let n = 0; n < 200; n++) await get(lab, bearer);
    assert.ok(performance.now() - start < 2_000);
  });

  it('carries the version headers, on refusals too', async () => {
    for (const headers of [bearer, {}]) {
      const answer = await get(lab, headers);
      for (const name of ['x-cpa-version', 'x-cpa-commit', 'x-cpa-build-date', 'x-request-id'])
        assert.ok(answer.headers[name]);
    }
  });
});

describe('remote clients', () => {
  it('are refused while remote management is off, whatever they claim to be', async () => {
    const lab = await openLab();
    for (const name of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'cf-connecting-ip']) {
      const answer = await get(lab, { ...bearer, [name]: '127.0.0.1' }, '203.0.113.9');
      assert.equal(answer.statusCode, 403);
      assert.equal(answer.json().error, 'remote management disabled');
    }
    await lab.close();
  });

  it('are let in by MANAGEMENT_PASSWORD, but not by -password', async () => {
    const lab = await openLab({ deps: { envPassword: ' env-secret ', localPassword: 'own-secret' } });
    assert.equal((await get(lab, { authorization: 'env-secret' }, '203.0.113.9')).statusCode, 200);
    assert.equal((await get(lab, { authorization: 'own-secret' }, '203.0.113.9')).statusCode, 401);
    assert.equal((await get(lab, { authorization: 'own-secret' })).statusCode, 200);
    await lab.close();
  });

  it('are banned for 30 minutes after 5 wrong keys, and the right key lifts the ban', async () => {
    const lab = await openLab({ config: open });
    const from = '203.0.113.7';
    for (let n = 0; n < 20; n++) assert.equal((await get(lab, {}, from)).statusCode, 401);
    for (let n = 0; n < 5; n++) assert.equal((await get(lab, { authorization: `wrong-${n}` }, from)).statusCode, 401);
    const banned = await get(lab, { authorization: 'wrong' }, from);
    assert.equal(banned.statusCode, 403);
    assert.equal(banned.json().error, 'IP banned due to too many failed attempts. Try again in 30m0s');
    assert.equal(banned.headers['retry-after'], '1800');
    assert.equal((await get(lab, bearer, '203.0.113.8')).statusCode, 200);
    assert.equal((await get(lab, bearer, from)).statusCode, 200);
    assert.equal((await get(lab, { authorization: 'wrong' }, from)).statusCode, 401);
    await lab.close();
  });

  it('are free again when the ban is over', async () => {
    const lab = await openLab({ config: open });
    for (let n = 0; n < 5; n++) await get(lab, { authorization: `wrong-${n}` }, '203.0.113.7');
    lab.clock.now += 1_799_000;
    assert.equal((await get(lab, { authorization: 'other' }, '203.0.113.7')).statusCode, 403);
    lab.clock.now += 2_000;
    assert.equal((await get(lab, { authorization: 'other' }, '203.0.113.7')).statusCode, 401);
    await lab.close();
  });

  it('on loopback get 10 tries and one minute', async () => {
    const lab = await openLab();
    const statuses: number[] = [];
    for (let n = 0; n < 11; n++) statuses.push((await get(lab, { authorization: `wrong-${n}` })).statusCode);
    assert.deepEqual(statuses, [...Array(10).fill(401), 403]);
    lab.clock.now += 61_000;
    assert.equal((await get(lab, { authorization: 'wrong' })).statusCode, 401);
    await lab.close();
  });

  it('behind a trusted proxy count by the last untrusted hop', () => {
    const proxies = ['10.0.0.0/8', '::1'];
    const table: [string, string | undefined, string][] = [
      ['203.0.113.1', '127.0.0.1', '203.0.113.1'],
      ['10.0.0.1', '198.51.100.4', '198.51.100.4'],
      ['10.0.0.1', '127.0.0.1, 198.51.100.4, 10.0.0.2', '198.51.100.4'],
      ['::ffff:10.0.0.1', 'junk', '10.0.0.1'],
      ['10.0.0.1', undefined, '10.0.0.1'],
      ['::1', '2001:db8::1', '2001:db8::1'],
    ];
    for (const [socket, forwarded, address] of table) assert.equal(clientAddress(socket, forwarded, proxies), address);
  });

  it('are local on any loopback address only', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(address));
    for (const address of ['10.0.0.1', '::2', '128.0.0.1', '::ffff:10.0.0.1']) assert.ok(!isLoopback(address));
  });
});

describe('browsers', () => {
  it('of other sites may neither write nor ask', async () => {
    const lab = await openLab({ config: `${smallConfig}management-allowed-origins: ["https://panel.example"]\n` });
    const ask = (method: string, origin: string) =>
      lab.call(method, 'debug', { headers: { origin }, ...(method === 'PUT' ? { payload: '{"value":true}' } : {}) });
    assert.equal((await ask('PUT', 'https://evil.example')).statusCode, 403);
    assert.equal((await ask('PUT', 'null')).statusCode, 403);
    assert.equal((await ask('OPTIONS', 'https://evil.example')).statusCode, 403);
    assert.equal((await ask('GET', 'https://evil.example')).headers['access-control-allow-origin'], undefined);
    assert.equal((await ask('PUT', 'http://127.0.0.1:8080')).statusCode, 200);
    const allowed = await ask('OPTIONS', 'https://panel.example');
    assert.equal(allowed.statusCode, 204);
    assert.equal(allowed.headers['access-control-allow-origin'], 'https://panel.example');
    assert.match(String(allowed.headers['access-control-allow-headers']), /Authorization/);
    assert.equal((await ask('PUT', 'https://panel.example')).statusCode, 200);
    await lab.close();
  });

  it('that were rebound to loopback are known by the name they ask for', async () => {
    const lab = await openLab({ config: `${smallConfig}management-allowed-hosts: [proxy.lan]\n` });
    for (const [host, status] of [
      ['evil.test', 403],
      ['evil.test:8080', 403],
      ['localhost:8080', 200],
      ['127.0.0.1', 200],
      ['[::1]:8080', 200],
      ['proxy.lan:1', 200],
    ] as const) {
      assert.equal((await get(lab, { ...bearer, host })).statusCode, status, host);
    }
    await lab.close();
  });

  it('are judged by whole origins', () => {
    assert.equal(originVerdict('http://a.test:80', 'a.test', []), 'same');
    assert.equal(originVerdict('http://a.test.evil', 'a.test', []), 'foreign');
    assert.equal(originVerdict('https://p.test', 'a.test', ['https://p.test/']), 'allowed');
    assert.ok(hostAllowed('192.0.2.5:80', '0.0.0.0', []));
    assert.ok(!hostAllowed('192.0.2.5:80', '127.0.0.1', []));
  });
});

describe('without any key', () => {
  it('management is not there', async () => {
    const lab = await openLab({ config: 'api-keys: [a]\n' });
    const answer = await get(lab, bearer);
    assert.equal(answer.statusCode, 404);
    assert.equal(answer.json().error, '404 page not found');
    await lab.close();
  });
});

describe('a viewer', () => {
  it('reads what is meant for viewers, masked, and writes nothing', async () => {
    const lab = await openLab({ config: withViewer });
    for (const route of allRoutes) {
      if (route.path === 'events' || (route.method === 'GET' && route.scope === 'viewer')) continue;
      lab.clock.now += 100;
      const answer = await lab.call(route.method, route.path.replace(/:\w+/, 'x'), {
        headers: { authorization: viewerKey },
      });
      assert.equal(answer.statusCode, 403, `${route.method} ${route.path}`);
      assert.equal(answer.json().error, 'insufficient scope');
    }
    const keys = await lab.call('GET', 'api-keys', { headers: { authorization: viewerKey } });
    assert.deepEqual(keys.json(), { 'api-keys': ['cl...-1', 'cl...-2'] });
    await lab.close();
  });

  it('may not download, call upstream or read the file', () => {
    for (const path of ['auth-files/download', 'api-call', 'config.yaml', 'audit', 'request-log-by-id/:id']) {
      assert.ok(allRoutes.filter((route) => route.path === path).every((route) => route.scope === 'admin'));
    }
  });
});

describe('methods', () => {
  it('that a path does not have are 405 with Allow, and HEAD is a GET without a body', async () => {
    const lab = await openLab();
    const paths = new Set(allRoutes.map((route) => route.path));
    for (const each of paths) {
      const own = new Set<string>(allRoutes.filter((route) => route.path === each).map((route) => route.method));
      const missing = ['GET', 'PUT', 'PATCH', 'POST', 'DELETE', 'TRACE'].find((method) => !own.has(method)) as string;
      const answer = await lab.call(missing, each.replace(/:\w+/, 'x'));
      assert.equal(answer.statusCode, 405, `${missing} ${each}`);
      assert.deepEqual(
        String(answer.headers.allow).split(', ').sort(),
        [...own, ...(own.has('GET') ? ['HEAD'] : []), 'OPTIONS'].sort(),
      );
    }
    const head = await lab.call('HEAD', 'debug');
    assert.equal(head.statusCode, 200);
    assert.equal(head.body, '');
    await lab.close();
  });

  it('faster than 50 writes a second are slowed down', async () => {
    const lab = await openLab();
    const statuses: number[] = [];
    for (let n = 0; n < 60; n++)
      statuses.push((await lab.call('POST', 'reset-quota', { payload: '{"auth_index":"x"}' })).statusCode);
    assert.equal(statuses.filter((status) => status === 429).length, 10);
    lab.clock.now += 1_000;
    assert.equal((await lab.call('POST', 'reset-quota', { payload: '{"auth_index":"x"}' })).statusCode, 404);
    await lab.close();
  });
});

describe('the audit log', () => {
  it('has one line per write and per refusal, and no secret', async () => {
    const lab = await openLab();
    await lab.call('PUT', 'debug', { payload: '{"value":true}' });
    await lab.call('PUT', 'api-keys', { payload: '["a-brand-new-client-key"]' });
    await lab.call('PUT', 'debug', { payload: '{"value":1}' });
    await get(lab, { authorization: 'a-wrong-management-key' });
    await lab.call('GET', 'debug');
    const { entries } = (await lab.call('GET', 'audit')).json() as { entries: Record<string, unknown>[] };
    assert.deepEqual(
      entries.map((entry) => [entry.method, entry.status, entry.result, (entry.changed as string[]).join()]),
      [
        ['PUT', 200, 'ok', 'debug'],
        ['PUT', 200, 'ok', 'api-keys'],
        ['PUT', 400, 'refused', ''],
        ['GET', 401, 'refused', ''],
      ],
    );
    assert.ok(entries[0]?.before !== entries[0]?.after);
    const text = readFileSync(path.join(lab.logDir, 'audit.log'), 'utf8');
    for (const secret of [key, 'client-key-1', 'a-brand-new-client-key', 'a-wrong-management-key']) {
      assert.ok(!text.includes(secret));
    }
    await lab.close();
  });
});

it('a time span is written as the reference does', () => {
  assert.equal(durationText(1_800_000), '30m0s');
  assert.equal(durationText(61_500), '1m2s');
  assert.equal(durationText(400), '1s');
  assert.equal(durationText(3_600_000), '1h0m0s');
});
