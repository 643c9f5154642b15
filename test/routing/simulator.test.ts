// The invariants of routing over many random histories. A failing history is printed with its seed by fast-check.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type Account, type History, simulate } from './simulator.ts';

const account = (): fc.Arbitrary<Account> =>
  fc.record({
    priority: fc.constantFrom(0, 0, 0, 5),
    weight: fc.constantFrom(1, 1, 2, 5),
    quota: fc.constantFrom(Number.POSITIVE_INFINITY, 1, 3, 10),
    windowMs: fc.constantFrom(500, 5_000, 60_000, 7_200_000),
    hints: fc.boolean(),
    flakiness: fc.constantFrom(0, 0, 0.1, 0.5, 1),
    diesAt: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1_000, 30_000),
  });

const history = (accounts: number, arrivals: number): fc.Arbitrary<History> =>
  fc.record({
    accounts: fc.array(account(), { minLength: 1, maxLength: accounts }),
    arrivals: fc.array(
      fc.record({
        // Seconds, mostly; hours, so that long windows are probed.
        at: fc.oneof(
          { weight: 3, arbitrary: fc.integer({ min: 0, max: 90_000 }) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 14_400_000 }) },
        ),
        tookMs: fc.constantFrom(0, 5, 200, 4_000),
      }),
      { minLength: 1, maxLength: arrivals },
    ),
    seed: fc.integer(),
    strategy: fc.constantFrom(
      'round-robin',
      'round-robin',
      'fill-first',
      'weighted-round-robin',
      'least-loaded',
      'quota-aware',
    ),
    maxConcurrency: fc.constantFrom(0, 0, 1, 3),
  });

const totals = { histories: 0, requests: 0, answered: 0, refused: 0, probes: 0 };

function run(one: History): ReturnType<typeof simulate> {
  const outcome = simulate(one);
  totals.histories++;
  totals.requests += one.arrivals.length;
  totals.answered += outcome.answered;
  totals.refused += outcome.refused.length;
  totals.probes += outcome.probes;
  return outcome;
}

after(() => console.log(`simulated: ${JSON.stringify(totals)}`));

test('no history sends a request to a cooling credential, loses one, or exceeds a limit', () => {
  fc.assert(
    fc.property(history(8, 40), (one) => {
      const outcome = run(one);
      assert.deepEqual(outcome.violations, []);
      for (const refused of outcome.refused) {
        assert.ok([401, 429, 500, 503].includes(refused.status), `refused with ${refused.status}`);
      }
    }),
    { numRuns: 10_000 },
  );
});

test('thousands of credentials: the same invariants', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom('round-robin' as const, 'fill-first' as const), (seed, strategy) => {
      const kinds = fc.sample(account(), { numRuns: 2_000, seed });
      const arrivals = Array.from({ length: 3_000 }, (_, i) => ({ at: i * 7, tookMs: (i % 5) * 300 }));
      assert.deepEqual(run({ accounts: kinds, arrivals, seed, strategy, maxConcurrency: 2 }).violations, []);
    }),
    { numRuns: 6 },
  );
});

test('credentials that stay healthy share the load to within one request', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 12 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer(),
      (healthy, requests, sick, seed) => {
        const well: Account = {
          priority: 0,
          weight: 1,
          quota: Number.POSITIVE_INFINITY,
          windowMs: 1,
          hints: false,
          flakiness: 0,
          diesAt: Number.POSITIVE_INFINITY,
        };
        const accounts = [
          ...Array.from({ length: healthy }, () => well),
          ...Array.from({ length: sick }, () => ({ ...well, flakiness: 1 })),
        ];
        const arrivals = Array.from({ length: requests }, (_, i) => ({ at: i, tookMs: i % 50 }));
        const { attempts, answered } = run({ accounts, arrivals, seed, strategy: 'round-robin', maxConcurrency: 0 });
        assert.equal(answered, requests);
        const shares = attempts.slice(0, healthy);
        // A request that met a sick credential first goes on to the next in turn: it may double one's share for a moment.
        assert.ok(Math.max(...shares) - Math.min(...shares) <= 1 + sick * 2, `shares ${shares}`);
      },
    ),
    { numRuns: 500 },
  );
});

test('nobody starves: every ready credential gets its turn within one round of the others', () => {
  const well: Account = {
    priority: 0,
    weight: 1,
    quota: Number.POSITIVE_INFINITY,
    windowMs: 1,
    hints: false,
    flakiness: 0,
    diesAt: Number.POSITIVE_INFINITY,
  };
  const arrivals = Array.from({ length: 50 }, (_, i) => ({ at: i, tookMs: 1 }));
  const { attempts } = simulate({
    accounts: Array.from({ length: 50 }, () => well),
    arrivals,
    seed: 1,
    strategy: 'round-robin',
    maxConcurrency: 0,
  });
  assert.deepEqual(
    attempts,
    Array.from({ length: 50 }, () => 1),
  );
});

test('weights are proportions', () => {
  const well = (weight: number): Account => ({
    priority: 0,
    weight,
    quota: Number.POSITIVE_INFINITY,
    windowMs: 1,
    hints: false,
    flakiness: 0,
    diesAt: Number.POSITIVE_INFINITY,
  });
  const arrivals = Array.from({ length: 800 }, (_, i) => ({ at: i, tookMs: 0 }));
  const { attempts } = simulate({
    accounts: [well(5), well(2), well(1)],
    arrivals,
    seed: 3,
    strategy: 'weighted-round-robin',
    maxConcurrency: 0,
  });
  assert.deepEqual(attempts, [500, 200, 100]);
});
