// Writes plain values as YAML text, in the style of the place they go to.
import { type Document, parseDocument } from 'yaml';

export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

export type Quotes = 'plain' | 'single' | 'double';

/** A scalar on one line. Strings keep the quotes that stood there, where those can hold the text. */
export function renderScalar(value: unknown, quotes: Quotes = 'double'): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value !== 'string') return String(value);
  if (quotes === 'plain' && isPlainSafe(value)) return value;
  if (quotes === 'single' && !/[\n\r\t\p{Cc}\u2028\u2029\ufeff]/u.test(value))
    return `'${value.replaceAll("'", "''")}'`;
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escaped);
}

/** `["a", { name: "b" }]` on one line. */
export function renderFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderFlow).join(', ')}]`;
  if (isMapValue(value)) {
    const pairs = entries(value).map(([name, member]) => `${renderKey(name)}: ${renderFlow(member)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  return renderScalar(value);
}

/** `key: value` and what belongs below it, `indent` columns to the right; lines end with `newline`. */
export function renderPair(name: string, value: unknown, indent: number, newline: string): string {
  const pad = ' '.repeat(indent);
  if (isEmptyCollection(value) || !isCollection(value))
    return `${pad}${renderKey(name)}: ${renderFlow(value)}${newline}`;
  return `${pad}${renderKey(name)}:${newline}${renderBlock(value, indent + 2, newline)}`;
}

/** A collection as block lines. */
export function renderBlock(value: unknown, indent: number, newline: string): string {
  if (Array.isArray(value)) return value.map((item) => renderItem(item, indent, newline)).join('');
  return entries(value as Record<string, unknown>)
    .map(([name, member]) => renderPair(name, member, indent, newline))
    .join('');
}

/** `- item` */
export function renderItem(item: unknown, indent: number, newline: string): string {
  const pad = ' '.repeat(indent);
  if (isMapValue(item) && !isEmptyCollection(item)) {
    return `${pad}- ${renderBlock(item, indent + 2, newline).slice(indent + 2)}`;
  }
  return `${pad}- ${renderFlow(item)}${newline}`;
}

export function renderKey(name: string): string {
  return isPlainSafe(name) ? name : renderScalar(name);
}

export function isMapValue(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isCollection(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

export function isEmptyCollection(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isMapValue(value) && entries(value).length === 0;
}

/** Pairs with a value: `undefined` means absent. */
export function entries(map: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(map).filter(([, value]) => value !== undefined);
}

/** Text that reads as the same text without quotes, in block and in flow, by any YAML reader. */
function isPlainSafe(text: string): boolean {
  if (!/^[A-Za-z0-9_/.~$][A-Za-z0-9_/.~$@+=-]*$/.test(text)) return false;
  if (/^(y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan)$/i.test(text)) return false;
  if (/^[-+.\d]/.test(text) && !/[a-wyzA-WYZ]/.test(text.replace(/[eE]/g, ''))) return false;
  const document: Document.Parsed = parseDocument(text);
  return document.errors.length === 0 && document.toJS() === text;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
