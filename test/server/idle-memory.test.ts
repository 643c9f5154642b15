import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idleMemory } from '../../src/server/idle-memory.ts';

function watched() {
  const state = {
    served: 0,
    running: 0,
    /** MB. */
    rss: 100,
    collected: 0,
    kinds: [] as string[],
    returned: 0,
    busy: 0,
    collect: () => {
      state.rss = 105;
    },
  };
  const memory = idleMemory({
    load: () => state,
    rss: () => state.rss * 1024 * 1024,
    collect: (kind) => {
      state.collected++;
      state.kinds.push(kind);
      state.collect();
    },
    returnPages: () => {
      state.returned++;
    },
    busy: () => {
      state.busy++;
    },
  });
  memory.stop();
  return { state, look: memory.look };
}

test('what large bodies leave behind goes after one interval without a request', () => {
  const { state, look } = watched();
  for (let n = 0; n < 10; n++) look();
  assert.equal(state.collected, 0, 'before the first request');
  state.served = 5000;
  state.rss = 300;
  look();
  assert.equal(state.collected, 0, 'in the interval of the burst');
  look();
  assert.equal(state.collected, 1);
  for (let n = 0; n < 20; n++) look();
  assert.equal(state.collected, 1, 'nothing is left to give back');
  assert.deepEqual(state.kinds, ['full']);
  assert.equal(state.busy, 1);
});

test('the C heap gives its free pages back one look after a collection, unless somebody came', () => {
  const { state, look } = watched();
  state.collect = () => {};
  Object.assign(state, { served: 1, rss: 300 });
  look();
  look();
  assert.deepEqual([state.collected, state.returned], [1, 0], 'the collector is still freeing');
  look();
  look();
  assert.deepEqual([state.collected, state.returned], [1, 1], 'once');
  Object.assign(state, { served: 2, rss: 400 });
  look();
  look();
  assert.equal(state.collected, 2);
  state.served = 3;
  look();
  look();
  assert.equal(state.returned, 1);
});

test('what any burst leaves behind goes later, in a few collections at most', () => {
  const { state, look } = watched();
  state.collect = () => {};
  Object.assign(state, { served: 1, rss: 130 });
  for (let n = 0; n < 8; n++) look();
  assert.equal(state.collected, 0);
  for (let n = 0; n < 20; n++) look();
  assert.deepEqual(state.kinds, ['thorough', 'thorough', 'thorough']);
});

test('nothing is collected while a request is under way, or for little growth', () => {
  const { state, look } = watched();
  Object.assign(state, { served: 1, running: 1, rss: 300 });
  for (let n = 0; n < 9; n++) look();
  assert.equal(state.collected, 0);
  Object.assign(state, { running: 0, rss: 108 });
  for (let n = 0; n < 9; n++) look();
  assert.equal(state.collected, 0);
});

test('what one collection could not give back costs no other in the next pause', () => {
  const { state, look } = watched();
  state.collect = () => {};
  const burst = (rss: number): void => {
    Object.assign(state, { served: state.served + 1, rss });
    for (let n = 0; n < 3; n++) look();
  };
  burst(300);
  assert.equal(state.collected, 1);
  burst(320);
  assert.equal(state.collected, 1, 'little more than was left');
  burst(340);
  assert.equal(state.collected, 2, 'much more');
  burst(240);
  burst(280);
  assert.equal(state.collected, 3, 'much more than the least since');
});
