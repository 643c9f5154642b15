import assert from 'node:assert/strict';
import test from 'node:test';
import { challengeOf, createPkce } from '../../src/oauth/pkce.ts';
import { createState, isValidState } from '../../src/oauth/state.ts';

test('a state is 32 hex digits and never the same twice', () => {
  const states = new Set(Array.from({ length: 200 }, () => createState()));
  assert.equal(states.size, 200);
  for (const state of states) assert.match(state, /^[0-9a-f]{32}$/);
});

const states: [state: string, valid: boolean][] = [
  ['gem-1763800000', true],
  ['A.b_c-9', true],
  ['a'.repeat(128), true],
  ['a'.repeat(129), false],
  ['', false],
  ['a b', false],
  ['../evil', false],
  ['a..b', false],
  ['a/b', false],
  ['a\\b', false],
  ['a%00', false],
  ['a\u0000', false],
  ['a\n', false],
];

for (const [state, valid] of states) {
  test(`the state ${JSON.stringify(state.slice(0, 20))} of ${state.length} characters is ${valid ? 'valid' : 'refused'}`, () => {
    assert.equal(isValidState(state), valid);
  });
}

test('the challenge is the one of RFC 7636, appendix B', () => {
  assert.equal(
    challengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'),
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  );
});

test('a verifier has 128 characters by default, 43 for 32 bytes, all unreserved', () => {
  assert.match(createPkce().verifier, /^[A-Za-z0-9_-]{128}$/);
  assert.match(createPkce(32).verifier, /^[A-Za-z0-9_-]{43}$/);
});
