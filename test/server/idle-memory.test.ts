import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idleMemory } from '../../src/server/idle-memory.ts';

function watched() {
  const state = { served: 0, running: 0, rss: 100, collected: 0 };
  const memory = idleMemory({
    load: () => state,
    rss: () => state.rss,
    collect: () => {
      state.collected++;
      state.rss = 105;
    },
  });
  memory.stop();
  return { state, look: memory.look };
}

test('memory of a burst is given back once, after an interval without a request', () => {
  const { state, look } = watched();
  look();
  assert.equal(state.collected, 0);
  state.served = 5000;
  state.rss = 300;
  look();
  assert.equal(state.collected, 0, 'in the interval of the burst');
  for (let n = 0; n < 3; n++) look();
  assert.equal(state.collected, 1);
});

test('nothing is collected while a request is under way, or for little growth', () => {
  const { state, look } = watched();
  Object.assign(state, { served: 1, running: 1, rss: 300 });
  for (let n = 0; n < 3; n++) look();
  assert.equal(state.collected, 0);
  Object.assign(state, { running: 0, rss: 108 });
  for (let n = 0; n < 3; n++) look();
  assert.equal(state.collected, 0);
});
