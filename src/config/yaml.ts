// Reads YAML text into plain values as the schema wants them: the dialect of spec/config.md §3, with the line of every
// mistake. The schema decides what a scalar means, so `yes` is true for a switch and "yes" for a key.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import * as z from 'zod';

/** A mistake or a remark, with its place. */
export interface Remark {
  /** 1-based. */
  line: number;
  column: number;
  /** Dotted, `openai-compatibility[0].name`. */
  path: string;
  reason: string;
}

export type Path = readonly (string | number)[];

export interface ParsedText {
  /** The first document; undefined for an empty file. */
  doc: Document.Parsed | undefined;
  root: Node | null;
  lines: LineCounter;
  errors: Remark[];
}

export interface ReadTree {
  /** Plain values of known keys; null counts as absent. */
  value: Record<string, unknown>;
  errors: Remark[];
  unknown: Remark[];
  /** Offset of the value at each dotted path, for errors found later. */
  places: Map<string, number>;
}

const deepest = 100;
/** Aliases may multiply values; this many nodes are more than any honest file has. */
const mostNodes = 200_000;

/** Parses without interpreting. Several documents: the first counts. */
export function parseText(text: string): ParsedText {
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(text, {
      merge: true,
      lineCounter: lines,
      prettyErrors: false,
      keepSourceTokens: true,
    });
    const doc = 'empty' in documents ? undefined : documents[0];
    const errors = (doc?.errors ?? ('empty' in documents ? documents.errors : [])).map((error) => ({
      ...place(lines, error.pos[0]),
      path: '',
      reason: syntaxReason(error, text),
    }));
    return { doc, root: doc?.contents ?? null, lines, errors };
  } catch (error) {
    // Thousands of nested brackets exhaust the parser's stack.
    const reason = error instanceof RangeError ? 'nested too deeply' : 'not readable as YAML';
    return { doc: undefined, root: null, lines, errors: [{ line: 1, column: 1, path: '', reason }] };
  }
}

/** Reads the root map by a schema of objects, arrays, records, scalars. */
export function readTree(parsed: ParsedText, schema: z.ZodObject): ReadTree {
  const reader = new Reader(parsed);
  const root = parsed.root === null ? undefined : reader.resolve(parsed.root, []);
  const value = root === undefined || isNull(root) ? {} : reader.read(root, schema, []);
  return {
    value: (value ?? {}) as Record<string, unknown>,
    errors: reader.errors,
    unknown: reader.unknown,
    places: reader.places,
  };
}

/** The whole document as plain values, without a schema: what an edit must leave alone. Anchors and merges resolved. */
export function plainTree(parsed: ParsedText): unknown {
  if (parsed.root === null) return undefined;
  return new Reader(parsed).free(parsed.root, []);
}

/** The plain value of one node. */
export function plainNode(parsed: ParsedText, node: unknown): unknown {
  return new Reader(parsed).free(node, []);
}

/** One node as its schema reads it. */
export function readNode(parsed: ParsedText, node: unknown, schema: z.core.$ZodType): unknown {
  return new Reader(parsed).read(node, schema, []);
}

export function dotted(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}

export function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** The schema below defaults and optional marks. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  ) {
    return bare(schema.def.innerType);
  }
  if (schema instanceof z.ZodPipe) return bare(schema.def.in);
  return schema;
}

/** The pairs of a map with merged ones (`<<`) after its own; own ones win, earlier merged maps win over later. */
export function pairsOf(parsed: ParsedText, map: YAMLMap): { name: string; pair: Pair; merged: boolean }[] {
  return new Reader(parsed).pairs(map, []);
}

export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.source === '<<' && key.type === 'PLAIN';
}

/** The text of a key or string: what is written, whatever type YAML would give it. */
export function sourceText(node: Scalar): string {
  return node.type === 'PLAIN' && node.source !== undefined ? node.source : String(node.value ?? '');
}

const nulls = new Set(['', '~', 'null', 'Null', 'NULL']);

export function isNull(node: unknown): boolean {
  return isScalar(node) && (node.type === 'PLAIN' || node.type === undefined) && nulls.has(node.source ?? '');
}

const yes = /^(true|yes|on|y)$/i;
const no = /^(false|no|off|n)$/i;

class Reader {
  readonly errors: Remark[] = [];
  readonly unknown: Remark[] = [];
  readonly places = new Map<string, number>();
  readonly #parsed: ParsedText;
  #nodes = 0;

  constructor(parsed: ParsedText) {
    this.#parsed = parsed;
  }

  /** Reads one node; undefined for null and for a mistake, which is noted. */
  read(given: unknown, schema: z.core.$ZodType, path: Path): unknown {
    const node = this.resolve(given, path);
    if (node === undefined) return undefined;
    const kind = bare(schema);
    if (isNull(node)) return kind instanceof z.ZodUnknown ? null : undefined;
    this.places.set(dotted(path), node.range?.[0] ?? 0);
    if (kind instanceof z.ZodObject) return this.#object(node, kind, path);
    if (kind instanceof z.ZodRecord) return this.#record(node, kind.def.valueType, path);
    if (kind instanceof z.ZodArray) return this.#list(node, kind.element, path);
    if (kind instanceof z.ZodBoolean) return this.#bool(node, path);
    if (kind instanceof z.ZodNumber) return this.#int(node, path);
    if (kind instanceof z.ZodUnknown) return this.free(node, path);
    return this.#text(node, path);
  }

  /** A value without a schema, by YAML 1.2 core with Go's number forms. */
  free(given: unknown, path: Path): unknown {
    const node = this.resolve(given, path);
    if (node === undefined) return undefined;
    if (isMap(node)) {
      return Object.fromEntries(
        this.pairs(node, path).map(({ name, pair }) => [name, this.free(pair.value, [...path, name])]),
      );
    }
    if (isSeq(node)) return node.items.map((item, index) => this.free(item, [...path, index]));
    if (!isScalar(node)) return undefined;
    const number = node.type === 'PLAIN' && /^[-+]?[\d_]*\d_\d[\d_]*$/.test(node.source ?? '');
    return number ? Number((node.source as string).replaceAll('_', '')) : node.value;
  }

  pairs(
    map: YAMLMap,
    path: Path,
    seen: ReadonlySet<YAMLMap> = new Set(),
  ): { name: string; pair: Pair; merged: boolean }[] {
    const own = map.items.filter((pair) => !isMergeKey(pair.key));
    const result = own.map((pair) => ({ name: this.#keyName(pair.key, path), pair: pair as Pair, merged: false }));
    const names = new Set(result.map(({ name }) => name));
    for (const pair of map.items.filter((candidate) => isMergeKey(candidate.key))) {
      for (const source of this.#mergeSources(pair.value, path)) {
        if (seen.has(source) || source === map) continue;
        for (const entry of this.pairs(source, path, new Set([...seen, map]))) {
          if (names.has(entry.name)) continue;
          names.add(entry.name);
          result.push({ ...entry, merged: true });
        }
      }
    }
    return result;
  }

  resolve(node: unknown, path: Path): Node | undefined {
    this.#nodes += 1;
    if (path.length > deepest || this.#nodes > mostNodes) {
      if (this.errors.length === 0) this.#error(node, path.slice(0, 3), 'nested too deeply or too many aliases');
      return undefined;
    }
    if (!isAlias(node)) return (node ?? undefined) as Node | undefined;
    const target = this.#parsed.doc === undefined ? undefined : node.resolve(this.#parsed.doc);
    if (target === undefined) this.#error(node, path, `unknown anchor *${node.source}`);
    return target;
  }

  #mergeSources(value: unknown, path: Path): YAMLMap[] {
    const node = this.resolve(value, path);
    const list = isSeq(node) ? node.items.map((item) => this.resolve(item, path)) : [node];
    const maps = list.filter((item) => isMap(item));
    if (maps.length !== list.length) this.#error(value, path, '`<<` needs a map or a list of maps');
    return maps;
  }

  #object(node: Node, schema: z.ZodObject, path: Path): Record<string, unknown> | undefined {
    if (!isMap(node)) return this.#mismatch(node, path, 'a map of settings');
    const result: Record<string, unknown> = {};
    for (const { name, pair } of this.pairs(node, path)) {
      const member = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
      if (member === undefined) {
        this.unknown.push({
          ...this.#place(pair.key),
          path: dotted([...path, name]),
          reason: unknownKey(name, schema),
        });
        continue;
      }
      const value = this.read(pair.value, member, [...path, name]);
      if (value !== undefined) result[name] = value;
    }
    return result;
  }

  #record(node: Node, values: z.core.$ZodType, path: Path): Record<string, unknown> | undefined {
    if (!isMap(node)) return this.#mismatch(node, path, 'a map');
    const entries: [string, unknown][] = [];
    for (const { name, pair } of this.pairs(node, path)) {
      const value = this.read(pair.value, values, [...path, name]);
      if (value !== undefined) entries.push([name, value]);
    }
    return Object.fromEntries(entries);
  }

  #list(node: Node, element: z.core.$ZodType, path: Path): unknown[] | undefined {
    if (!isSeq(node)) return this.#mismatch(node, path, 'a list');
    const result: unknown[] = [];
    for (const item of node.items) {
      const value = this.read(item, element, [...path, result.length]);
      if (value !== undefined) result.push(value);
    }
    return result;
  }

  #bool(node: Node, path: Path): boolean | undefined {
    const source = isScalar(node) && node.type === 'PLAIN' ? (node.source ?? '') : '';
    if (yes.test(source)) return true;
    if (no.test(source)) return false;
    return this.#mismatch(node, path, 'true or false');
  }

  #int(node: Node, path: Path): number | undefined {
    const source = isScalar(node) && node.type === 'PLAIN' ? (node.source ?? '') : '';
    const value = wholeNumber(source);
    return value ?? this.#mismatch(node, path, 'a whole number');
  }

  #text(node: Node, path: Path): string | undefined {
    return isScalar(node) ? sourceText(node) : this.#mismatch(node, path, 'text');
  }

  #keyName(key: unknown, path: Path): string {
    const node = this.resolve(key, path);
    return isScalar(node) ? sourceText(node) : String(key);
  }

  #mismatch(node: Node, path: Path, wanted: string): undefined {
    // The value itself may be a secret: only its kind is told.
    const quoted = isScalar(node) && node.type !== 'PLAIN';
    const found = isMap(node) ? ', not a map' : isSeq(node) ? ', not a list' : quoted ? ', not quoted text' : '';
    this.#error(node, path, `must be ${wanted}${found}`);
    return undefined;
  }

  #error(node: unknown, path: Path, reason: string): void {
    this.errors.push({ ...this.#place(node), path: dotted(path), reason });
  }

  #place(node: unknown): { line: number; column: number } {
    const range = (node as Node | null)?.range;
    return range ? place(this.#parsed.lines, range[0]) : { line: 1, column: 1 };
  }
}

/** `3`, `0x10`, `0o17`, `010`, `0b11`, `1_000`; fractions are cut off. Undefined when it is none. */
export function wholeNumber(source: string): number | undefined {
  const [, sign, digits] = /^([-+]?)([0-9][0-9a-fA-FxXoObB_]*)$/.exec(source) ?? [];
  if (digits !== undefined) {
    const plain = digits.replaceAll('_', '');
    const octal = /^0[0-7]+$/.test(plain);
    const value = Number(octal ? `0o${plain.slice(1)}` : plain);
    if (Number.isSafeInteger(value)) return sign === '-' ? -value : value;
  }
  if (!/^[-+]?(\d[\d_]*)?\.?\d*([eE][-+]?\d+)?$/.test(source) || !/\d/.test(source)) return undefined;
  const value = Math.trunc(Number(source.replaceAll('_', '')));
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

function unknownKey(name: string, schema: z.ZodObject): string {
  const near = nearest(name, Object.keys(schema.shape));
  return near === undefined ? 'unknown key, ignored' : `unknown key, ignored; did you mean \`${near}\`?`;
}

/** The candidate within a third of its length in edits; undefined when none is near. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll('_', '-');
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(plain(name), plain(candidate));
    if (distance <= Math.max(1, Math.floor(candidate.length / 3)) && distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}

function syntaxReason(error: { code: string; message: string; pos: [number, number] }, text: string): string {
  if (error.code === 'DUPLICATE_KEY') {
    const name = /^["']?[\w.-]+/.exec(text.slice(error.pos[0]))?.[0].replace(/^["']/, '');
    return name === undefined ? 'a key is there twice' : `key \`${name}\` is there twice`;
  }
  if (/call stack/.test(error.message)) return 'nested too deeply';
  return (error.message.split('\n')[0] ?? '').replace(/:$/, '');
}
