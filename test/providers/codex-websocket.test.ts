// Codex over WebSocket, against a real socket on loopback.
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, test } from 'node:test';
import { Agent, type Dispatcher } from 'undici';
import { acceptKey, WebSocketPeer } from '../../src/net/websocket.ts';
import { upstream } from '../../src/providers/codex/upstream.ts';
import { CodexSockets } from '../../src/providers/codex/websocket.ts';
import { callOf, credentialOf, sent } from './stand-ins.ts';

interface Script {
  /** Answers one message; `peer` may be closed or destroyed. */
  onMessage?(message: Record<string, unknown>, peer: WebSocketPeer, connection: number): void;
  /** A plain answer to the handshake. */
  refuse?: { status: number; body: string };
  /** Answer to a plain POST. */
  http?: string;
}

async function standIn(script: Script) {
  const handshakes: http.IncomingHttpHeaders[] = [];
  const messages: Record<string, unknown>[] = [];
  const posts: string[] = [];
  const server = http.createServer((request, response) => {
    request.on('data', (chunk: Buffer) => posts.push(chunk.toString()));
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(script.http ?? '');
    });
  });
  const upgraded: Duplex[] = [];
  server.on('upgrade', (request, socket) => {
    upgraded.push(socket);
    handshakes.push(request.headers);
    if (script.refuse) {
      const { status, body } = script.refuse;
      socket.end(
        `HTTP/1.1 ${status} No\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${acceptKey(request.headers['sec-websocket-key'] ?? '')}\r\n\r\n`,
    );
    const connection = handshakes.length;
    const peer = new WebSocketPeer(socket, Buffer.alloc(0), {
      role: 'server',
      maxMessageBytes: 1_000_000,
      onClose() {},
      onText(text) {
        const message = JSON.parse(text) as Record<string, unknown>;
        messages.push(message);
        script.onMessage?.(message, peer, connection);
      },
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent = new Agent();
  after(async () => {
    for (const socket of upgraded) socket.destroy();
    server.closeAllConnections();
    server.close();
    await agent.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, agent, handshakes, messages, posts };
}

interface Told {
  status: number;
  headers: Record<string, unknown>;
  body: string;
  error?: string;
}

function ask(
  dispatcher: Dispatcher,
  url: string,
  onStart?: (controller: Dispatcher.DispatchController) => void,
): Promise<Told> {
  const call = callOf({
    credential: credentialOf({ provider: 'codex', baseUrl: `${url}/codex`, websockets: true }),
    headers: { upgrade: 'websocket' },
    client: 'openai-responses',
    stream: true,
  });
  const request = sent(upstream, { model: 'm', input: 'hi' }, call);
  const { origin, pathname } = new URL(request.url);
  const told: Told = { status: 0, headers: {}, body: '' };
  return new Promise((resolve) => {
    dispatcher.dispatch(
      { origin, path: pathname, method: 'POST', headers: request.headers, body: request.body },
      {
        onRequestStart: (controller) => onStart?.(controller),
        onResponseStart(_, status, headers) {
          told.status = status;
          told.headers = headers;
        },
        onResponseData(_, chunk) {
          told.body += chunk.toString();
        },
        onResponseEnd: () => resolve(told),
        onResponseError: (_, error) => resolve({ ...told, error: error.message }),
      },
    );
  });
}

const completed = { type: 'response.completed', response: { id: 'r', output: [] } };

test('events of the socket come as an event stream, and the socket is used again', async () => {
  const world = await standIn({
    onMessage(_, peer) {
      peer.send(JSON.stringify({ type: 'response.created' }));
      peer.send(JSON.stringify({ ...completed, type: 'response.done' }));
    },
  });
  const dispatcher = new CodexSockets().compose(world.agent);
  const first = await ask(dispatcher, world.url);
  assert.equal(first.status, 200);
  assert.equal(first.headers['content-type'], 'text/event-stream');
  assert.equal(
    first.body,
    `event: response.created\ndata: {"type":"response.created"}\n\nevent: response.completed\ndata: ${JSON.stringify(completed)}\n\n`,
  );
  await ask(dispatcher, world.url);
  assert.equal(world.handshakes.length, 1);
  assert.equal(world.messages.length, 2);
  assert.deepEqual(
    [world.messages[0]?.type, world.messages[0]?.stream, world.messages[0]?.model],
    ['response.create', true, 'model-1'],
  );
  assert.equal(world.handshakes[0]?.authorization, 'Bearer key-of-upstream');
  assert.equal(world.handshakes[0]?.['openai-beta'], 'responses_websockets=2026-02-06');
  assert.match(world.handshakes[0]?.['user-agent'] ?? '', /^cliproxy\//);
});

test('an error frame before any event is an error answer with its status and headers', async () => {
  const world = await standIn({
    onMessage(_, peer) {
      peer.send(
        JSON.stringify({ type: 'error', status: 429, error: { message: 'slow' }, headers: { 'Retry-After': 7 } }),
      );
    },
  });
  const told = await ask(new CodexSockets().compose(world.agent), world.url);
  assert.deepEqual([told.status, told.headers['retry-after'], told.body], [429, '7', '{"error":{"message":"slow"}}']);
});

test('an upstream that wants no upgrade (426) is asked over HTTP', async () => {
  const world = await standIn({ refuse: { status: 426, body: '{}' }, http: 'data: over-http\n\n' });
  const told = await ask(new CodexSockets().compose(world.agent), world.url);
  assert.deepEqual([told.status, told.body], [200, 'data: over-http\n\n']);
  assert.match(world.posts.join(''), /"model":"model-1"/);
});

test('a refused handshake is its status and body, and the session goes on', async () => {
  const script: Script = { refuse: { status: 401, body: '{"error":{"message":"no"}}' } };
  const world = await standIn(script);
  const dispatcher = new CodexSockets().compose(world.agent);
  const told = await ask(dispatcher, world.url);
  assert.deepEqual([told.status, told.body], [401, '{"error":{"message":"no"}}']);
  script.refuse = undefined;
  script.onMessage = (_, peer) => peer.send(JSON.stringify(completed));
  assert.equal((await ask(dispatcher, world.url)).status, 200);
});

test('a reused socket that died is replaced once', async () => {
  const world = await standIn({
    onMessage(_, peer, connection) {
      if (connection === 1 && world.messages.length > 1) peer.destroy();
      else peer.send(JSON.stringify(completed));
    },
  });
  const dispatcher = new CodexSockets().compose(world.agent);
  await ask(dispatcher, world.url);
  assert.equal((await ask(dispatcher, world.url)).status, 200);
  assert.equal(world.handshakes.length, 2);
});

test('a socket that breaks in the middle of an answer is an error, not an end', async () => {
  const world = await standIn({
    onMessage(_, peer) {
      peer.send(JSON.stringify({ type: 'response.created' }));
      setImmediate(() => peer.destroy());
    },
  });
  const told = await ask(new CodexSockets().compose(world.agent), world.url);
  assert.match(told.error ?? '', /before its answer was complete/);
});

test('a socket closed as "too big" is a 413', async () => {
  const world = await standIn({ onMessage: (_, peer) => peer.close(1009) });
  assert.equal((await ask(new CodexSockets().compose(world.agent), world.url)).status, 413);
});

test('a client that leaves closes the socket', async () => {
  const world = await standIn({});
  let controller: Dispatcher.DispatchController | undefined;
  const told = ask(new CodexSockets().compose(world.agent), world.url, (started) => {
    controller = started;
  });
  while (world.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
  controller?.abort(new Error('gone'));
  assert.equal((await told).error, 'gone');
});

test('other requests do not notice', async () => {
  const world = await standIn({ http: 'data: plain\n\n' });
  const dispatcher = new CodexSockets().compose(world.agent);
  const body = await dispatcher.request({ origin: world.url, path: '/x', method: 'POST', body: '{}' });
  assert.equal(await body.body.text(), 'data: plain\n\n');
});
