// Every recorded vector through the real server: one test per pair of client and upstream protocol.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { disputed } from './disputed.ts';
import { loadPairs } from './format.ts';
import { startRunner } from './run.ts';

const runner = await startRunner();
after(() => runner.close());

for (const { name, vectors } of loadPairs()) {
  test(`${name}: all ${vectors.length} vectors hold`, async (t) => {
    const failing: string[] = [];
    for (const vector of vectors) {
      if (disputed[vector.id]) continue;
      const differences = await runner.run(vector);
      if (differences.length > 0) failing.push(`${vector.id}: ${differences[0]}`);
    }
    t.diagnostic(`${name}: ${vectors.length - failing.length} of ${vectors.length}`);
    assert.deepEqual(failing, []);
  });
}
