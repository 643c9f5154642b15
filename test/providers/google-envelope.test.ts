// Taking Google's envelope off, without parsing where that is possible.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unwrapEnvelope } from '../../src/providers/google-envelope.ts';

test('the inner JSON comes out byte for byte', () => {
  assert.equal(unwrapEnvelope('{"response":{"a":"}\\"{"},"traceId":"t"}'), '{"a":"}\\"{"}');
  assert.equal(unwrapEnvelope(' {\n "response" : {"a": [1, {"b": "\\\\"}]} }'), '{"a": [1, {"b": "\\\\"}]}');
});

test('an envelope in another order is opened too', () => {
  assert.equal(unwrapEnvelope('{"traceId":"t","response":{"a":1}}'), '{"a":1}');
});

test('errors, bare answers, counts and broken text stay as they are', () => {
  for (const text of ['{"error":{"code":429}}', '{"totalTokens":3}', '[{"error":{}}]', '{"response":{"a":', '']) {
    assert.equal(unwrapEnvelope(text), text);
  }
});

test('whatever is put into an envelope comes out again', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (inner, first) => {
      const envelope = first ? { response: inner, traceId: 'x' } : { traceId: 'x', response: inner };
      assert.deepEqual(JSON.parse(unwrapEnvelope(JSON.stringify(envelope))), JSON.parse(JSON.stringify(inner)));
    }),
    { numRuns: 300 },
  );
});
