// Arbitrary answers as parts, for round trips.
import fc from 'fast-check';
import type { StreamPart } from '../../src/protocols/neutral.ts';

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const pieces = fc.array(text, { minLength: 1, maxLength: 4 });

const block = fc.oneof(
  fc.record({ kind: fc.constantFrom('text', 'reasoning', 'refusal'), pieces }),
  fc.record({ kind: fc.constant('tool'), pieces: fc.array(text, { maxLength: 3 }) }),
);

const usage = fc.record({ input: fc.nat(9999), output: fc.nat(9999), cacheRead: fc.nat(999), reasoning: fc.nat(999) });

/** Blocks one after another, optional usage, a normal end. Block kinds follow in any order. */
export function answers(): fc.Arbitrary<StreamPart[]> {
  return fc.tuple(fc.array(block, { maxLength: 5 }), fc.option(usage, { nil: undefined })).map(([blocks, counts]) => {
    const parts: StreamPart[] = [{ type: 'start', id: 'resp_a', model: 'm', created: 7 }];
    blocks.forEach(({ kind, pieces: texts }, index) => {
      if (kind === 'tool') {
        parts.push({ type: 'tool-start', index, id: `call_${index}`, name: `f${index}` });
        for (const piece of texts) parts.push({ type: 'tool-delta', index, text: piece });
        parts.push({ type: 'tool-end', index });
        return;
      }
      const type = kind as 'text' | 'reasoning' | 'refusal';
      parts.push({ type: `${type}-start`, index });
      for (const piece of texts) parts.push({ type: `${type}-delta`, index, text: piece });
      parts.push({ type: `${type}-end`, index });
    });
    if (counts) parts.push({ type: 'usage', usage: counts });
    parts.push({ type: 'finish', reason: blocks.some(({ kind }) => kind === 'tool') ? 'tool-calls' : 'stop' });
    return parts;
  });
}
