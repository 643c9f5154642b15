// Small typed readers for untrusted JSON: the lenient ones give undefined, the strict ones throw a 400.
import { invalidRequest } from '../failure.ts';
import type { Json, JsonObject } from './neutral.ts';

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function asObject(value: unknown): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

export function asArray(value: unknown): Json[] | undefined {
  return Array.isArray(value) ? (value as Json[]) : undefined;
}

export function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The string, unless it is missing or empty. */
export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

export function asBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** The parsed object; undefined for anything that is not one JSON object. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The member as a string; absent and null give undefined, anything else is the client's fault. */
export function optionalString(body: JsonObject, key: string): string | undefined {
  return optional(body, key, 'string') as string | undefined;
}

export function optionalNumber(body: JsonObject, key: string): number | undefined {
  return optional(body, key, 'number') as number | undefined;
}

export function optionalBoolean(body: JsonObject, key: string): boolean | undefined {
  return optional(body, key, 'boolean') as boolean | undefined;
}

export function optionalObject(body: JsonObject, key: string): JsonObject | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw mistyped(key, 'an object');
  return value;
}

export function optionalArray(body: JsonObject, key: string): Json[] | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw mistyped(key, 'an array');
  return value;
}

export function requiredString(body: JsonObject, key: string): string {
  const value = optionalString(body, key);
  if (value === undefined || value === '') throw invalidRequest(`missing required parameter: '${key}'`);
  return value;
}

/** An array whose members are all objects; `path` is what the message calls it. */
export function objectsOf(values: readonly Json[], path: string): JsonObject[] {
  return values.map((value, index) => {
    if (!isObject(value)) throw mistyped(`${path}[${index}]`, 'an object');
    return value;
  });
}

export function mistyped(path: string, wanted: string): Error {
  return invalidRequest(`invalid type for '${path}': expected ${wanted}`);
}

function optional(body: JsonObject, key: string, type: 'string' | 'number' | 'boolean'): Json | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== type) throw mistyped(key, `a ${type}`);
  return value;
}

/** The same object without its undefined members: absent and undefined must not differ in the neutral form. */
export function defined<T extends object>(value: T): T {
  for (const key in value) if (value[key] === undefined) delete value[key];
  return value;
}

/** The members that are not undefined, as JSON. */
export function jsonObject(members: { [key: string]: Json | undefined }): JsonObject {
  return defined(members) as JsonObject;
}

/** Members of `body` that are not in `known`; undefined when there are none. */
export function unknownMembers(body: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  let rest: JsonObject | undefined;
  for (const key in body) {
    if (known.has(key)) continue;
    rest ??= {};
    rest[key] = body[key] as Json;
  }
  return rest;
}

/** A row of a literal table; names inherited from Object.prototype are no rows. */
export function lookup<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
