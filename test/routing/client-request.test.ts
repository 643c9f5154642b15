// A body is either scanned or, when it will be translated anyway, parsed at once: what is read is the same.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Failure } from '../../src/failure.ts';
import { protocols } from '../../src/protocols/index.ts';
import { ClientRequest } from '../../src/routing/client-request.ts';
import { ClientPresence } from '../../src/routing/presence.ts';

/** Short bodies are always scanned: these are long. */
const long = (text: string) => text + ' '.repeat(5_000);

const read = (text: string, parses: boolean) => {
  const asked: string[] = [];
  const client = new ClientRequest({
    id: '1',
    protocol: protocols.anthropic,
    operation: 'generate',
    bytes: Buffer.from(long(text)),
    headers: {},
    clientKey: '',
    endpoint: 'POST /v1/messages',
    presence: new ClientPresence(),
    parsesAnyway: (model) => {
      asked.push(model);
      return parses;
    },
  });
  return { asked, scanned: client.scan !== undefined, model: client.model, stream: client.stream, json: client.json() };
};

const refusal = (text: string, parses: boolean): string => {
  try {
    read(text, parses);
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof Failure);
    return `${error.status} ${error.message}`;
  }
};

describe('a body that will be translated', () => {
  test('is parsed without a scan, to the same model, flag and members', () => {
    const text = ' { "model" : "big", "stream":true, "messages":[{"role":"user","content":"é 😀"}]}';
    const parsed = read(text, true);
    const scanned = read(text, false);
    assert.deepEqual(parsed.asked, ['big']);
    assert.equal(parsed.scanned, false);
    assert.equal(scanned.scanned, true);
    assert.deepEqual({ ...parsed, scanned: 0 }, { ...scanned, scanned: 0 });
  });

  test('is scanned when its model does not come first: nobody knows yet', () => {
    const late = read('{"messages":[],"model":"big"}', true);
    assert.deepEqual(late.asked, []);
    assert.equal(late.scanned, true);
    assert.equal(late.model, 'big');
  });

  test('names the model that stands last, whatever the first guess was', () => {
    for (const parses of [true, false]) assert.equal(read('{"model":"a","x":1,"model":"b"}', parses).model, 'b');
  });

  for (const [what, rest] of [
    ['broken JSON', '"messages":['],
    ['deep nesting', `"x":${'['.repeat(300)}${']'.repeat(300)}}`],
    ['too many members', `${Array.from({ length: 1001 }, (_, n) => `"k${n}":1`).join()}}`],
    ['too long a list', `"x":[${'1,'.repeat(100_001)}1]}`],
    ['a control character', '"x":"\u0001"}'],
  ] as const) {
    test(`is refused for ${what} in the same words`, () => {
      const text = `{"model":"big",${rest}`;
      assert.match(refusal(text, true), /^400 /);
      assert.equal(refusal(text, true), refusal(text, false));
    });
  }
});
