// Beta features: a body array `betas` moves to the `anthropic-beta` header (protocols.md §2.6).
import type { JsonObject } from '../neutral.ts';

/** Body without `betas`, and what they were. */
export function takeBetas(body: JsonObject): { body: JsonObject; betas: string[] } {
  if (body.betas === undefined) return { body, betas: [] };
  const { betas, ...rest } = body;
  const names = Array.isArray(betas) ? betas.filter((name): name is string => typeof name === 'string') : [];
  return { body: rest, betas: names };
}

/** Comma lists and names joined to one header value without repeats; `''` when there are none. */
export function mergeBetas(...lists: ReadonlyArray<string | readonly string[] | undefined>): string {
  const names = lists.flatMap((list) => (typeof list === 'string' ? [list] : (list ?? [])));
  const single = names.flatMap((name) => name.split(',')).map((name) => name.trim());
  return [...new Set(single.filter((name) => name !== ''))].join(',');
}
