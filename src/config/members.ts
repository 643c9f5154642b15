// What the schema says about the members of a value: which are known, which are worth writing.
import * as z from 'zod';
import { isDefault } from './load.ts';
import { entries, isMapValue } from './render.ts';
import { bare } from './yaml.ts';

export type Schema = z.core.$ZodType;

export function memberOf(schema: Schema, name: string): Schema {
  const kind = bare(schema);
  if (kind instanceof z.ZodObject) return (kind.shape[name] as Schema | undefined) ?? z.unknown();
  return kind instanceof z.ZodRecord ? kind.def.valueType : z.unknown();
}

export function elementOf(schema: Schema): Schema {
  const kind = bare(schema);
  return kind instanceof z.ZodArray ? kind.element : z.unknown();
}

/** A member that a new value without it removes; others in the file are the user's own. */
export function isKnown(kind: Schema, name: string): boolean {
  return !(kind instanceof z.ZodObject) || Object.hasOwn(kind.shape, name);
}

export function clean(value: unknown, schema: Schema): unknown {
  const kind = bare(schema);
  if (Array.isArray(value)) return value.map((item) => clean(item, elementOf(kind)));
  return isMapValue(value) ? withoutDefaults(value, kind) : value;
}

export function withoutDefaults(value: Readonly<Record<string, unknown>>, kind: Schema): Record<string, unknown> {
  return Object.fromEntries(
    entries(value)
      .filter(
        ([name, member]) =>
          !(kind instanceof z.ZodObject && isKnown(kind, name) && isDefault(memberOf(kind, name), member)),
      )
      .map(([name, member]) => [name, clean(member, memberOf(kind, name))]),
  );
}
