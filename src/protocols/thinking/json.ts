// Two small steps on JSON objects that reading and writing share.
import type { Json, JsonObject } from '../neutral.ts';

export function object(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

/** The same object with one member set, or taken out when `value` is undefined. */
export function withMember(body: JsonObject, key: string, value: Json | undefined): JsonObject {
  if (value !== undefined) return { ...body, [key]: value };
  if (!Object.hasOwn(body, key)) return body;
  const { [key]: _, ...rest } = body;
  return rest;
}
