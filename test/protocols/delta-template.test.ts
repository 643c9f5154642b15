import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DeltaTemplate } from '../../src/protocols/delta-template.ts';

const chunk = (content: string, rest: object = {}): string =>
  JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content }, finish_reason: null }], ...rest });

const learnt = (): DeltaTemplate => {
  const template = new DeltaTemplate('content');
  template.learn(chunk('first'), 'first');
  return template;
};

describe('DeltaTemplate', () => {
  it('knows nothing before it has learnt', () => {
    assert.equal(new DeltaTemplate('content').read(chunk('a')), undefined);
  });

  it('reads any text back exactly', () => {
    const template = learnt();
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        assert.equal(template.read(chunk(text)), text);
      }),
    );
  });

  it('leaves events that differ elsewhere to the parser', () => {
    const template = learnt();
    assert.equal(template.read(chunk('a', { usage: {} })), undefined);
    assert.equal(template.read(chunk('a').replace('null', '"stop"')), undefined);
    assert.equal(template.read(chunk('a').replace('"index":0', '"index":1')), undefined);
    assert.equal(template.read(''), undefined);
  });

  it('is not fooled by members that hide between its halves', () => {
    const two = '{"id":"x","choices":[{"index":0,"delta":{"content":"a","refusal":"b"},"finish_reason":null}]}';
    assert.equal(learnt().read(two), undefined);
  });

  it('learns nothing when the text cannot be told from another member', () => {
    const template = new DeltaTemplate('content');
    template.learn(chunk('x'), 'x');
    assert.equal(template.read(chunk('y')), undefined);
    template.learn('{"id":"only"}', 'only');
    assert.equal(template.read('{"id":"other"}'), undefined);
  });

  it('gives up on streams whose events never repeat', () => {
    const template = new DeltaTemplate('content');
    for (let i = 0; i < 8; i++) template.learn(chunk('a', { created: i }), 'a');
    template.learn(chunk('a', { created: 9 }), 'a');
    assert.equal(template.read(chunk('b', { created: 9 })), undefined);
  });
});
