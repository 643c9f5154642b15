// Slow, greedy and vanishing peers: what is held for them stays bounded, and whoever is behind them is told at once.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { createListener } from '../../src/server/listener.ts';
import { chatStream, clientKey, dialects, type Lab, openLab, until } from './lab.ts';

let lab: Lab;
before(async () => {
  lab = await openLab({ config: 'body-limit-mb: 2' });
});
after(() => lab.close());
afterEach(() => lab.answerWith(undefined));

const streaming = JSON.stringify(dialects.chat.body('chat', true));
const auth = `Host: x\r\nAuthorization: Bearer ${clientKey}\r\nContent-Type: application/json\r\n`;
const streamRequest = `POST /v1/chat/completions HTTP/1.1\r\n${auth}Content-Length: ${streaming.length}\r\n\r\n${streaming}`;

function open(bytes: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(lab.port, '127.0.0.1', () => {
      socket.write(bytes);
      resolve(socket);
    });
    socket.on('error', () => {});
  });
}

describe('a slow client', () => {
  test('that dribbles the head of its request is answered 408 and cut', async (t) => {
    const server = createListener(() => assert.fail('it was served'), {
      tls: undefined,
      warn() {},
      shouldUpgradeCallback: () => false,
      headTimeoutMs: 50,
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as { port: number };
    const text = await new Promise<string>((resolve) => {
      let got = '';
      const socket = connect(port, '127.0.0.1', () => socket.write('POST /v1/messages HTTP/1.1\r\nHo'));
      socket.on('data', (chunk) => {
        got += chunk;
      });
      socket.on('close', () => resolve(got));
    });
    assert.match(text, /^HTTP\/1\.1 408 /);
  });

  test('is cut within 40 s', () => {
    const { headersTimeout, connectionsCheckingInterval } = lab.app.server as unknown as Record<string, number>;
    assert.ok((headersTimeout ?? 0) > 0 && (headersTimeout ?? 0) + (connectionsCheckingInterval ?? 5_000) <= 40_000);
  });

  for (const [how, { route, body }] of [
    ['passed through', dialects.chat],
    ['translated', dialects.messages],
  ] as const) {
    test(`that does not read holds its upstream back: at most 1 MiB of a ${how} stream is kept for it`, async () => {
      const piece = chatStream.text(64 * 1024);
      let sent = 0;
      lab.answerWith((_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(chatStream.head);
        const more = (): void => {
          while (sent < 200 * 1024 * 1024 && !response.destroyed) {
            sent += piece.length;
            if (!response.write(piece)) return;
          }
        };
        response.on('drain', more);
        more();
      });
      const answered = new Promise<ServerResponse>((resolve) => {
        lab.app.server.once('request', (_, response) => resolve(response));
      });
      const text = JSON.stringify(body('chat', true));
      const socket = await open(`POST ${route} HTTP/1.1\r\n${auth}Content-Length: ${text.length}\r\n\r\n${text}`);
      socket.pause();
      const response = await answered;
      let most = 0;
      let before = -1;
      // Nothing moves any more: the buffers of both sockets and the server are full.
      await until(async () => {
        most = Math.max(most, response.writableLength);
        const stopped = sent > 0 && sent === before;
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return stopped && sent === before;
      }, 'the upstream is held back');
      assert.ok(sent < 24 * 1024 * 1024, `${sent} bytes were taken from the upstream`);
      assert.ok(most > 0 && most <= 1024 * 1024, `${most} bytes are held`);
      socket.destroy();
      await until(() => lab.upstreamSockets() === 0, 'the upstream was told that its reader left');
    });
  }
});

describe('a client that leaves', () => {
  test('in the middle of a stream ends the upstream stream, a hundred times over', async () => {
    lab.answerWith((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatStream.head + chatStream.text());
    });
    const sockets = await Promise.all(Array.from({ length: 100 }, () => open(streamRequest)));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve))));
    assert.equal(lab.upstreamSockets(), 100);
    for (const socket of sockets) socket.resetAndDestroy();
    await until(() => lab.upstreamSockets() === 0, 'every upstream stream is closed');
  });

  test('before any byte of the answer ends the upstream request', async () => {
    lab.answerWith(() => {});
    const asked = lab.asked.length;
    const socket = await open(streamRequest);
    await until(() => lab.asked.length > asked, 'the upstream is asked');
    socket.destroy();
    await until(() => lab.upstreamSockets() === 0, 'the upstream connection is closed');
  });

  test('before its body is complete leaves nothing behind', async () => {
    const over = lab.over.length;
    const asked = lab.asked.length;
    const socket = await open(`POST /v1/messages HTTP/1.1\r\n${auth}Content-Length: 9999\r\n\r\n{"model"`);
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await until(() => lab.over.length > over, 'the request is over');
    assert.equal(lab.asked.length, asked);
  });
});

describe('many connections', () => {
  test('opened and dropped with junk leave no socket, and the next client is served', async () => {
    const junk = [
      '',
      'GET / HT',
      '\x16\x03\x01junk',
      'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n',
    ];
    const sockets = await Promise.all(Array.from({ length: 300 }, (_, i) => open(junk[i % junk.length] as string)));
    for (const socket of sockets) socket.resetAndDestroy();
    await until(
      () => new Promise((resolve) => lab.app.server.getConnections((_, count) => resolve(count === 0))),
      'all connections are gone',
    );
    assert.equal((await lab.post(dialects.chat.route, dialects.chat.body('chat'))).status, 200);
  });
});

describe('a body over the limit', () => {
  test('is refused before it is read when its length says so, and cut when it does not', async () => {
    const announced = await lab.raw(`POST /v1/chat/completions HTTP/1.1\r\n${auth}Content-Length: 3000000\r\n\r\n{`);
    assert.deepEqual([announced.statuses, announced.closed], [[413], true]);
    const endless = `POST /v1/chat/completions HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n`;
    const piece = `10000\r\n${'a'.repeat(65_536)}\r\n`;
    const { statuses } = await lab.raw(endless + piece.repeat(40));
    assert.deepEqual(statuses, [413]);
  });

  test('without a key is a 401, whatever its size', async () => {
    const { statuses } = await lab.raw('POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n{');
    assert.deepEqual(statuses, [401]);
  });
});

test('upstream connections are used again: twenty requests one after the other need one', async () => {
  await lab.post(dialects.chat.route, dialects.chat.body('chat'));
  const dialled = lab.dialled();
  for (let n = 0; n < 20; n++) {
    for (const [name, model] of [
      ['chat', 'chat'],
      ['messages', 'claude'],
    ] as const) {
      assert.equal((await lab.post(dialects[name].route, dialects[name].body(model))).status, 200);
    }
  }
  assert.ok(lab.dialled() - dialled <= 1, `${lab.dialled() - dialled} new connections`);
});
