import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maxDepth, maxItems, maxMembers, memberValue, scanObject, splice } from '../../src/routing/scan.ts';

const scanText = (text: string) => scanObject(Buffer.from(text));

test('finds every top-level member of any object that JSON.stringify can write', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((name) => !/["\\\p{C}]/u.test(name)),
        fc.jsonValue(),
      ),
      fc.nat(2),
      (object, indent) => {
        const bytes = Buffer.from(JSON.stringify(object, null, indent));
        const scan = scanObject(bytes);
        assert.ok(typeof scan === 'object');
        assert.deepEqual(
          scan.members.map((found) => JSON.parse(bytes.toString('utf8', found.from, found.to))),
          Object.values(JSON.parse(bytes.toString())),
        );
      },
    ),
  );
});

test('never calls valid what JSON.parse refuses', () => {
  const base =
    '{"model":"m","stream":true,"messages":[{"role":"user","content":"a\\n\\u00e9\\"b"}],"t":1.5e3,"n":null}';
  fc.assert(
    fc.property(
      fc.nat(base.length - 1),
      fc.constantFrom('', '"', '{', '}', ',', ':', '\\', '\n', '\u0001', '0', 'x'),
      (at, text) => {
        const broken = base.slice(0, at) + text + base.slice(at + 1);
        const scan = scanText(broken);
        if (typeof scan !== 'object') return;
        assert.doesNotThrow(() => JSON.parse(broken), broken);
      },
    ),
    { numRuns: 2000 },
  );
});

for (const text of [
  '',
  ' ',
  '[]',
  '1',
  '{',
  '{"a":1,}',
  '{"a":01}',
  '{"a":tru}',
  '{"a":"\t"}',
  '{"a":1}x',
  '{"a" 1}',
  '{"a":1 "b":2}',
  '{"a":[1,]}',
  '{"a":"\\x"}',
  '{"a":1,"a":2}',
]) {
  test(`leaves ${JSON.stringify(text)} to the parser`, () => assert.equal(scanText(text), undefined));
}

test('refuses deep nesting by name', () => {
  const deep = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  assert.equal(scanText(deep(maxDepth)), 'deep');
  assert.notEqual(scanText(deep(maxDepth - 1)), 'deep');
});

test('refuses too many members and too long lists by name, in time that grows with the length only', () => {
  const members = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join()}}`;
  assert.equal(scanText(members(50_000)), 'members');
  assert.equal(typeof scanText(members(maxMembers)), 'object');
  const list = (count: number) => `{"messages":[${'1,'.repeat(count - 1)}1],"x":{"y":[1,1]}}`;
  assert.equal(scanText(list(maxItems + 1)), 'items');
  assert.equal(typeof scanText(list(maxItems)), 'object');
});

test('splices values and appends absent members without touching another byte', () => {
  const bytes = Buffer.from('{ "model" : "alias", "x":[1, 2], "stream":true }');
  const scan = scanObject(bytes);
  assert.ok(typeof scan === 'object');
  assert.equal(
    splice(bytes, scan, { model: '"real"' }, { stream: 'false', stream_options: '{"include_usage":true}' }).toString(),
    '{ "model" : "real", "x":[1, 2], "stream":true ,"stream_options":{"include_usage":true}}',
  );
  assert.equal(splice(bytes, scan, {}, { x: '1' }), bytes);
  assert.equal(memberValue(bytes, scan, 'model'), 'alias');
});

test('an empty object takes a first member without a comma', () => {
  const bytes = Buffer.from('{}');
  const scan = scanObject(bytes);
  assert.ok(typeof scan === 'object');
  assert.equal(splice(bytes, scan, {}, { a: '1', b: '2' }).toString(), '{"a":1,"b":2}');
});

test('long strings are read as exactly as short ones', () => {
  const special = fc.constantFrom('"', '\\\\', '\\n', '\\"', '\\u00e9', '\\x', '\u0001', '\n', 'é', '😀', '');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(40_000), special), { maxLength: 4 }), (pieces) => {
      const text = `{"model":"m","content":"${pieces.map(([length, mark]) => 'a'.repeat(length) + mark).join('')}","n":1}`;
      const scan = scanText(text);
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      if (!valid) assert.equal(scan, undefined);
      else {
        assert.ok(typeof scan === 'object');
        assert.deepEqual(
          scan.members.map(({ name, from, to }) => [name, JSON.parse(Buffer.from(text).toString('utf8', from, to))]),
          Object.entries(JSON.parse(text) as object),
        );
      }
    }),
  );
});

test('no stretch of a body is searched twice, however its escapes lie', () => {
  for (const run of [520, 700, 5_000]) {
    const bytes = Buffer.from(`{"model":"m","content":"${`${'a'.repeat(run)}\\n`.repeat(200)}","n":1}`);
    const search = bytes.indexOf.bind(bytes) as (byte: number, from: number) => number;
    let searched = 0;
    bytes.indexOf = ((byte: number, from: number) => {
      const found = search(byte, from);
      searched += (found < 0 ? bytes.length : found) - from;
      return found;
    }) as typeof bytes.indexOf;
    assert.equal(typeof scanObject(bytes), 'object');
    assert.ok(searched > 0, 'long runs are searched');
    assert.ok(searched <= 2 * bytes.length, `${searched} of ${bytes.length} bytes, once for each of two marks`);
  }
});
