// Reading single values out of JSON whose shape nobody promised: credential files, token answers, error bodies.
import type { Json, JsonObject } from '../protocols/neutral.ts';

/** A trimmed string; `''` for everything that is none. */
export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value.trim() : '';
}

/** A trimmed, non-empty string, else undefined. */
export function optionalText(value: Json | undefined): string | undefined {
  return textOf(value) || undefined;
}

export function objectOf(value: Json | undefined): JsonObject | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
}

export function arrayOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** A finite number, also when written as text. */
export function numberOf(value: Json | undefined): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

export function parseObject(text: string): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(text) as Json);
  } catch {
    return undefined;
  }
}
