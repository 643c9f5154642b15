import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { createHttpClient } from '../../../src/net/client.ts';
import { createDispatchers } from '../../../src/net/dispatchers.ts';
import type { RemoteContext } from '../../../src/oauth/flow.ts';
import { keyForCookie } from '../../../src/providers/iflow/cookie-login.ts';
import { configOf } from '../stand-ins.ts';

interface Reply {
  headers?: Record<string, string>;
  body: string | Buffer;
}

const data = { name: '138****0000', apiKey: 'sk-rotated', expireTime: '2026-12-31 23:59' };
const good = JSON.stringify({ success: true, data });

async function rotate(test: TestContext, answer: (method: string) => Reply) {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    bodies.push(`${request.method} ${text}`);
    const { headers, body } = answer(request.method ?? '');
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dispatchers = createDispatchers({ globalProxy: () => '', env: {} });
  test.after(async () => {
    await dispatchers.close();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/key`;
  const context = {
    config: configOf({ endpoints: { iflow: { 'api-key': url } } }),
    http: createHttpClient({ dispatchers }),
    signal: AbortSignal.timeout(10_000),
    now: Date.now,
  } as unknown as RemoteContext;
  return { key: keyForCookie(context, { text: 'BXAuth=v;', bxAuth: 'v' }), bodies };
}

const encodings: [name: string, body: Buffer][] = [
  ['gzip', gzipSync(good)],
  ['deflate', deflateSync(good)],
  ['br', brotliCompressSync(good)],
];
for (const [name, body] of encodings) {
  test(`an answer in ${name} is read`, async (context) => {
    const { key } = await rotate(context, () => ({ body, headers: { 'content-encoding': name } }));
    assert.deepEqual(await key, {
      apiKey: 'sk-rotated',
      name: '138****0000',
      expired: '2026-12-31T23:59:00Z',
      expireRaw: '2026-12-31 23:59',
    });
  });
}

test('the key is asked for, then rotated under its name', async (context) => {
  const { key, bodies } = await rotate(context, () => ({ body: good }));
  await key;
  assert.deepEqual(bodies, ['GET ', 'POST {"name":"138****0000"}']);
});

const failures: [what: string, answer: (method: string) => Reply, message: RegExp][] = [
  [
    'an empty API key',
    (method) => ({
      body: method === 'GET' ? good : JSON.stringify({ success: true, data: { ...data, apiKey: '' } }),
    }),
    /returned no API key/,
  ],
  ['no name', () => ({ body: '{"success":true,"data":{"apiKey":"k"}}' }), /name is empty/],
  ['a refusal inside of a 200', () => ({ body: '{"success":false,"message":"not logged in"}' }), /not logged in/],
  [
    'the login page',
    () => ({ body: '<html><title>Sign in</title></html>', headers: { 'content-type': 'text/html' } }),
    /decode GET response failed.*HTML page/,
  ],
];
for (const [what, answer, message] of failures) {
  test(`${what} is an error, never a key`, async (context) => {
    const { key } = await rotate(context, answer);
    await assert.rejects(key, { name: 'LoginError', message });
  });
}
