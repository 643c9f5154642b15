// What is kept so that compiled code outlives an idle hour: one small finished request of each kind, no more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Examples, finishedRequests, largestExampleBytes } from '../../src/routing/examples.ts';
import { completion, key, world } from './fixture.ts';

test('the latest of each kind since the last renewal is kept', () => {
  const examples = new Examples();
  const first = { n: 1 };
  examples.offer('json', first);
  examples.offer('json', { n: 2 });
  examples.offer('stream', { n: 3 });
  assert.equal(examples.kept.get('json'), first);
  assert.equal(examples.kept.size, 2);
  examples.renew();
  assert.equal(examples.kept.get('json'), first, 'until there is another');
  const later = { n: 4 };
  examples.offer('json', later);
  assert.equal(examples.kept.get('json'), later);
  assert.equal(examples.kept.size, 2);
});

test('what is large is never kept, be it the request or the answer', async () => {
  let text = 'short';
  const one = world({ credentials: [key('a')], answer: () => ({ body: completion(text) }) });
  const { kept } = finishedRequests;
  const ask = async (body: Record<string, unknown>) => assert.equal((await one.ask({ body })).failure, undefined);
  await ask({ user: 'x'.repeat(largestExampleBytes) });
  assert.equal(kept.size, 0);
  text = 'x'.repeat(largestExampleBytes);
  await ask({});
  assert.equal(kept.size, 0);
  text = 'short';
  await ask({});
  assert.equal(kept.size, 1);
});
