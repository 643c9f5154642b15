import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import zlib from 'node:zlib';
import { createHttpClient, isHtml, summarize } from '../../src/net/client.ts';
import { createDispatchers } from '../../src/net/dispatchers.ts';
import { httpProxy, origin } from './stand-ins.ts';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

async function site(listener: Parameters<typeof origin>[0]) {
  const server = await origin(listener);
  open.unshift(server);
  return { server, url: `http://127.0.0.1:${server.port}/path/secret-path?key=secret-query` };
}

function client(globalProxy?: string) {
  const dispatchers = createDispatchers({ globalProxy: () => globalProxy, env: {}, connectTimeoutMs: 1000 });
  open.unshift(dispatchers);
  return createHttpClient({ dispatchers });
}

describe('the small HTTP client', () => {
  it('sends forms and JSON and says who it is', async () => {
    const seen: string[] = [];
    const { url } = await site((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        seen.push(`${request.method} ${request.headers['content-type']} ${body} ${request.headers['user-agent']}`);
        response.end('{"ok":true}');
      });
    });
    const http = client();
    assert.deepEqual((await http.request(url, { form: { a: 'b c', d: '+' } })).json, { ok: true });
    await http.request(url, { json: { a: 1 }, headers: { 'X-Own': '1' } });
    await http.request(url);
    assert.match(seen[0] as string, /^POST application\/x-www-form-urlencoded a=b\+c&d=%2B cliproxy\//);
    assert.match(seen[1] as string, /^POST application\/json \{"a":1\} cliproxy\//);
    assert.match(seen[2] as string, /^GET undefined {2}cliproxy\//);
  });

  it('resolves any status and follows no redirect', async () => {
    const { url, server } = await site((_request, response) => response.writeHead(302, { location: '/else' }).end());
    assert.equal((await client().request(url)).status, 302);
    assert.equal(server.requests.length, 1);
  });

  it('decodes answers and cuts them at 1 MiB', async () => {
    const { url } = await site((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(zlib.gzipSync(Buffer.alloc(50 << 20, 'a'))),
    );
    assert.equal((await client().request(url)).text.length, 1 << 20);
  });

  it('has no JSON for pages, arrays and broken text', async () => {
    for (const body of ['<html>', '[1]', '{', '""']) {
      const { url } = await site((_request, response) => response.end(body));
      assert.equal((await client().request(url)).json, undefined);
    }
  });

  const failures: [string, Parameters<typeof origin>[0], string][] = [
    ['a reset', (request) => request.socket.resetAndDestroy(), 'ECONNRESET'],
    ['a close', (request) => request.socket.end(), 'UND_ERR_SOCKET'],
    [
      'a truncated gzip body',
      (_request, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(zlib.gzipSync('hello world').subarray(0, -4)),
      'ERR_BAD_ENCODING',
    ],
    [
      'an unknown encoding',
      (_request, response) => response.writeHead(200, { 'content-encoding': 'rot13' }).end('uryyb'),
      'ERR_BAD_ENCODING',
    ],
    ['no answer in time', () => {}, 'ERR_TIMEOUT'],
    ['an endless answer', (_request, response) => void response.writeHead(200).write('x'), 'ERR_TIMEOUT'],
  ];
  for (const [name, listener, code] of failures) {
    it(`reports ${name} without URL path or query`, async () => {
      const { url } = await site(listener);
      await assert.rejects(client().request(url, { timeoutMs: 100 }), (error: Error & { code: string }) => {
        assert.equal(error.name, 'HttpError');
        assert.equal(error.code, code);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }

  it('waits 30 s for an answer unless told otherwise', async (context) => {
    const limits: number[] = [];
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    context.mock.method(AbortSignal, 'timeout', (ms: number) => {
      limits.push(ms);
      return timeout(ms);
    });
    const { url } = await site((_request, response) => response.end('{}'));
    await client().request(url);
    assert.deepEqual(limits, [30_000]);
  });

  it('names host, cause and proxy when nothing listens', async () => {
    await assert.rejects(client().request('http://127.0.0.1:9/'), {
      code: 'ECONNREFUSED',
      message: '127.0.0.1: connection refused',
    });
    await assert.rejects(client('http://u:secret@127.0.0.1:9').request('https://api.test/'), {
      code: 'ECONNREFUSED',
      message: 'api.test through the proxy http://127.0.0.1:9: connection refused',
    });
    const proxy = await httpProxy(() => 9, 407);
    open.unshift(proxy);
    await assert.rejects(client(`http://127.0.0.1:${proxy.port}`).request('https://api.test/'), {
      code: 'ERR_PROXY_REFUSED',
      message: /the proxy answered 407$/,
    });
  });

  it('ends at once when aborted, before and during the call', async () => {
    const { url, server } = await site(() => {});
    await assert.rejects(client().request(url, { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' });
    assert.equal(server.requests.length, 0);
    const controller = new AbortController();
    const call = client().request(url, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(call, { code: 'ERR_ABORTED' });
  });
});

describe('telling pages from answers', () => {
  it('recognises HTML by type or beginning and keeps only its title', () => {
    const page =
      '  <!DOCTYPE html><html><head><title>\n Just a moment... </title></head><body>token=secret</body></html>';
    assert.equal(isHtml({ headers: {}, text: page }), true);
    assert.equal(isHtml({ headers: { 'content-type': 'text/html; charset=utf-8' }, text: 'x' }), true);
    assert.equal(isHtml({ headers: {}, text: '{"a":"<html>"}' }), false);
    assert.equal(summarize({ headers: {}, text: page }), 'a web page titled "Just a moment..."');
    assert.equal(summarize({ headers: {}, text: '<html>' }), 'a web page instead of JSON');
    assert.equal(summarize({ headers: {}, text: 'x'.repeat(999) }).length, 300);
  });
});
