// HTTP framing: what leaves open where a message ends or whom it asks is refused, and nothing after it is read as another
// request (RFC 9112 §2.2, §3.2, §5.2, §6.1, §6.3, §7.1).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clientKey, dialects, type Lab, openLab } from './lab.ts';

let lab: Lab;
before(async () => {
  lab = await openLab();
});
after(() => lab.close());

const smuggled = JSON.stringify(dialects.chat.body('chat'));
const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${clientKey}\r\nContent-Type: application/json\r\n`;
const second = `${head}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`;
const chunked = 'Transfer-Encoding: chunked\r\n';

const faulty: Record<string, string> = {
  'length and chunks together': `${head}Content-Length: 4\r\n${chunked}\r\n0\r\n\r\n`,
  'two different lengths': `${head}Content-Length: 0\r\nContent-Length: ${second.length}\r\n\r\n`,
  'a list of lengths': `${head}Content-Length: 5, 6\r\n\r\n`,
  'a length with a sign': `${head}Content-Length: +5\r\n\r\n`,
  'a length too large for any number': `${head}Content-Length: 99999999999999999999\r\n\r\n`,
  'chunks that are not last': `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'chunks announced twice': `${head}${chunked}${chunked}\r\n0\r\n\r\n`,
  'an unknown coding': `${head}Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n`,
  'a space before the colon': `${head}Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n`,
  'a folded header': `${head}Transfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n\r\n`,
  'chunks in HTTP/1.0': `${head.replace('HTTP/1.1', 'HTTP/1.0')}${chunked}Connection: keep-alive\r\n\r\n0\r\n\r\n`,
  'a chunk size that is no hexadecimal number': `${head}${chunked}\r\n0x5\r\nhello\r\n0\r\n\r\n`,
  'a chunk size beyond any number': `${head}${chunked}\r\nFFFFFFFFFFFFFFFFF\r\nhello`,
  'a bare line feed after a chunk extension': `${head}${chunked}\r\n2;\nxx\r\n0\r\n\r\n`,
  'a bare carriage return in a header': `${head}X-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n`,
  'a NUL in a header': `${head}X-A: a\0b\r\nContent-Length: 0\r\n\r\n`,
  'no Host': second.replace('Host: x\r\n', ''),
  'two Hosts': second.replace('Host: x\r\n', 'Host: x\r\nhOST: y\r\n'),
  'a Host that is no host': second.replace('Host: x', 'Host: a b/c@d'),
  'a target that is no path': 'GET * HTTP/1.1\r\nHost: x\r\n\r\n',
  'a method with a space': second.replace('POST', 'PO ST'),
  'another version': second.replace('HTTP/1.1', 'HTTP/9.9'),
  'no HTTP at all': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
};

for (const [what, bytes] of Object.entries(faulty)) {
  test(`${what}: refused, the connection closed, what follows not run`, async () => {
    const asked = lab.asked.length;
    const { statuses, closed } = await lab.raw(bytes + second);
    assert.ok(
      statuses.every((status) => status === 400 || status === 501 || status === 505),
      `answered ${statuses}`,
    );
    assert.ok(closed, 'the connection stays open');
    assert.equal(lab.asked.length, asked, 'a request went upstream');
  });
}

test('what follows a faulty message is not run on any route, management and unknown ones included', async () => {
  for (const route of ['/', '/v1/messages', '/v0/management/debug', '/nothing']) {
    const asked = lab.asked.length;
    const first = `POST ${route} HTTP/1.0\r\nHost: x\r\n${chunked}Connection: keep-alive\r\n\r\n0\r\n\r\n`;
    const { statuses, closed } = await lab.raw(first + second + second);
    assert.deepEqual([[...new Set(statuses)], closed, lab.asked.length], [[400], true, asked], route);
  }
});

test('two requests in one write are two requests', async () => {
  assert.deepEqual((await lab.raw(second + second)).statuses, [200, 200]);
});

test('a body in chunks of one byte, with extensions and trailers, is a body', async () => {
  const pieces = [...smuggled].map((character) => `1;a=b\r\n${character}\r\n`).join('');
  const { statuses } = await lab.raw(`${head}${chunked}\r\n${pieces}0\r\nX-Trailer: 1\r\nAuthorization: evil\r\n\r\n`);
  assert.deepEqual(statuses, [200]);
  assert.equal(lab.asked.at(-1)?.headers['x-trailer'], undefined);
});

test('a head over 64 KiB is a 431, one below is read', async () => {
  const get = (size: number) =>
    `GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${clientKey}\r\nX-Big: ${'a'.repeat(size)}\r\n\r\n`;
  assert.deepEqual((await lab.raw(get(60_000))).statuses, [200]);
  assert.deepEqual((await lab.raw(get(70_000))).statuses, [431]);
});
