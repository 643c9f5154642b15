// Entries of the credential lists: their fields, how they are tidied on the way in and shown on the way out
// (management-api.md §8).
import type { z } from 'zod';
import { compat, documented, type Entry, keyed, tuning } from './credential-schemas.ts';

export type { Entry } from './credential-schemas.ts';

export interface ListRules {
  path: 'gemini-api-key' | 'claude-api-key' | 'codex-api-key' | 'vertex-api-key' | 'openai-compatibility';
  /** The field an entry is found by. */
  selector: 'api-key' | 'name';
  entry: z.ZodType<Entry>;
  /** What callers are told about an entry. */
  documented: z.ZodType;
  /** The same for a change, where everything may be left out. */
  documentedChange?: z.ZodType;
  /** Fields that are there even when empty, in their order. */
  always: readonly string[];
  more: readonly string[];
  /** Empty value of this field drops an entry from a PUT. */
  needs?: 'api-key' | 'base-url';
  /** Empty value of these fields in a PATCH removes the entry. */
  removes: readonly string[];
  distinct?: boolean;
  /** Which models stay. */
  keepsModel: (name: string, alias: string) => boolean;
}

const eitherName = (name: string, alias: string): boolean => name !== '' || alias !== '';
const shared = Object.keys(tuning);
/** Accepted and kept without effect: they imitate another vendor's client. */
const inert = ['cloak', 'experimental-cch-signing'];

export const listRules: readonly ListRules[] = [
  {
    path: 'gemini-api-key',
    selector: 'api-key',
    entry: keyed,
    documented: documented.keyed,
    always: ['api-key'],
    more: shared,
    needs: 'api-key',
    removes: ['api-key'],
    distinct: true,
    keepsModel: eitherName,
  },
  {
    path: 'claude-api-key',
    selector: 'api-key',
    entry: keyed,
    documented: documented.keyed,
    always: ['api-key', 'base-url', 'proxy-url', 'models'],
    more: [...shared, ...inert],
    removes: [],
    keepsModel: eitherName,
  },
  {
    path: 'codex-api-key',
    selector: 'api-key',
    entry: keyed,
    documented: documented.sockets,
    always: ['api-key', 'base-url', 'proxy-url', 'models'],
    more: [...shared, 'websockets'],
    needs: 'base-url',
    removes: ['base-url'],
    keepsModel: eitherName,
  },
  {
    path: 'vertex-api-key',
    selector: 'api-key',
    entry: keyed,
    documented: documented.filled,
    documentedChange: documented.keyed,
    always: ['api-key'],
    more: shared,
    removes: ['api-key', 'base-url'],
    distinct: true,
    keepsModel: (name, alias) => name !== '' && alias !== '',
  },
  {
    path: 'openai-compatibility',
    selector: 'name',
    entry: compat,
    documented: documented.compat,
    always: ['name', 'base-url', 'models'],
    more: [...shared, 'api-key-entries'],
    needs: 'base-url',
    removes: ['base-url'],
    keepsModel: eitherName,
  },
];

export function fieldsOf(rules: ListRules): ReadonlySet<string> {
  return new Set([...rules.always, ...rules.more]);
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

/** Trimmed of spaces and slashes; dropped when a slash is left. */
export function tidyPrefix(value: unknown): string {
  const prefix = textOf(value).replace(/^[\s/]+|[\s/]+$/g, '');
  return prefix.includes('/') ? '' : prefix;
}

export function tidyHeaders(value: unknown): Record<string, string> {
  const pairs = typeof value === 'object' && value !== null ? Object.entries(value as Record<string, unknown>) : [];
  return Object.fromEntries(
    pairs.map(([name, text]) => [name.trim(), textOf(text)]).filter(([name, text]) => name !== '' && text !== ''),
  );
}

export function tidyPatterns(value: unknown): string[] {
  const list = Array.isArray(value) ? (value as unknown[]) : [];
  return [...new Set(list.map((pattern) => textOf(pattern).toLowerCase()).filter((pattern) => pattern !== ''))];
}

/** In JSON from elsewhere null means absent. */
export function withoutNull(item: Entry): Entry {
  return Object.fromEntries(Object.entries(item).filter(([, value]) => value !== null));
}

function tidyModels(value: unknown, keeps: ListRules['keepsModel']): Entry[] {
  const list = Array.isArray(value) ? (value as Entry[]) : [];
  return list
    .map((item) => ({ ...withoutNull(item), name: textOf(item.name), alias: textOf(item.alias) }))
    .filter((item) => keeps(item.name, item.alias));
}

function tidyKeys(value: unknown): Entry[] {
  const list = Array.isArray(value) ? (value as Entry[]) : [];
  return list.map((item) => {
    const { 'auth-index': _shown, ...rest } = item;
    const entry: Entry = { ...withoutNull(rest), 'api-key': textOf(rest['api-key']) };
    const proxy = textOf(rest['proxy-url']);
    if (proxy === '') delete entry['proxy-url'];
    else entry['proxy-url'] = proxy;
    return entry;
  });
}

/** How each field is tidied; the rest is kept as it is. */
function tidyField(rules: ListRules, field: string, value: unknown): unknown {
  switch (field) {
    case 'prefix':
      return tidyPrefix(value);
    case 'headers':
      return tidyHeaders(value);
    case 'excluded-models':
      return tidyPatterns(value);
    case 'models':
      return tidyModels(value, rules.keepsModel);
    case 'api-key-entries':
      return tidyKeys(value);
    default:
      return typeof value === 'string' ? value.trim() : value;
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Defaults that are not shown and not written. */
const unset: Readonly<Record<string, unknown>> = { priority: 0, weight: 1 };

/** An entry as it is stored: tidied, without empty optional fields and without what is only shown. */
export function tidyEntry(rules: ListRules, incoming: Entry): Entry {
  const entry: Entry = {};
  for (const [field, value] of Object.entries(incoming)) {
    if (field === 'auth-index') continue;
    const tidy = tidyField(rules, field, value);
    const required = field === rules.selector;
    if (required) entry[field] = textOf(tidy);
    else if (!isEmpty(tidy) && unset[field] !== tidy) entry[field] = tidy;
  }
  return entry;
}

/** An entry as it is shown: required fields first, the rest only when set. */
export function shownEntry(rules: ListRules, entry: Entry): Entry {
  const shown: Entry = {};
  for (const field of rules.always) shown[field] = shownField(field, entry[field]) ?? (field === 'models' ? [] : '');
  for (const field of rules.more) {
    const value = shownField(field, entry[field]);
    if (!(field in shown) && !isEmpty(value) && unset[field] !== value) shown[field] = value;
  }
  return shown;
}

function shownField(field: string, value: unknown): unknown {
  if (!Array.isArray(value)) return value ?? undefined;
  if (field === 'models') return (value as Entry[]).map(withoutEmpty);
  if (field === 'api-key-entries') {
    return (value as Entry[]).map((item) => ({ 'api-key': item['api-key'] ?? '', ...withoutEmpty(item) }));
  }
  return value;
}

function withoutEmpty(item: Entry): Entry {
  return Object.fromEntries(Object.entries(item).filter(([field, value]) => field === 'alias' || !isEmpty(value)));
}

/** Which entries of a PUT stay. */
export function keptEntries(rules: ListRules, entries: readonly Entry[]): Entry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    if (rules.needs && textOf(entry[rules.needs]) === '') return false;
    const id = `${textOf(entry['api-key'])}\0${textOf(entry['base-url'])}`;
    if (rules.distinct && seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}
