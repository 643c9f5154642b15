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
  assert.equal(examples.get('json'), first);
  assert.equal(examples.size, 2);
  examples.renew();
  assert.equal(examples.get('json'), first, 'until there is another');
  const later = { n: 4 };
  examples.offer('json', later);
  assert.equal(examples.get('json'), later);
  assert.equal(examples.size, 2);
});

test('requests with large bodies are never kept', async () => {
  const one = world({ credentials: [key('a')], answer: () => ({ body: completion() }) });
  finishedRequests.renew();
  const kept = () => finishedRequests.kinds().map((kind) => finishedRequests.get(kind));
  const before = kept();
  const large = await one.ask({ body: { user: 'x'.repeat(largestExampleBytes) } });
  assert.equal(large.failure, undefined);
  assert.deepEqual(kept(), before);
  const small = await one.ask();
  assert.equal(small.failure, undefined);
  assert.notDeepEqual(kept(), before);
});
