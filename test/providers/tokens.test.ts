// The local token estimate against the real encodings.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encode as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import { countText, encodingOf, estimateTokens } from '../../src/providers/tokens.ts';

const code = readFileSync(new URL('../../src/providers/failures.ts', import.meta.url), 'utf8');
const models: unknown = JSON.parse(readFileSync(new URL('../../src/providers/models.json', import.meta.url), 'utf8'));
const json = JSON.stringify(models).slice(0, 9000);
const indented = JSON.stringify(models, null, 2).slice(0, 9000);
const prose =
  'The committee met on Tuesday to discuss the new library. Several members thought that the plans were too expensive, ' +
  'but most agreed that the old building, with its leaking roof and narrow corridors, could not be kept any longer. ' +
  'After three hours they voted to continue, and asked the architect for a smaller design before the end of the year.';
const chinese =
  '人工智能是计算机科学的一个分支，它企图了解智能的实质，并生产出一种新的能以人类智能相似的方式做出反应的智能机器。';

for (const [name, text] of Object.entries({ code, json, indented, prose, chinese })) {
  test(`the estimate of ${name} is within ten percent`, () => {
    for (const [encoding, encode] of [
      ['o200k', o200k],
      ['cl100k', cl100k],
    ] as const) {
      const real = encode(text).length;
      const ratio = countText(text, encoding) / real;
      assert.ok(ratio > 0.9 && ratio < 1.1, `${encoding}: ${ratio.toFixed(3)} of ${real}`);
    }
  });
}

test('the vocabulary follows the model name', () => {
  assert.deepEqual(['gpt-5.1', 'o3-mini', 'gpt-4o', 'gpt-4-turbo', 'gpt-3.5', 'glm-4.6', ''].map(encodingOf), [
    'o200k',
    'o200k',
    'o200k',
    'cl100k',
    'cl100k',
    'o200k',
    'cl100k',
  ]);
});

test('tools and calls count, image data does not', () => {
  const plain = { messages: [{ role: 'user', content: 'Hello' }] };
  const base = estimateTokens('m', plain);
  const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(50_000)}` } };
  const text = { type: 'text', text: 'Hello' };
  assert.equal(estimateTokens('m', { messages: [{ role: 'user', content: [text, picture] }] }), base);
  const tools = [{ type: 'function', function: { name: 'lookup', description: 'Finds things', parameters: {} } }];
  assert.ok(estimateTokens('m', { ...plain, tools }) > base);
});
