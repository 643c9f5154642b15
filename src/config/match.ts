// Which item of a new list is which item of the old one, so that an edit touches only what changed.
import { isDeepStrictEqual } from 'node:util';

type Item = unknown;

/** Names by which an item is known, the more telling first. */
const identities: readonly (readonly string[])[] = [
  ['api-key', 'base-url'],
  ['name', 'alias'],
  ['api-key'],
  ['name'],
  ['alias'],
  ['from'],
  ['upstream-api-key'],
];

/**
 * For each new item the index of its old one, or undefined for a really new one: first equal items, then items of the
 * same identity, then, in a list of unchanged length, the one at the same place.
 */
export function matchItems(before: readonly Item[], after: readonly Item[]): (number | undefined)[] {
  const result: (number | undefined)[] = after.map(() => undefined);
  const used = new Set<number>();
  const pass = (same: (old: Item, item: Item) => boolean) => {
    for (const [index, item] of after.entries()) {
      if (result[index] !== undefined) continue;
      const found = before.findIndex((old, at) => !used.has(at) && old !== undefined && same(old, item));
      if (found < 0) continue;
      result[index] = found;
      used.add(found);
    }
  };
  pass(isDeepStrictEqual);
  for (const fields of identities) pass((old, item) => sameBy(fields, old, item));
  if (before.length === after.length) {
    for (const index of after.keys()) {
      if (result[index] !== undefined || used.has(index) || before[index] === undefined) continue;
      result[index] = index;
      used.add(index);
    }
  }
  return result;
}

/** True when two items are the same thing in the user's eyes. */
export function sameIdentity(a: Item, b: Item): boolean {
  if (isDeepStrictEqual(a, b)) return true;
  const fields = identities.find((names) => names.every((name) => read(a, name) !== undefined));
  return fields !== undefined && sameBy(fields, a, b);
}

function sameBy(fields: readonly string[], a: Item, b: Item): boolean {
  return fields.every((field) => read(a, field) !== undefined && read(a, field) === read(b, field));
}

function read(item: Item, field: string): unknown {
  const value = typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[field] : undefined;
  return value === '' && field !== 'base-url' ? undefined : value;
}
