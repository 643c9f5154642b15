import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idleMemory } from '../../src/server/idle-memory.ts';

function watched() {
  const state = {
    served: 0,
    running: 0,
    rss: 100,
    collected: 0,
    kinds: [] as string[],
    busy: 0,
    collect: () => {
      state.rss = 105;
    },
  };
  const memory = idleMemory({
    load: () => state,
    rss: () => state.rss,
    collect: (kind) => {
      state.collected++;
      state.kinds.push(kind);
      state.collect();
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

test('what any burst leaves behind goes later, in a few collections at most', () => {
  const { state, look } = watched();
  state.collect = () => {};
  Object.assign(state, { served: 1, rss: 130 });
  for (let n = 0; n < 4; n++) look();
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
