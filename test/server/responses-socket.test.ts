// `GET /v1/responses` as a WebSocket, through the whole server.
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, test } from 'node:test';
import { WebSocket } from 'undici';
import { acceptKey, WebSocketPeer } from '../../src/net/websocket.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { loadPairs, type Vector } from '../vectors/format.ts';
import { startMockUpstream } from '../vectors/mock-upstream.ts';
import { startSystem } from '../vectors/system.ts';

const mock = await startMockUpstream();
const system = await startSystem(mock.port);
after(async () => {
  await system.close();
  await mock.close();
});

const recorded = new Map(loadPairs().flatMap((pair) => pair.vectors.map((vector) => [vector.id, vector])));
function vectorOf(id: string): Vector {
  const vector = recorded.get(id);
  assert.ok(vector, id);
  return vector;
}

interface Client {
  /** Sends a request and gives the events of its answer. */
  ask(body: JsonObject): Promise<JsonObject[]>;
  close(): void;
}

const isLast = (event: JsonObject) =>
  ['response.completed', 'response.incomplete', 'response.failed', 'error'].includes(String(event.type));

async function connect(url: string, key = 'sk-client-test'): Promise<Client> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const events: JsonObject[] = [];
  let told: (events: JsonObject[]) => void = () => {};
  socket.addEventListener('message', (message) => {
    const event = JSON.parse(String(message.data)) as JsonObject;
    events.push(event);
    if (isLast(event)) told(events.splice(0));
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('refused')));
  });
  return {
    ask: (body) =>
      new Promise((resolve) => {
        told = resolve;
        socket.send(JSON.stringify({ type: 'response.create', ...body }));
      }),
    close: () => socket.close(),
  };
}

/** Id of the response that `events` end with. */
function idOf(events: readonly JsonObject[]): string {
  const response = events.at(-1)?.response as JsonObject | undefined;
  return String(response?.id);
}

const claude = 'claude-sonnet-4-5-20250929';
const text = vectorOf('responses__claude/rep/text.stream');

test('events come as frames, one after another, for any provider', async () => {
  const client = await connect(system.url);
  const seen = mock.play(text);
  const events = await client.ask({ model: claude, input: 'hi' });
  assert.equal(events[0]?.type, 'response.created');
  assert.equal(events.at(-1)?.type, 'response.completed');
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
  );
  assert.match(seen[0]?.path ?? '', /\/messages$/);
  client.close();
});

test('previous_response_id goes on with the whole conversation, whatever the upstream', async () => {
  const client = await connect(system.url);
  mock.play(text);
  const first = await client.ask({ model: claude, input: 'first question' });
  const seen = mock.play(text);
  await client.ask({
    model: claude,
    previous_response_id: idOf(first),
    input: [{ type: 'message', role: 'user', content: 'second' }],
  });
  const { messages } = JSON.parse(seen[0]?.body ?? '{}') as { messages: { role: string }[] };
  assert.deepEqual(
    messages.map((message) => message.role),
    ['user', 'assistant', 'user'],
  );
  assert.match(seen[0]?.body ?? '', /first question/);
  client.close();
});

test('an unknown previous response is an error frame, and the session goes on', async () => {
  const client = await connect(system.url);
  const seen = mock.play(text);
  const [error] = await client.ask({ model: claude, previous_response_id: 'resp_x', input: 'hi' });
  assert.deepEqual(
    [error?.type, error?.status, (error?.error as JsonObject | undefined)?.code],
    ['error', 400, 'previous_response_not_found'],
  );
  assert.equal(seen.length, 0);
  mock.play(text);
  assert.equal((await client.ask({ model: claude, input: 'hi' })).at(-1)?.type, 'response.completed');
  client.close();
});

test('an upstream refusal is an error frame with its status', async () => {
  const client = await connect(system.url);
  mock.play(vectorOf('responses__claude/err/429.stream'));
  const [error] = await client.ask({ model: claude, input: 'hi' });
  assert.deepEqual([error?.type, error?.status], ['error', 429]);
  client.close();
});

test('generate: false prepares a conversation without asking anybody', async () => {
  const client = await connect(system.url);
  const seen = mock.play(text);
  const events = await client.ask({ model: claude, input: 'context', generate: false });
  assert.deepEqual(
    events.map((event) => event.type),
    ['response.created', 'response.completed'],
  );
  assert.equal(seen.length, 0);
  await client.ask({ model: claude, previous_response_id: idOf(events), input: 'go' });
  assert.match(seen[0]?.body ?? '', /context.*go/s);
  client.close();
});

test('without a key there is no session', async () => {
  await assert.rejects(connect(system.url, 'wrong'));
});

test('a GET without an upgrade is no session, and other upgrades are ignored', async () => {
  const status = (path: string, headers: Record<string, string>) =>
    new Promise((resolve) => {
      http.get(`${system.url}${path}`, { headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
  const key = { authorization: 'Bearer sk-client-test' };
  assert.equal(await status('/v1/models', { ...key, upgrade: 'websocket', connection: 'upgrade' }), 200);
  assert.notEqual(await status('/v1/responses', key), 101);
});

test('a Codex credential with websockets is asked over a socket of its own', async () => {
  const received: JsonObject[] = [];
  const sockets: Duplex[] = [];
  const upstream = http.createServer((_, response) => response.writeHead(500).end());
  upstream.on('upgrade', (request, socket) => {
    sockets.push(socket);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${acceptKey(request.headers['sec-websocket-key'] ?? '')}\r\n\r\n`,
    );
    const peer = new WebSocketPeer(socket, Buffer.alloc(0), {
      role: 'server',
      maxMessageBytes: 1_000_000,
      onClose() {},
      onText(message) {
        received.push(JSON.parse(message) as JsonObject);
        const response = { id: `resp_${received.length}`, object: 'response', status: 'in_progress', output: [] };
        const item = {
          type: 'message',
          id: 'm1',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'ok' }],
        };
        peer.send(JSON.stringify({ type: 'response.created', sequence_number: 0, response }));
        peer.send(JSON.stringify({ type: 'response.output_item.done', sequence_number: 1, output_index: 0, item }));
        peer.send(
          JSON.stringify({
            type: 'response.completed',
            sequence_number: 2,
            response: { ...response, status: 'completed', output: [item] },
          }),
        );
      },
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const own = await startSystem(mock.port, {
    'codex-api-key': [{ 'api-key': 'k', 'base-url': base, websockets: true }],
  });
  try {
    const client = await connect(own.url);
    const first = await client.ask({ model: 'gpt-5.1', input: 'one' });
    assert.deepEqual(
      first.map((event) => event.type),
      ['response.created', 'response.output_item.done', 'response.completed'],
    );
    await client.ask({ model: 'gpt-5.1', input: 'two', previous_response_id: 'resp_1' });
    assert.equal(sockets.length, 1);
    assert.equal(received[0]?.type, 'response.create');
    assert.equal((received[1]?.input as unknown[] | undefined)?.length, 3);
    client.close();
  } finally {
    for (const socket of sockets) socket.destroy();
    upstream.close();
    await own.close();
  }
});
