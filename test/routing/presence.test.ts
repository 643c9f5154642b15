// Who listens for a client's leaving is told once, whatever it asked with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientPresence } from '../../src/routing/presence.ts';

test('listeners are told once, those that went are not', () => {
  const presence = new ClientPresence();
  const told: string[] = [];
  const first = () => told.push('first');
  const second = () => told.push('second');
  const third = () => told.push('third');
  for (const listener of [first, second, third]) presence.onLeave(listener);
  presence.off(first);
  presence.off(third);
  presence.off(third);
  assert.equal(presence.left, false);
  presence.leave();
  presence.leave();
  assert.deepEqual(told, ['second']);
  assert.equal(presence.left, true);
});

test('a signal tells the same, asked for before or after', () => {
  const presence = new ClientPresence();
  const early = presence.signal;
  assert.equal(early.aborted, false);
  presence.leave();
  assert.equal(early.aborted, true);
  const late = new ClientPresence();
  late.leave();
  assert.equal(late.signal.aborted, true);
});
