import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CredentialState } from '../../src/routing/credential-state.ts';

const minute = 60_000;
const start = Date.UTC(2026, 0, 1);

test('outcomes are counted in buckets of ten minutes, empty ones left out', () => {
  const state = new CredentialState('a', undefined);
  assert.deepEqual(state.recent, []);
  state.count(true, start + 3 * minute);
  state.count(false, start + 9 * minute);
  state.count(true, start + 31 * minute);
  assert.deepEqual(state.recent, [
    { from: start, success: 1, failed: 1 },
    { from: start + 30 * minute, success: 1, failed: 0 },
  ]);
  assert.equal(state.success, 2);
  assert.equal(state.failed, 1);
});

test('twenty buckets are kept, the newest', () => {
  const state = new CredentialState('a', undefined);
  for (let bucket = 0; bucket < 30; bucket++) state.count(true, start + bucket * 10 * minute);
  const { recent } = state;
  assert.equal(recent.length, 20);
  assert.equal(recent[0]?.from, start + 100 * minute);
  assert.equal(recent.at(-1)?.from, start + 290 * minute);
});

test('what is saved comes back; a credential that was never used is not saved', () => {
  const state = new CredentialState('a', undefined);
  assert.equal(state.save(), undefined);
  state.count(true, start);
  state.count(false, start);
  const again = new CredentialState('a', undefined);
  again.load(JSON.parse(JSON.stringify(state.save())));
  assert.deepEqual([again.success, again.failed, again.cooldowns.windows.size], [1, 1, 0]);
});
