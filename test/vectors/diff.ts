// Equality of JSON as the vectors mean it (protocols.md §6, comparison rule 1).
import { isObject, type Json } from './format.ts';

/** Absent when empty. */
const emptyMeansAbsent = new Set(['annotations', 'logprobs', 'safetyRatings', 'parts']);

/** The first differences, as `path: expected … got …`. `free` paths are only checked for their type. */
export function differences(expected: Json | undefined, actual: Json | undefined, options: DiffOptions = {}): string[] {
  const found: string[] = [];
  compare(prune(expected), prune(actual), '$', options, found);
  return found;
}

export interface DiffOptions {
  /** Paths whose value is free but must be there. */
  volatile?: readonly string[];
  /** Paths not looked at. */
  ignore?: readonly string[];
}

function compare(
  expected: Json | undefined,
  actual: Json | undefined,
  path: string,
  options: DiffOptions,
  found: string[],
): void {
  if (found.length >= 6 || matches(options.ignore, path)) return;
  if (matches(options.volatile, path)) {
    if (expected !== undefined && (actual === undefined || actual === '' || typeof actual !== typeof expected)) {
      found.push(`${path}: volatile value is missing or of another type`);
    }
    return;
  }
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (expected.length !== actual.length) {
      found.push(`${path}: expected ${expected.length} items ${show(expected)}, got ${actual.length} ${show(actual)}`);
      return;
    }
    for (const [index, item] of expected.entries()) compare(item, actual[index], `${path}[${index}]`, options, found);
    return;
  }
  if (isObject(expected) && isObject(actual)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      compare(expected[key], actual[key], `${path}.${key}`, options, found);
    }
    return;
  }
  if (typeof expected === 'string' && typeof actual === 'string') {
    if (scalars(expected) !== scalars(actual)) found.push(`${path}: expected ${show(expected)}, got ${show(actual)}`);
    return;
  }
  if (expected !== actual) found.push(`${path}: expected ${show(expected)}, got ${show(actual)}`);
}

/** A lone surrogate and its replacement character are the same. */
function scalars(value: string): string {
  return value.toWellFormed();
}

/** Without nulls, empty lists that mean nothing, and all-zero usage details. */
function prune(value: Json | undefined): Json | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return value.map((item) => prune(item) ?? null);
  if (!isObject(value)) return value;
  const result: { [key: string]: Json } = {};
  for (const [key, member] of Object.entries(value)) {
    const kept = prune(member);
    if (kept === undefined) continue;
    if (emptyMeansAbsent.has(key) && Array.isArray(kept) && kept.length === 0) continue;
    if (key.endsWith('_details') && isObject(kept) && Object.values(kept).every((item) => item === 0)) continue;
    result[key] = kept;
  }
  return result;
}

function matches(paths: readonly string[] | undefined, path: string): boolean {
  return paths?.some((pattern) => pattern === path || pattern === path.replace(/\[\d+\]/g, '[*]')) ?? false;
}

export function show(value: Json | undefined): string {
  const shown = JSON.stringify(value) ?? 'nothing';
  return shown.length > 240 ? `${shown.slice(0, 240)}…` : shown;
}
