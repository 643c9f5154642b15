import assert from 'node:assert/strict';
import net from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createDispatchers, type Dispatchers } from '../../src/net/dispatchers.ts';
import { httpProxy, origin, type StandIn, socksProxy } from './stand-ins.ts';

const open: { close(): Promise<unknown> }[] = [];
const using = async <T extends { close(): Promise<unknown> }>(thing: Promise<T> | T): Promise<T> => {
  const ready = await thing;
  open.unshift(ready);
  return ready;
};
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

const pools = (globalProxy?: string, env: NodeJS.ProcessEnv = {}, connectTimeoutMs = 1000): Promise<Dispatchers> =>
  using(createDispatchers({ globalProxy: () => globalProxy, env, connectTimeoutMs }));

async function get(dispatchers: Dispatchers, url: string, proxyUrl?: string, body?: string): Promise<string> {
  const target = new URL(url);
  const answer = await dispatchers
    .dispatcherFor(proxyUrl, target.origin)
    .request({ origin: target.origin, path: target.pathname, method: body === undefined ? 'GET' : 'POST', body });
  const text = await answer.body.text();
  // The next request comes in another turn of the event loop, as one of a client would.
  await nextTurn();
  return `${answer.statusCode} ${text}`;
}

describe('going through proxies', () => {
  it('asks an http proxy for http origins in absolute form, pooled', async () => {
    const site = await using(origin());
    const proxy = await using(httpProxy(() => site.port));
    const dispatchers = await pools(`http://127.0.0.1:${proxy.port}`);
    for (let n = 0; n < 50; n++) assert.equal(await get(dispatchers, 'http://api.test/a'), '200 ok');
    assert.equal(proxy.requests[0], 'GET http://api.test/a');
    assert.equal(proxy.connections, 1);
    assert.equal(site.connections, 1);
  });

  it('sends user and password to an http proxy, and only there', async () => {
    const seen: string[] = [];
    const site = await using(
      origin((request, response) => {
        seen.push(JSON.stringify(request.headers));
        response.end('ok');
      }),
    );
    const proxy = await using(httpProxy(() => site.port));
    const dispatchers = await pools(`http://u%40x:p%3Aw@127.0.0.1:${proxy.port}`);
    await get(dispatchers, 'http://api.test/a');
    assert.deepEqual(proxy.authorization, [`Basic ${Buffer.from('u@x:p:w').toString('base64')}`]);
    assert.doesNotMatch(seen.join(), /authorization/i);
  });

  for (const scheme of ['socks5', 'socks5h']) {
    it(`reaches an origin by name through ${scheme}, 50 requests on 1 connection`, async () => {
      const site = await using(origin());
      const proxy = await using(socksProxy(() => site.port));
      const dispatchers = await pools(`${scheme}://127.0.0.1:${proxy.port}`);
      for (let n = 0; n < 50; n++) assert.equal(await get(dispatchers, 'http://api.test/a', '', 'x'), '200 ok');
      assert.deepEqual(proxy.requests, ['api.test:80']);
      assert.equal(proxy.connections, 1);
      assert.equal(site.connections, 1);
    });
  }

  it('logs in to a socks5 proxy and writes IPv4 and IPv6 targets as addresses', async () => {
    const site = await using(origin());
    const proxy = await using(socksProxy(() => site.port, 'me:secret'));
    const dispatchers = await pools(`socks5://me:secret@127.0.0.1:${proxy.port}`);
    await get(dispatchers, 'http://10.1.2.3:81/');
    await get(dispatchers, 'http://[fd00::1:2]:82/');
    assert.deepEqual(proxy.requests, ['0a010203:81', 'fd000000000000000000000000010002:82']);
  });

  it('takes the environment when nothing is configured, and not for NO_PROXY', async () => {
    const site = await using(origin());
    const proxy = await using(httpProxy(() => site.port));
    const dispatchers = await pools('', { HTTP_PROXY: `127.0.0.1:${proxy.port}`, NO_PROXY: 'direct.test' });
    assert.equal(await get(dispatchers, 'http://api.test/'), '200 ok');
    assert.equal(dispatchers.proxyFor(undefined, 'http://direct.test'), undefined);
    assert.equal(dispatchers.proxyFor(undefined, 'http://api.test'), `http://127.0.0.1:${proxy.port}`);
    assert.equal(dispatchers.proxyFor('direct', 'http://api.test'), undefined);
  });

  it('opens a CONNECT tunnel for https origins', async () => {
    const site = await using(origin());
    const proxy = await using(httpProxy(() => site.port));
    const dispatchers = await pools(`http://127.0.0.1:${proxy.port}`);
    // The stand-in origin speaks no TLS: the tunnel must be asked for, the request must fail.
    await assert.rejects(get(dispatchers, 'https://api.test/'));
    assert.deepEqual(proxy.requests, ['CONNECT api.test:443']);
  });
});

describe('a proxy that does not work is an error', () => {
  let site: StandIn;
  const bad: [string, () => Promise<string>][] = [
    ['a dead http proxy', async () => 'http://127.0.0.1:9'],
    ['a dead socks5 proxy', async () => 'socks5://127.0.0.1:9'],
    ['an http proxy that refuses', async () => `http://127.0.0.1:${(await using(httpProxy(() => 9, 403))).port}`],
    [
      'a socks5 proxy that refuses',
      async () => `socks5://127.0.0.1:${(await using(socksProxy(() => 9, undefined, 2))).port}`,
    ],
    ['a wrong socks5 password', async () => `socks5://a:b@127.0.0.1:${(await using(socksProxy(() => 9, 'a:c'))).port}`],
    ['a missing socks5 login', async () => `socks5://127.0.0.1:${(await using(socksProxy(() => 9, 'a:c'))).port}`],
    ['a malformed value', async () => 'http//127.0.0.1'],
    ['an unsupported scheme', async () => 'ftp://127.0.0.1:21'],
  ];
  for (const [name, value] of bad) {
    it(`${name}: no direct dial`, async () => {
      site = await using(origin());
      const dispatchers = await pools(await value());
      const outcome = await get(dispatchers, `http://127.0.0.1:${site.port}/`).catch((error: Error) => error);
      assert.ok(outcome instanceof Error || outcome.startsWith('403'), String(outcome));
      assert.equal(site.connections, 0);
      assert.equal(site.requests.length, 0);
    });
  }
  it('a silent http proxy ends with the connect limit', async () => {
    const silent = net.createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    after(() => silent.close());
    const dispatchers = await pools(`http://127.0.0.1:${(silent.address() as net.AddressInfo).port}`, {}, 50);
    await assert.rejects(get(dispatchers, 'https://api.test/'), { code: 'UND_ERR_HEADERS_TIMEOUT' });
  });

  it('a silent socks5 proxy ends with the connect limit', async () => {
    const silent = net.createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    after(() => silent.close());
    const dispatchers = await pools(`socks5://127.0.0.1:${(silent.address() as net.AddressInfo).port}`, {}, 50);
    await assert.rejects(get(dispatchers, 'http://api.test/'), { code: 'ERR_PROXY_REFUSED' });
  });
});

describe('reusing sockets', () => {
  it('uses one connection for 50 sequential requests', async () => {
    const site = await using(origin());
    const dispatchers = await pools();
    for (let n = 0; n < 50; n++) await get(dispatchers, `http://127.0.0.1:${site.port}/`, undefined, 'x');
    assert.equal(site.connections, 1);
  });

  it('opens a new pool when the global proxy changes and closes the old one when it stays unused', async () => {
    const site = await using(origin());
    const proxy = await using(httpProxy(() => site.port));
    let value = 'direct';
    const dispatchers = await using(createDispatchers({ globalProxy: () => value, env: {} }));
    const url = `http://127.0.0.1:${site.port}`;
    await get(dispatchers, url);
    const before = dispatchers.dispatcherFor(undefined, url);
    assert.equal(dispatchers.dispatcherFor('', url), before);
    value = `http://127.0.0.1:${proxy.port}`;
    await get(dispatchers, url);
    assert.equal(proxy.requests.length, 1);
    dispatchers.closeUnused();
    await get(dispatchers, url);
    dispatchers.closeUnused();
    await assert.rejects(before.request({ origin: url, path: '/', method: 'GET' }), /closed|destroyed/i);
    assert.equal(await get(dispatchers, url), '200 ok');
  });

  /** Answers the first request of a connection; kills the connection at its second one, without a byte. */
  const dropsSecond = (how: (socket: net.Socket) => void) => {
    const counts = new WeakMap<net.Socket, number>();
    return origin((request, response) => {
      const count = (counts.get(request.socket) ?? 0) + 1;
      counts.set(request.socket, count);
      if (count === 1) response.end('ok');
      else how(request.socket);
    });
  };
  for (const [name, how] of [
    ['closes', (socket: net.Socket) => socket.end()],
    ['resets', (socket: net.Socket) => socket.resetAndDestroy()],
  ] as const) {
    it(`sends once more on a fresh socket when the upstream ${name} a reused one`, async () => {
      const site = await using(dropsSecond(how));
      const dispatchers = await pools();
      const url = `http://127.0.0.1:${site.port}/`;
      assert.equal(await get(dispatchers, url, undefined, 'a'), '200 ok');
      assert.equal(await get(dispatchers, url, undefined, 'b'), '200 ok');
      assert.equal(site.requests.length, 3);
      assert.equal(site.connections, 2);
    });
  }

  it('never sends again when a fresh socket dies', async () => {
    const site = await using(origin((request) => request.socket.destroy()));
    const dispatchers = await pools();
    await assert.rejects(get(dispatchers, `http://127.0.0.1:${site.port}/`, undefined, 'a'));
    assert.equal(site.requests.length, 1);
  });

  it('never sends a third time', async () => {
    let served = 0;
    const site = await using(
      origin((request, response) => {
        served += 1;
        if (served === 1) response.end('ok');
        else request.socket.destroy();
      }),
    );
    const dispatchers = await pools();
    const url = `http://127.0.0.1:${site.port}/`;
    await get(dispatchers, url);
    await assert.rejects(get(dispatchers, url));
    assert.equal(site.requests.length, 3);
  });

  it('never sends again after the first byte', async () => {
    let served = 0;
    const site = await using(
      origin((request, response) => {
        served += 1;
        if (served === 1) response.end('ok');
        else response.writeHead(200).write('part', () => request.socket.destroy());
      }),
    );
    const dispatchers = await pools();
    const url = `http://127.0.0.1:${site.port}/`;
    await get(dispatchers, url);
    await assert.rejects(get(dispatchers, url));
    assert.equal(site.requests.length, 2);
  });
});
