// Reading of Gemini JSON, whose members come in camelCase (REST, SDK) or snake_case (protocols.md §2.2).
import { isObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';

/** `camelCase` member, else its snake_case twin. */
export function field(object: JsonObject, camel: string): Json | undefined {
  const value = object[camel];
  return value === undefined ? object[snake(camel)] : value;
}

export function objectField(object: JsonObject, camel: string): JsonObject | undefined {
  const value = field(object, camel);
  return isObject(value) ? value : undefined;
}

export function stringField(object: JsonObject, camel: string): string | undefined {
  const value = field(object, camel);
  return typeof value === 'string' ? value : undefined;
}

/** Proto JSON may write 64-bit numbers as strings. */
export function numberField(object: JsonObject, camel: string): number | undefined {
  const value = field(object, camel);
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

export function listField(object: JsonObject, camel: string): Json[] {
  const value = field(object, camel);
  return Array.isArray(value) ? value : isObject(value) ? [value] : [];
}

const snakes = new Map<string, string>();

export function snake(camel: string): string {
  let name = snakes.get(camel);
  if (name === undefined) {
    name = camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    snakes.set(camel, name);
  }
  return name;
}

/** Both spellings of each name. */
export function bothSpellings(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.flatMap((name) => [name, snake(name)]));
}
