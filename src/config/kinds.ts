// Building blocks of the schema: the kinds of value a config file holds, with their sanitising (spec/config.md §4–§6).
import { isIP } from 'node:net';
import * as z from 'zod';

/** When a change of a key takes effect. */
export type Reload = 'hot' | 'restart';

/**
 * What a key does in this program. `none`: accepted and kept, so that files stay portable, but it only serves to imitate
 * another vendor's client or a removed feature; `planned`: accepted, one warning that it is not yet active.
 */
export type Effect = 'active' | 'planned' | 'none';

/** What the documentation and the reload logic know about a key, beside its type and default. */
export interface KeyMeta {
  description: string;
  reload?: Reload;
  effect?: Effect;
  /** The value must not be shown. */
  secret?: boolean;
  /** Shown in the table instead of the default of the schema. */
  defaultNote?: string;
}

declare module 'zod' {
  interface GlobalMeta {
    reload?: Reload;
    effect?: Effect;
    secret?: boolean;
    defaultNote?: string;
  }
}

/**
 * Attaches what a key is for; every member of the schema goes through here, with a schema of its own. (`.meta()` would
 * build each schema a second time, which start-up feels.)
 */
export function key<S extends z.ZodType>(schema: S, description: string, meta: Omit<KeyMeta, 'description'> = {}): S {
  z.globalRegistry.add(schema, { description, ...meta });
  return schema;
}

export const bool = (value = false) => z.boolean().default(value);
export const text = (value = '') => z.string().default(value);
export const trimmed = (value = '') => z.string().trim().default(value);
export const int = (value = 0) => z.int().default(value);
/** Negative values become `floor`. */
export const count = (value = 0, floor = 0) =>
  z
    .int()
    .overwrite((n) => (n < 0 ? floor : n))
    .default(value);

/** `1h30m`, `90s`, `500ms`, a bare number of seconds; empty = not set. See `milliseconds`. */
export const duration = (value = '') =>
  z
    .string()
    .trim()
    .refine((source) => source === '' || durationMs(source) !== undefined, {
      message: 'not a duration; write it like 30s, 15m or 1h30m',
    })
    .default(value);

/** Trimmed, without blanks and repeats. */
export const words = (schema: z.ZodType<string, string> = z.string()) =>
  z
    .array(schema)
    .overwrite((list) => unique(list.map((item) => item.trim())))
    .default([]);

/** Networks: an address or a CIDR block. */
export const networks = () =>
  words(z.string().refine(isNetwork, { message: 'not an address or a network like 10.0.0.0/8' }));

function isNetwork(source: string): boolean {
  const [address = '', bits, ...rest] = source.trim().split('/');
  const width = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  return width > 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width));
}

/** Model patterns: trimmed, lower-case, without blanks and repeats; `*` anywhere. */
export const patterns = () =>
  z
    .array(z.string())
    .overwrite((list) => unique(list.map((item) => item.trim().toLowerCase())))
    .default([]);

/** Header names and values trimmed, empty ones dropped. */
export const headers = () =>
  z
    .record(z.string(), z.string())
    .overwrite((map) =>
      Object.fromEntries(
        Object.entries(map)
          .map(([name, value]): [string, string] => [name.trim(), value.trim()])
          .filter(([name, value]) => name !== '' && value !== ''),
      ),
    )
    .default({});

/** Trimmed, slashes at both ends removed; one that still holds a slash is dropped. */
export const prefix = () =>
  z
    .string()
    .overwrite((value) => {
      const bare = value.trim().replace(/^\/+|\/+$/g, '');
      return bare.includes('/') ? '' : bare;
    })
    .default('');

function unique(list: readonly string[]): string[] {
  return [...new Set(list)].filter((item) => item !== '');
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function durationMs(source: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(source)) return Number(source) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(source)) return undefined;
  let total = 0;
  for (const [, amount, unit] of source.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (units[unit as string] as number);
  }
  return total;
}

/** A duration key of the config in milliseconds; `undefined` when not set. */
export function milliseconds(value: string): number | undefined {
  return value.trim() === '' ? undefined : durationMs(value.trim());
}
