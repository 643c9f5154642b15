import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatInstant,
  parseInstant,
  readExpiry,
  readLastRefresh,
  readRefreshInterval,
} from '../../src/credentials/expiry.ts';

const noon = Date.parse('2026-01-02T12:00:00Z');

const written: [unknown, number | undefined][] = [
  ['2026-01-02T12:00:00Z', noon],
  ['2026-01-02t12:00:00z', noon],
  ['2026-01-02T12:00:00.123456789Z', noon + 123],
  ['2026-01-02T14:00:00+02:00', noon],
  ['2026-01-02T14:00:00+0200', noon],
  ['2026-01-02 12:00:00', noon],
  ['2026-01-02 12:00', noon],
  [noon / 1_000, noon],
  [noon, noon],
  [String(noon / 1_000), noon],
  [String(noon), noon],
  [1_767_355_200.5, noon + 500],
  ['0001-01-01T00:00:00Z', undefined],
  ['2026-13-02T12:00:00Z', undefined],
  ['tomorrow', undefined],
  ['', undefined],
  [0, undefined],
  [-1, undefined],
  [1e300, undefined],
  [null, undefined],
  [{}, undefined],
];
for (const [text, expected] of written) {
  test(`${JSON.stringify(text)} is ${expected === undefined ? 'no time' : new Date(expected).toISOString()}`, () => {
    assert.equal(parseInstant(text as string), expected);
  });
}

test('the first readable key wins, top level before the nested token', () => {
  assert.equal(readExpiry({ expiry: 2_000_000_000, expired: '2026-01-02 12:00' }), noon);
  assert.equal(readExpiry({ expired: 'garbage', expires: noon }), noon);
  assert.equal(readExpiry({ token: { expiry: '2026-01-02T12:00:00Z' } }), noon);
  assert.equal(readExpiry({ Token: { expiry: '2026-01-02T12:00:00Z' } }), noon);
  assert.equal(readExpiry({ token: 'text' }), undefined);
  assert.equal(readLastRefresh({ lastRefreshedAt: noon }), noon);
});

test('an interval is a number of seconds or a duration', () => {
  assert.equal(readRefreshInterval({ refresh_interval_seconds: 90 }), 90_000);
  assert.equal(readRefreshInterval({ refreshInterval: '1h30m' }), 5_400_000);
  assert.equal(readRefreshInterval({ refresh_interval: '600' }), 600_000);
  assert.equal(readRefreshInterval({ refresh_interval: 'often' }), undefined);
  assert.equal(readRefreshInterval({ refresh_interval: 0 }), undefined);
});

test('what is written can be read again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_000_000_000 }), (seconds) => {
      assert.equal(parseInstant(formatInstant(seconds * 1_000)), seconds * 1_000);
    }),
  );
  assert.equal(formatInstant(noon + 999), '2026-01-02T12:00:00Z');
});
