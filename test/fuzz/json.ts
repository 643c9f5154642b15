// Random JSON that looks enough like a request or an answer to reach deep into a decoder: a whole valid body with some
// places replaced, dropped or repeated.
import fc from 'fast-check';
import type { Json, JsonObject } from '../../src/protocols/neutral.ts';

const oddText = fc.constantFrom(
  '',
  ' ',
  '\u0000',
  '\ud800',
  'x'.repeat(5000),
  '[DONE]',
  '__proto__',
  'data: x\n\n',
  '1e999',
);
const oddValue: fc.Arbitrary<Json> = fc.oneof(
  oddText,
  fc.constantFrom<Json>(null, true, false, 0, -1, 1e308, 2 ** 53, [], {}, [null], [[]], { x: {} }),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
);

type Change = { at: number; value: Json | undefined };

/** `template` with up to three of its values exchanged; every value of the tree is as likely as any other. */
export function damaged(template: JsonObject): fc.Arbitrary<JsonObject> {
  const change = fc.record({ at: fc.nat(), value: fc.option(oddValue, { nil: undefined }) });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => changes.reduce(damage, template));
}

function damage(body: JsonObject, { at, value }: Change): JsonObject {
  const copy = structuredClone(body);
  const places: [Record<string, unknown>, string][] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node as Record<string, unknown>, key]);
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(copy);
  const place = places[at % Math.max(1, places.length)];
  if (place === undefined) return copy;
  const [owner, key] = place;
  if (value === undefined && !Array.isArray(owner)) delete owner[key];
  else owner[key] = value ?? null;
  return copy;
}

/** Bounded, and the same on every machine: a failure names its seed. */
export const runs: fc.Parameters<unknown> = {
  numRuns: 1500,
  seed: 8,
  interruptAfterTimeLimit: 15_000,
  endOnFailure: true,
};
