// What upstreams do wrong: every client sees an error in its own words, or an answer, never a forged end of half an answer.
import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { chatStream, dialects, type Envelope, type Lab, openLab } from './lab.ts';

let lab: Lab;
before(async () => {
  lab = await openLab();
});
after(() => lab.close());

const body = (status: number, text: string | Buffer, headers: Record<string, string> = {}): RequestListener => {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(text);
  };
};
const bytes = (text: string): RequestListener => {
  return (request) => void request.socket.end(Buffer.from(text, 'latin1'));
};
const events = (end: (response: Parameters<RequestListener>[1]) => void): RequestListener => {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatStream.head + chatStream.text(), () => end(response));
  };
};
const whole =
  '{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}';

const early: Record<string, RequestListener> = {
  'closes the connection': (request) => void request.socket.destroy(),
  'resets the connection': (request) => void request.socket.resetAndDestroy(),
  'stops within its headers': bytes('HTTP/1.1 200 OK\r\nContent-Ty'),
  'speaks another protocol': bytes('SSH-2.0-OpenSSH_9.2\r\n'),
  'sends garbage': bytes('\x00\x01\x02\xff'.repeat(300)),
  'announces two lengths': bytes(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n${whole}`),
  'sends less than announced': bytes(
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n${whole}`,
  ),
  'sends a head of 2 MB': bytes(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(2_000_000)}\r\n\r\n`),
  'sends broken gzip': body(200, Buffer.alloc(64, 0xaa), { 'content-encoding': 'gzip' }),
  'uses an unknown encoding': body(200, whole, { 'content-encoding': 'x-unknown' }),
  'sends a gzip bomb': body(200, gzipSync(`{"x":"${'a'.repeat(48 * 1024 * 1024)}"}`), { 'content-encoding': 'gzip' }),
  'sends a web page': body(200, '<!doctype html><title>Just a moment...</title>', { 'content-type': 'text/html' }),
  'sends a web page as 503': body(503, '<html><title>Down</title></html>', { 'content-type': 'text/html' }),
  'sends nothing': body(200, ''),
  'sends null': body(200, 'null'),
  'sends a list': body(200, '[]'),
  'sends an empty object': body(200, '{}'),
  'sends half an object': body(200, whole.slice(0, 60)),
  'sends nested lists': body(200, `{"choices":${'['.repeat(20_000)}${']'.repeat(20_000)}}`),
  'sends an error as 200': body(200, '{"error":{"message":"busy","type":"busy","code":449}}'),
  'sends 204': body(204, ''),
};

describe('an upstream that', () => {
  for (const [what, listener] of Object.entries(early)) {
    test(`${what} is an error of its own for every protocol, streaming or not`, async () => {
      lab.answerWith(listener);
      for (const name of ['chat', 'responses', 'messages'] as const) {
        for (const stream of [false, true]) {
          const response = await lab.post(dialects[name].route, dialects[name].body('chat', stream));
          const text = await response.text();
          assert.ok(response.status >= 400, `${name} ${stream}: ${response.status} ${text.slice(0, 200)}`);
          assert.ok(dialects[name].isError(JSON.parse(text) as Envelope, response.status), text.slice(0, 200));
          assert.doesNotMatch(text, /127\.0\.0\.1|up-chat-key|node_modules|\n\s+at /);
        }
      }
    });
  }

  const late: Record<string, RequestListener> = {
    'resets its stream': events((response) => response.socket?.resetAndDestroy()),
    'closes its stream': events((response) => response.socket?.destroy()),
    'ends its stream without an end': events((response) => response.end()),
    'tells an error in its stream': events((response) =>
      response.end('data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'),
    ),
    'breaks an event': events((response) => response.end('data: {"choices":[{"del')),
    'sends an event that is no JSON': events((response) => response.end('data: {broken\n\n')),
  };
  for (const [what, listener] of Object.entries(late)) {
    test(`${what} is an error in the stream of every protocol, never its end`, async () => {
      lab.answerWith(listener);
      for (const name of ['chat', 'responses', 'messages'] as const) {
        const response = await lab.post(dialects[name].route, dialects[name].body('chat', true));
        const text = await response.text();
        assert.ok(!text.includes(dialects[name].end), `${name}: ${text.slice(-200)}`);
        assert.match(text, /"error"\s*:|response\.failed/, name);
      }
    });
  }

  test('redirects is not followed, and no key goes to where it points', async () => {
    let visits = 0;
    const elsewhere = createServer((_, response) => {
      visits++;
      response.end();
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const { port } = elsewhere.address() as { port: number };
    try {
      for (const status of [301, 302, 303, 307, 308]) {
        lab.answerWith(body(status, '', { location: `http://127.0.0.1:${port}/stolen` }));
        for (const [name, model] of [
          ['chat', 'chat'],
          ['messages', 'claude'],
          ['gemini', 'gemini'],
          ['responses', 'codex'],
        ] as const) {
          const response = await lab.post(dialects[name].route, dialects[name].body(model));
          assert.equal(response.status, 502);
          assert.equal(response.headers.get('location'), null);
        }
      }
      assert.equal(visits, 0);
    } finally {
      elsewhere.close();
    }
  });

  test('never ends a line is given up after 50 MiB, in time that grows with the length only', async () => {
    lab.answerWith((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatStream.head + chatStream.text());
      const piece = Buffer.alloc(64 * 1024, 'a');
      response.write('data: ');
      const more = (): void => {
        while (!response.destroyed) if (!response.write(piece)) return;
      };
      response.on('drain', more);
      more();
    });
    for (const name of ['chat', 'messages'] as const) {
      const response = await lab.post(dialects[name].route, dialects[name].body('chat', true));
      const text = await response.text();
      assert.ok(!text.includes(dialects[name].end));
      assert.match(text, /"error"\s*:/);
    }
  });

  test('sends cookies and headers about itself: none of them reaches the client', async () => {
    lab.answerWith(
      body(200, whole, {
        'set-cookie': 'up=1',
        'www-authenticate': 'Basic realm=x',
        'strict-transport-security': 'max-age=1',
        'access-control-allow-origin': '*',
        'x-upstream-secret': 's',
      }),
    );
    const response = await lab.post(dialects.chat.route, dialects.chat.body('chat'));
    assert.equal(response.status, 200);
    const names = [...response.headers.keys()];
    for (const name of [
      'set-cookie',
      'www-authenticate',
      'strict-transport-security',
      'access-control-allow-origin',
      'x-upstream-secret',
    ]) {
      assert.ok(!names.includes(name), name);
    }
  });
});
