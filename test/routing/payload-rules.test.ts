// The user's rules for upstream bodies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Config } from '../../src/config/index.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { type PayloadContext, payloadRules } from '../../src/routing/payload-rules.ts';

const context: PayloadContext = { names: ['up', 'asked', 'asked(high)'], native: 'openai-chat', provider: 'iflow' };

function applied(payload: unknown, body: JsonObject, over: Partial<PayloadContext> = {}): JsonObject {
  return payloadRules({ payload } as unknown as Config).apply(body, { ...context, ...over });
}

const rule = (params: unknown, name = '*', protocol = '') => ({ models: [{ name, protocol }], params });

test('a default is set only where the client said nothing, and the first writer wins', () => {
  const payload = { default: [rule({ temperature: 1, top_p: 0.5 }), rule({ top_p: 0.9 })] };
  assert.deepEqual(applied(payload, { temperature: 0 }), { temperature: 0, top_p: 0.5 });
});

test('what the provider added does not count as said by the client', () => {
  const payload = { default: [rule({ effort: 'low' })] };
  assert.deepEqual(applied(payload, { effort: 'medium' }, { original: {} }), { effort: 'low' });
});

test('an override is set always, and the last writer wins', () => {
  const payload = { override: [rule({ n: 1 }), rule({ n: 2 })], 'override-raw': [rule({ r: '{"a":[1]}' })] };
  assert.deepEqual(applied(payload, { n: 9 }), { n: 2, r: { a: [1] } });
});

test('filter comes last and deletes', () => {
  const payload = { override: [rule({ a: { b: 1, c: 2 } })], filter: [rule(['a.b', 'list.0'])] };
  assert.deepEqual(applied(payload, { list: [1, 2] }), { a: { c: 2 }, list: [2] });
});

test('a raw rule that is not JSON is dropped whole', () => {
  const body = { x: 1 };
  assert.equal(applied({ 'override-raw': [rule({ ok: '1', bad: '{' })] }, body), body);
});

test('names are globs with case, against upstream name, asked name and asked name with suffix', () => {
  const set = (name: string) => applied({ override: [rule({ x: 1 }, name)] }, {}).x === 1;
  assert.deepEqual(['up', 'ask*', '*(high)', 'UP', 'u.'].map(set), [true, true, true, false, false]);
});

test('a protocol narrows a rule, in any case', () => {
  const set = (protocol: string, over: Partial<PayloadContext>) =>
    applied({ override: [rule({ x: 1 }, '*', protocol)] }, {}, over).x === 1;
  assert.ok(set('OpenAI', {}));
  assert.ok(!set('claude', {}));
  assert.ok(set('codex', { native: 'openai-responses', provider: 'codex' }));
  assert.ok(set('gemini', { native: 'gemini', provider: 'gemini-cli' }));
  assert.ok(!set('gemini', { native: 'gemini', provider: 'antigravity' }));
});

test('paths make what is missing, index and append arrays, and escape dots', () => {
  const payload = { override: [rule({ 'a.b.0.c': 1, 'list.-1': 3, 'list.0': 9, 'x\\.y': 2 })] };
  assert.deepEqual(applied(payload, { list: [1, 2] }), { list: [9, 2, 3], a: { b: [{ c: 1 }] }, 'x.y': 2 });
});

test('a path through a plain value, far behind an array or into a prototype is skipped', () => {
  const payload = { override: [rule({ 'text.inner': 1, 'list.99999': 1, '__proto__.polluted': 1 })] };
  assert.deepEqual(applied(payload, { text: 'x', list: [] }), { text: 'x', list: [] });
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test('without rules the body comes back as it is', () => {
  const body = {};
  const rules = payloadRules({} as Config);
  assert.ok(rules.empty);
  assert.equal(rules.apply(body, context), body);
});

test('the argument is never changed', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), fc.jsonValue(), (body, path, value) => {
      const before = JSON.stringify(body);
      applied({ override: [rule({ [path]: value })], filter: [rule([path])] }, body as JsonObject);
      assert.equal(JSON.stringify(body), before);
    }),
  );
});
