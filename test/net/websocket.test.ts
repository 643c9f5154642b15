// WebSocket frames, our client against our server and against hand-made bytes.
import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { acceptKey, closeCode, type PeerOptions, WebSocketPeer } from '../../src/net/websocket.ts';

/** Two sockets joined back to back; what one writes arrives in pieces of `size` at the other. */
function pair(size = 65_536): [Duplex, Duplex] {
  const pipes = [new PassThrough(), new PassThrough()] as const;
  const end = (from: PassThrough, to: PassThrough) => {
    const duplex = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        for (let at = 0; at < chunk.length; at += size) to.write(chunk.subarray(at, at + size));
        done();
      },
      final(done) {
        to.end();
        done();
      },
    });
    from.on('data', (chunk: Buffer) => duplex.push(chunk));
    from.on('end', () => duplex.push(null));
    return duplex;
  };
  return [end(pipes[0], pipes[1]), end(pipes[1], pipes[0])];
}

function peer(socket: Duplex, role: 'client' | 'server', over: Partial<PeerOptions> = {}) {
  const texts: string[] = [];
  const closes: number[] = [];
  const end = new WebSocketPeer(socket, Buffer.alloc(0), {
    role,
    maxMessageBytes: 1_000_000,
    onText: (text) => texts.push(text),
    onClose: (code) => closes.push(code),
    ...over,
  });
  return { end, texts, closes };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('the accept key is the one of RFC 6455 §1.3', () => {
  assert.equal(acceptKey('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('messages of every length arrive whole, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.integer({ min: 120, max: 70_000 }).map((n) => 'é'.repeat(n / 2)),
        ),
        {
          maxLength: 4,
        },
      ),
      fc.integer({ min: 1, max: 5000 }),
      async (messages, size) => {
        const [a, b] = pair(size);
        const client = peer(a, 'client');
        const server = peer(b, 'server');
        for (const message of messages) client.end.send(message);
        for (const message of messages) server.end.send(message);
        for (let n = 0; n < 20; n++) await turn();
        assert.deepEqual(
          server.texts,
          messages.map((text) => text.toWellFormed()),
        );
        assert.deepEqual(
          client.texts,
          messages.map((text) => text.toWellFormed()),
        );
      },
    ),
    { numRuns: 25 },
  );
});

test('a goodbye is answered, and both ends learn its code once', async () => {
  const [a, b] = pair();
  const client = peer(a, 'client');
  const server = peer(b, 'server');
  client.end.close(closeCode.goingAway, 'bye');
  for (let n = 0; n < 5; n++) await turn();
  assert.deepEqual([client.closes, server.closes], [[1001], [1001]]);
  assert.equal(server.end.open, false);
});

function fed(bytes: number[], over: Partial<PeerOptions> = {}) {
  const [a, b] = pair();
  const client = peer(a, 'client', over);
  b.on('data', () => {});
  b.write(Buffer.from(bytes));
  return client;
}

const refusals: [string, number[], number, Partial<PeerOptions>?][] = [
  ['a masked frame from a server', [0x81, 0x80, 1, 2, 3, 4], 1002],
  ['reserved bits', [0xc1, 0], 1002],
  ['an unknown opcode', [0x83, 0], 1002],
  ['a binary message', [0x82, 1, 0], 1003],
  ['a fragmented ping', [0x09, 0], 1002],
  ['a continuation of nothing', [0x80, 0], 1002],
  ['text that is not UTF-8', [0x81, 1, 0xff], 1007],
  ['a message over the limit', [0x81, 0x7e, 0xff, 0xff], 1009, { maxMessageBytes: 10 }],
];
for (const [name, bytes, code, over] of refusals) {
  test(`${name} ends the connection with ${code}`, async () => {
    const client = fed(bytes, over);
    for (let n = 0; n < 5; n++) await turn();
    assert.deepEqual([client.closes, client.texts], [[code], []]);
  });
}

test('fragments with a ping between them are one message', async () => {
  const client = fed([0x01, 1, 0x61, 0x89, 0, 0x00, 1, 0x62, 0x80, 1, 0x63]);
  for (let n = 0; n < 5; n++) await turn();
  assert.deepEqual(client.texts, ['abc']);
});

test('a connection that just ends is closed with 1006', async () => {
  const [a, b] = pair();
  const client = peer(a, 'client');
  b.destroy();
  b.emit('close');
  a.push(null);
  for (let n = 0; n < 5; n++) await turn();
  assert.deepEqual(client.closes, [1006]);
});
