// What every client is told besides its answer: when to come back, what went wrong, which models are there. For each
// client protocol.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dialects, type Envelope, type Lab, openLab } from './lab.ts';

let lab: Lab;
before(async () => {
  lab = await openLab();
});
after(() => lab.close());

const upstreamOf = { chat: 'chat', responses: 'codex', messages: 'claude', gemini: 'gemini' } as const;
type ClientName = keyof typeof upstreamOf;
const clients = Object.keys(upstreamOf) as ClientName[];

function ask(client: ClientName, model: string, stream = false): Promise<Response> {
  const route =
    client === 'gemini'
      ? `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`
      : dialects[client].route;
  return lab.post(route, client === 'gemini' ? dialects.gemini.body() : dialects[client].body(model, stream));
}

test('the wait that an upstream names reaches the client in whole seconds, rounded up', async () => {
  for (const [headers, seconds] of [
    [{ 'retry-after-ms': '1500' }, '2'],
    [{ 'retry-after': '7' }, '7'],
    [{ 'x-ratelimit-reset': '90.2s' }, '91'],
  ] as const) {
    lab.answerWith((_, response) => {
      response.writeHead(429, { 'content-type': 'application/json', ...headers });
      response.end('{"error":{"message":"slow down"}}');
    });
    for (const client of clients) {
      for (const stream of [false, true]) {
        const response = await ask(client, upstreamOf[client], stream);
        assert.equal(response.status, 429, client);
        assert.equal(response.headers.get('retry-after'), seconds, `${client} ${JSON.stringify(headers)}`);
        await response.arrayBuffer();
      }
    }
  }
});

test('an error is JSON and says so, whoever made it', async () => {
  lab.answerWith((_, response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end('<html><head><title>Bad Gateway</title></head><body><h1>proxy-7.internal.example</h1></body></html>');
  });
  for (const client of clients) {
    for (const [model, status] of [
      [upstreamOf[client], 502],
      ['nobody-has-it', 404],
    ] as const) {
      for (const stream of [false, true]) {
        const response = await ask(client, model, stream);
        const text = await response.text();
        assert.equal(response.status, status, `${client}: ${text}`);
        assert.match(response.headers.get('content-type') ?? '', /^application\/json/, client);
        assert.ok(dialects[client].isError(JSON.parse(text) as Envelope, status), `${client}: ${text}`);
        assert.doesNotMatch(text, /internal\.example|<html/);
      }
    }
  }
  const stranger = await fetch(`${lab.url}/v1/models`);
  assert.equal(stranger.status, 401);
  assert.match(stranger.headers.get('content-type') ?? '', /^application\/json/);
});

test('models are listed in the same order each time', async () => {
  const list = async () => (await lab.post('/v1/models', undefined, { method: 'GET' })).text();
  const first = await list();
  for (let n = 0; n < 5; n++) assert.equal(await list(), first);
});
