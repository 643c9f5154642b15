// Requests that nobody can serve: refused with a 4xx in the caller's own envelope, and nothing is sent upstream.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { dialects, type Envelope, type Lab, openLab } from './lab.ts';

let lab: Lab;
before(async () => {
  lab = await openLab({ config: 'body-limit-mb: 16' });
});
after(() => lab.close());

/** The route, and the model whose upstream speaks the same protocol: the way on which bodies pass undecoded. */
const routes = {
  chat: ['chat', 'claude'],
  responses: ['codex', 'chat'],
  messages: ['claude', 'chat'],
  gemini: ['gemini', 'gemini'],
} as const;

async function refused(dialect: keyof typeof dialects, body: unknown, init: RequestInit = {}, route?: string) {
  const asked = lab.asked.length;
  const { isError } = dialects[dialect];
  const response = await lab.post(route ?? dialects[dialect].route, body, init);
  const json = (await response.json()) as Envelope;
  const told = `${response.status} ${JSON.stringify(json).slice(0, 200)}`;
  assert.ok(response.status >= 400 && response.status < 500, told);
  assert.match(response.headers.get('content-type') ?? '', /json/);
  assert.ok(isError(json, response.status), told);
  assert.equal(lab.asked.length, asked, 'it went upstream');
  return { status: response.status, message: json.error?.message ?? '' };
}

for (const name of Object.keys(dialects) as (keyof typeof dialects)[]) {
  const { body } = dialects[name];
  describe(name, () => {
    for (const model of new Set(routes[name])) {
      const good = JSON.stringify(body(model));
      const broken: Record<string, string | Uint8Array> = {
        nothing: '',
        'half a body': good.slice(0, good.length / 2),
        'two bodies': good + good,
        'a trailing comma': `${good.slice(0, -1)},}`,
        'single quotes': good.replaceAll('"', "'"),
        'a leading zero': `${good.slice(0, -1)},"n":01}`,
        'a bad escape': good.replace('hi', '\\x'),
        'a raw control character': good.replace('hi', 'h\ni'),
        'an array': `[${good}]`,
        null: 'null',
        text: 'hello',
        'UTF-16': Uint8Array.from(Buffer.from(good, 'utf16le')),
        'bytes that are no UTF-8': Uint8Array.from(Buffer.from(good.replace('hi', 'h\u00ff'), 'latin1')),
      };
      for (const [what, bytes] of Object.entries(broken)) {
        test(`${what} for ${model} is a 400`, async () => {
          assert.equal((await refused(name, bytes)).status, 400);
        });
      }
    }

    test('nesting, members and lists beyond any use have messages of their own', async () => {
      const [model] = routes[name];
      const good = JSON.stringify(body(model));
      const member = (text: string) => `${good.slice(0, -1)},${text}}`;
      const deep = `"x":${'['.repeat(10_000)}${']'.repeat(10_000)}`;
      assert.match((await refused(name, member(deep))).message, /nested more than 256 levels/);
      const many = Array.from({ length: 1001 }, (_, i) => `"k${i}":1`).join();
      assert.match((await refused(name, member(many))).message, /more than 1000 members/);
      const long = `"x":[${'1,'.repeat(100_000)}1]`;
      assert.match((await refused(name, member(long))).message, /more than 100000 items/);
    });

    test('a body over the limit is a 413 that names the setting, announced or not', async () => {
      const large = `{"x":"${'a'.repeat(17 * 1024 * 1024)}"}`;
      const { status, message } = await refused(name, large);
      assert.equal(status, 413);
      assert.match(message, /body-limit-mb/);
    });

    test('encodings that are broken, unknown or bombs are refused', async () => {
      const good = JSON.stringify(body(routes[name][0]));
      const send = (encoding: string, bytes: Uint8Array) =>
        refused(name, bytes, { headers: { 'content-encoding': encoding } });
      assert.equal((await send('gzip', Buffer.from(good))).status, 400);
      assert.equal((await send('gzip', gzipSync(good).subarray(0, 40))).status, 400);
      assert.equal((await send('br', Buffer.alloc(40, 0xff))).status, 400);
      assert.equal((await send('x-rot13', Buffer.from(good))).status, 415);
      const bomb = gzipSync(`{"x":"${'a'.repeat(15 * 1024 * 1024)}"}`);
      const { status, message } = await send('gzip', bomb);
      assert.equal(status, 413);
      assert.match(message, /expands to more than 200 times its size/);
    });

    test('a good body is served under every content type and encoding', async () => {
      const { route } = dialects[name];
      const good = JSON.stringify(body(routes[name][0]));
      for (const type of ['text/plain', 'application/json; charset=utf-16', 'multipart/form-data']) {
        assert.equal((await lab.post(route, good, { headers: { 'content-type': type } })).status, 200, type);
      }
      const zipped = { gzip: gzipSync(good), br: brotliCompressSync(good), 'gzip, gzip': gzipSync(gzipSync(good)) };
      for (const [encoding, bytes] of Object.entries(zipped)) {
        const response = await lab.post(route, bytes, { headers: { 'content-encoding': encoding } });
        assert.equal(response.status, 200, encoding);
      }
    });
  });
}

describe('the model', () => {
  const hostile = [
    'no-such-model',
    '../../etc/passwd',
    'http://127.0.0.1:1/x',
    '//127.0.0.1/x',
    'chat@127.0.0.1',
    'chat;ls',
    '$(id)',
    '{{7*7}}',
    '<script>alert(1)</script>',
    '__proto__',
    'constructor',
    'toString',
    '*',
    '%00',
    '/',
    '..',
  ];
  for (const name of hostile) {
    test(`${JSON.stringify(name)} is an unknown one: 404 in a body, and in a URL`, async () => {
      for (const dialect of ['chat', 'responses', 'messages'] as const) {
        const { body } = dialects[dialect];
        assert.equal((await refused(dialect, body(name))).status, 404);
      }
      const url = `/v1beta/models/${encodeURIComponent(name)}:generateContent`;
      assert.ok([400, 404].includes((await refused('gemini', dialects.gemini.body(), {}, url)).status));
    });
  }
  for (const [what, value] of [
    ['absent', undefined],
    ['null', null],
    ['a number', 5],
    ['a list', ['chat']],
    ['empty', ''],
    ['blank', ' \t'],
    ['a lone surrogate', '\ud800'],
    ['a line break', 'chat\r\nX-Injected: 1'],
    ['100 kB', 'A'.repeat(100_000)],
  ] as const) {
    test(`${what} is a 400`, async () => {
      for (const dialect of ['chat', 'responses', 'messages'] as const) {
        const body = { ...dialects[dialect].body('chat'), model: value };
        assert.equal((await refused(dialect, body)).status, 400);
      }
    });
  }
});

describe('routes', () => {
  test('that do not exist are a 404 in the envelope of their neighbours', async () => {
    for (const [route, name] of [
      ['/v1/nothing', 'chat'],
      ['/v1/messages/nothing', 'messages'],
      ['/v1beta/nothing', 'gemini'],
    ] as const) {
      assert.equal((await refused(name, {}, {}, route)).status, 404);
    }
  });

  test('asked with another method are a 405 that says what is allowed', async () => {
    for (const name of ['chat', 'responses', 'messages', 'gemini'] as const) {
      for (const method of ['PUT', 'DELETE', 'PATCH']) {
        const response = await lab.post(dialects[name].route, {}, { method });
        const json = (await response.json()) as Envelope;
        assert.equal(response.status, 405, `${method} ${name}`);
        assert.match(response.headers.get('allow') ?? '', /POST/);
        assert.ok(dialects[name].isError(json, 405), JSON.stringify(json));
      }
    }
  });
});
