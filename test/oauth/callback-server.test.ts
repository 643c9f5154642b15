import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import {
  type CallbackServer,
  type CallbackServerOptions,
  PortError,
  startCallbackServer,
} from '../../src/oauth/callback-server.ts';

const state = '0123456789abcdef0123456789abcdef';

async function started(context: TestContext, options: Partial<CallbackServerOptions> = {}) {
  const server = await startCallbackServer({ name: 'Claude', port: 0, path: '/callback', state, ...options });
  context.after(() => server.close());
  const visit = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { redirect: 'manual', ...init });
  return { server, visit };
}

/** Whether the callback has been delivered by now. */
async function delivered(server: CallbackServer): Promise<boolean> {
  return Promise.race([server.callback.then(() => true), new Promise<boolean>((done) => setImmediate(done, false))]);
}

const strays: [what: string, path: string, status: number][] = [
  ['no query', '/callback', 400],
  ['no state', '/callback?code=c', 400],
  ['another state', '/callback?code=c&state=attacker', 400],
  ['a state that only starts right', `/callback?code=c&state=${state}x`, 400],
  ['two states', `/callback?code=c&state=x&state=${state}`, 400],
  ['the right state without code and error', `/callback?state=${state}`, 400],
  ['an error with another state', '/callback?error=access_denied&state=attacker', 400],
  ['another path', `/other?code=c&state=${state}`, 404],
  ['the root', '/', 404],
];

test('requests that do not belong to the login are refused and the wait goes on', async (context) => {
  const { server, visit } = await started(context);
  for (const [what, path, status] of strays) {
    const response = await visit(path);
    assert.equal(response.status, status, what);
    assert.doesNotMatch(await response.text(), /success/i, what);
    assert.equal(await delivered(server), false, what);
  }
  const good = visit(`/callback?code=good&state=${state}`);
  assert.deepEqual(await server.callback, { kind: 'code', code: 'good' });
  server.settle({ ok: true });
  assert.equal((await good).status, 200);
});

for (const method of ['POST', 'HEAD', 'PUT', 'OPTIONS']) {
  test(`${method} with the right state is refused: 405`, async (context) => {
    const { server, visit } = await started(context);
    const response = await visit(`/callback?code=c&state=${state}`, { method });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get('allow'), 'GET');
    assert.equal(await delivered(server), false);
  });
}

test('the page waits for the real result and shows a failure as one', async (context) => {
  const { server, visit } = await started(context);
  const page = visit(`/callback?code=c&state=${state}`);
  await server.callback;
  server.settle({ ok: false, reason: 'the provider did not accept the code.' });
  const response = await page;
  assert.equal(response.status, 400);
  assert.match(await response.text(), /Login failed.*did not accept the code/s);
});

test('a success is shown only after it happened, at /success too', async (context) => {
  const { server, visit } = await started(context, { answers: { successUrl: '/success' } });
  assert.equal((await visit('/success')).status, 404);
  const page = visit(`/callback?code=c&state=${state}`);
  await server.callback;
  assert.equal((await visit('/success')).status, 404);
  server.settle({ ok: true });
  const redirect = await page;
  assert.equal(redirect.status, 302);
  assert.equal(redirect.headers.get('location'), '/success');
  assert.match(await (await visit('/success')).text(), /Login successful/);
});

test('an absolute success page is redirected to, a failure goes to the failure page', async (context) => {
  for (const [ok, location] of [
    [true, 'https://iflow.test/success'],
    [false, 'https://iflow.test/error'],
  ] as const) {
    const answers = { successUrl: 'https://iflow.test/success', failureUrl: 'https://iflow.test/error' };
    const { server, visit } = await started(context, { answers });
    const page = visit(`/callback?code=c&state=${state}`);
    await server.callback;
    server.settle(ok ? { ok } : { ok, reason: 'no.' });
    const response = await page;
    assert.equal(response.status, 302);
    assert.equal(response.headers.get('location'), location);
  }
});

test('the first callback wins, and a reload gets the same answer', async (context) => {
  const { server, visit } = await started(context);
  const first = visit(`/callback?code=first&state=${state}`);
  await server.callback;
  const second = visit(`/callback?code=second&state=${state}`);
  assert.deepEqual(await server.callback, { kind: 'code', code: 'first' });
  server.settle({ ok: true });
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
});

test('a browser that has waited long enough is sent to the terminal', async (context) => {
  const { visit } = await started(context, { patienceMs: 1 });
  const response = await visit(`/callback?code=c&state=${state}`);
  assert.equal(response.status, 200);
  assert.match(await response.text(), /goes on in the terminal/);
});

test("the provider's error is delivered with its description", async (context) => {
  const { server, visit } = await started(context);
  const page = visit(`/callback?error=access_denied&error_description=No+thanks&state=${state}`);
  assert.deepEqual(await server.callback, { kind: 'denied', error: 'access_denied', description: 'No thanks' });
  server.settle({ ok: false, reason: 'the request was denied.' });
  assert.match(await (await page).text(), /the request was denied/);
});

test('nothing of a request is repeated in a page, and pages are not kept or framed', async (context) => {
  const { server, visit } = await started(context);
  const script = '%3Cscript%3Ealert(1)%3C/script%3E';
  const pages = [
    await visit(`/callback?error=${script}&state=wrong`),
    await visit(`/${script}`),
    await visit(`/callback?code=${script}&state=${script}`),
  ];
  const denied = visit(`/callback?error=${script}&error_description=${script}&state=${state}`);
  await server.callback;
  server.settle({ ok: false, reason: 'the provider reported an error.' });
  for (const response of [...pages, await denied]) {
    assert.doesNotMatch(await response.text(), /alert\(1\)/);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  }
});

test('a request target that is no path is refused', async (context) => {
  const { server } = await started(context);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write('GET http://evil.test/callback HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
  assert.match(answer, /^HTTP\/1\.1 404/);
});

test('a taken port is reported with its number and reason', async (context) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  context.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(startCallbackServer({ name: 'Claude', port, path: '/callback', state }), (error) => {
    assert.ok(error instanceof PortError);
    assert.equal(error.message, `port ${port} is already in use (EADDRINUSE)`);
    return true;
  });
});

test('a port that another program holds on ::1 counts as taken', async (context) => {
  const other = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    other.once('error', () => resolve(false));
    other.listen({ port: 0, host: '::1', ipv6Only: true }, () => resolve(true));
  });
  if (!listening) return context.skip('no IPv6 here');
  context.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(startCallbackServer({ name: 'Claude', port, path: '/callback', state }), PortError);
});

test('only loopback reaches the listener, unless a host was named', {
  skip: process.platform === 'linux' ? false : 'other systems have one loopback address',
}, async (context) => {
  const { server } = await started(context);
  await assert.rejects(fetch(`http://127.0.0.2:${server.port}/callback`));
  const { server: open } = await started(context, { host: '0.0.0.0' });
  assert.equal((await fetch(`http://127.0.0.2:${open.port}/callback`)).status, 400);
});

test('after closing, nobody listens', async (context) => {
  const { server, visit } = await started(context);
  await server.close();
  await assert.rejects(visit('/callback'));
});
