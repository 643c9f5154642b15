// Who gets in, and what goes through to the other side.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { keyRing, presentedKeys } from '../../src/server/access.ts';
import { harmless } from '../../src/server/answer.ts';
import { isForeignSite } from '../../src/server/origin.ts';
import { clientKey, dialects, type Envelope, type Lab, openLab, upstreamKeys } from './lab.ts';

let lab: Lab;
before(async () => {
  lab = await openLab();
});
after(() => lab.close());

const asked = (headers: Record<string, string>, url = '/v1/models') => ({ headers, url }) as unknown as IncomingMessage;

describe('the client key', () => {
  const ring = keyRing(['right', 'other']);
  test('opens from each place where clients put it', () => {
    for (const request of [
      asked({ authorization: 'Bearer right' }),
      asked({ authorization: 'bearer  right ' }),
      asked({ authorization: 'right' }),
      asked({ 'x-api-key': 'other' }),
      asked({ 'x-goog-api-key': 'right' }),
      asked({}, '/v1/models?key=right'),
      asked({}, '/v1/models?auth_token=right'),
      asked({ authorization: 'Bearer wrong', 'x-api-key': 'right' }),
    ]) {
      assert.match(ring.check(request) ?? '', /^[0-9a-f]{64}$/);
    }
  });

  test('does not open from anywhere else, nor nearly right', () => {
    for (const request of [
      asked({}),
      asked({ authorization: '' }),
      asked({ authorization: 'Bearer' }),
      asked({ authorization: 'Bearer null' }),
      asked({ authorization: 'Bearer righ' }),
      asked({ authorization: 'Bearer rightx' }),
      asked({ authorization: 'Bearer RIGHT' }),
      asked({ authorization: 'Basic cmlnaHQ=' }),
      asked({ cookie: 'key=right' }),
      asked({ 'x-management-key': 'right' }),
      asked({ 'x-forwarded-authorization': 'Bearer right' }),
      asked({}, '/v1/models?key='),
      asked({}, '/right'),
    ]) {
      assert.equal(ring.check(request), undefined, JSON.stringify(request));
    }
  });

  test('is known by its digest only', () => {
    assert.ok(!JSON.stringify(ring, (_, value) => (value instanceof Set ? [...value] : value)).includes('right'));
    assert.ok([...presentedKeys(asked({ authorization: 'Bearer right' }))].includes('right'));
  });

  test('is asked for on every route that reaches an account, whatever is written into the path', async () => {
    const paths = [
      '/v1/models',
      '//v1/models',
      '/v1/./models',
      '/x/../v1/models',
      '/V1/MODELS',
      '/v1/models/',
      '/v1/%6dodels',
      '/v1/models;a=b',
      '/v1beta/models',
      '/healthz/../v1/models',
      'http://127.0.0.1/v1/models',
    ];
    for (const path of paths) {
      const { text, statuses } = await lab.raw(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Original-URL: /v1/models\r\nConnection: close\r\n\r\n`,
      );
      assert.ok(!text.includes('"chat"'), path);
      assert.ok((statuses[0] ?? 0) >= 400, `${path}: ${statuses}`);
    }
    for (const { route, isError } of Object.values(dialects)) {
      const response = await fetch(lab.url + route, { method: 'POST', body: '{}' });
      assert.equal(response.status, 401);
      assert.ok(isError((await response.json()) as Envelope, 401));
    }
  });
});

describe('without api-keys', () => {
  test('a page of another site is refused, a page of this machine and a program are not', () => {
    for (const headers of [
      { origin: 'https://evil.example', host: 'localhost:8080' },
      { origin: 'null', host: 'localhost:8080' },
      { origin: 'http://localhost.evil.example', host: 'localhost' },
      { origin: 'http://127.0.0.1.evil.example', host: 'localhost' },
      { 'sec-fetch-site': 'cross-site', host: 'localhost' },
      // DNS rebinding: the page's own name now means this machine.
      { origin: 'http://rebound.example', host: 'rebound.example' },
      { origin: 'http://localhost:8080', host: 'rebound.example' },
    ] as Record<string, string>[]) {
      assert.ok(isForeignSite(asked(headers)), JSON.stringify(headers));
    }
    for (const headers of [
      { host: 'localhost:8080' },
      { host: '127.0.0.1:8080', origin: 'http://localhost:3000' },
      { host: '[::1]:8080', origin: 'vscode-webview://panel' },
      { host: 'box.local:8080' },
    ] as Record<string, string>[]) {
      assert.ok(!isForeignSite(asked(headers)), JSON.stringify(headers));
    }
  });

  test('such a page gets 403 in the envelope of its route and no permission to read it', async (t) => {
    const keyless = await openLab({ keyless: true });
    t.after(() => keyless.close());
    for (const { route, isError } of Object.values(dialects)) {
      const response = await fetch(keyless.url + route, {
        method: 'POST',
        headers: { origin: 'https://evil.example', 'content-type': 'text/plain' },
        body: '{}',
      });
      assert.equal(response.status, 403);
      assert.equal(response.headers.get('access-control-allow-origin'), null);
      assert.ok(isError((await response.json()) as Envelope, 403));
    }
    assert.equal(keyless.asked.length, 0);
  });
});

describe('what the client sends about itself', () => {
  const own = {
    cookie: 'session=client-cookie',
    'proxy-authorization': 'Basic client-proxy',
    'x-forwarded-for': '203.0.113.7',
    forwarded: 'for=203.0.113.7',
    'x-api-key': clientKey,
    'x-goog-api-key': clientKey,
    'x-management-key': 'management-canary',
    referer: 'http://client-referer/',
    'x-internal-secret': 'client-internal',
    via: '1.1 client-via',
    te: 'trailers',
  };
  test('stays here: keys, cookies, addresses and unknown headers do not go upstream, our key does', async () => {
    const count = lab.asked.length;
    for (const [name, model] of [
      ['chat', 'chat'],
      ['messages', 'claude'],
      ['gemini', 'gemini'],
      ['responses', 'codex'],
    ] as const) {
      const { route, body } = dialects[name];
      const lines = Object.entries(own).map(([header, value]) => `${header}: ${value}\r\n`);
      const text = JSON.stringify(body(model));
      const { statuses } = await lab.raw(
        `POST ${route}?key=${clientKey}&auth_token=${clientKey} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${clientKey}\r\n${lines.join('')}Connection: close, x-hop\r\nx-hop: client-hop\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      );
      assert.deepEqual(statuses, [200]);
    }
    const requests = lab.asked.slice(count);
    assert.equal(requests.length, 4);
    for (const request of requests) {
      const all = `${request.url}\n${request.rawHeaders.join('\n')}\n${request.body}`;
      assert.doesNotMatch(all, /client-(key|cookie|proxy|referer|internal|via|hop)|management-canary|203\.0\.113\.7/);
      assert.ok(Object.values(upstreamKeys).some((key) => all.includes(key)));
    }
  });
});

test('with passthrough-headers, headers for one connection and about the upstream stay behind', () => {
  const kept = harmless({
    connection: 'close, x-hop',
    'x-hop': '1',
    'keep-alive': 'timeout=5',
    'transfer-encoding': 'chunked',
    'set-cookie': ['a=1'],
    'www-authenticate': 'Basic',
    'clear-site-data': '"*"',
    'strict-transport-security': 'max-age=1',
    'access-control-allow-credentials': 'true',
    location: 'http://x/',
    'x-ratelimit-remaining': '7',
  });
  assert.deepEqual(kept, { 'x-ratelimit-remaining': '7' });
});
