// Finds the smallest changes of a YAML text that give one node a new value: every other byte stays (spec/config.md W1, W6).
import { isDeepStrictEqual } from 'node:util';
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml';
import { z } from 'zod';
import { isDefault } from './load.ts';
import { matchItems, sameIdentity } from './match.ts';
import {
  entries,
  isCollection,
  isEmptyCollection,
  isMapValue,
  type Quotes,
  renderBlock,
  renderFlow,
  renderItem,
  renderKey,
  renderPair,
  renderScalar,
} from './render.ts';
import { bare, isMergeKey, isNull, type ParsedText, pairsOf, plainNode, readNode, sourceText } from './yaml.ts';

export interface Splice {
  start: number;
  end: number;
  text: string;
}

/** The text is laid out in a way that this module does not edit piece by piece. */
export class UnusualLayout extends Error {}

/** Where a value stands: after a key's colon, after a dash, or inside brackets. */
interface Seat {
  /** Offset right after the colon or dash (and an anchor), where a value may begin. */
  after: number;
  /** Column of the key or dash. */
  column: number;
  flow: boolean;
}

type Schema = z.core.$ZodType;

export class Splicer {
  readonly splices: Splice[] = [];
  readonly #text: string;
  readonly #parsed: ParsedText;
  readonly #newline: string;

  constructor(text: string, parsed: ParsedText) {
    this.#text = text;
    this.#parsed = parsed;
    this.#newline = /\r\n/.test(text) ? '\r\n' : '\n';
  }

  /** Gives `path` a new value; `undefined` removes it. Missing parents are made. */
  setRoot(path: readonly string[], value: unknown, schema: z.ZodObject): void {
    const root = this.#parsed.root;
    if (root === null || isNull(root)) {
      if (value !== undefined) this.#append(renderBlock(nest(path, value), 0, this.#newline));
      return;
    }
    if (!isMap(root)) throw new UnusualLayout('the root is not a map');
    this.#setIn(root, path, value, schema, { after: root.range?.[0] ?? 0, column: 0, flow: root.flow === true });
  }

  #setIn(map: YAMLMap, path: readonly string[], value: unknown, schema: Schema, seat: Seat): void {
    const [name, ...rest] = path as [string, ...string[]];
    const member = memberOf(schema, name);
    const pair = map.items.find((candidate) => !isMergeKey(candidate.key) && keyName(candidate) === name);
    if (pair === undefined || rest.length === 0) {
      const nested = value === undefined ? undefined : nest(rest, value);
      const inherited = pairsOf(this.#parsed, map).find((entry) => entry.merged && entry.name === name);
      if (pair === undefined && nested === undefined && inherited === undefined) return;
      const keep = inherited !== undefined && nested === undefined ? null : nested;
      this.#changeMap(map, new Map([[name, keep]]), schema, seat);
      return;
    }
    const node = pair.value;
    const below = this.#seat(pair, seat.flow || map.flow === true);
    if (isMap(node)) this.#setIn(node, rest, value, member, below);
    else if (isAlias(node)) {
      const whole = withPath(plainNode(this.#parsed, node), rest, value);
      this.#replace(node, whole, below);
    } else if (value !== undefined) this.#assign(node, nest(rest, value), member, below);
  }

  /** Makes a node mean `value`, touching only what differs. */
  #assign(node: unknown, value: unknown, schema: Schema, seat: Seat): void {
    if (this.#means(node, value, schema)) return;
    const kind = bare(schema);
    if (isMap(node) && isMapValue(value)) {
      const changes = new Map<string, unknown>();
      const present = pairsOf(this.#parsed, node);
      for (const { name, merged } of present) {
        if (!isKnown(kind, name) || name in value) continue;
        changes.set(name, merged ? null : undefined);
      }
      for (const [name, member] of entries(value)) {
        const there = present.some((entry) => entry.name === name);
        if (!there && isKnown(kind, name) && kind instanceof z.ZodObject && isDefault(memberOf(kind, name), member))
          continue;
        changes.set(name, member);
      }
      this.#changeMap(node, changes, schema, seat);
    } else if (isSeq(node) && Array.isArray(value)) this.#changeList(node, value, schema, seat);
    else this.#replace(node, isMapValue(value) ? withoutDefaults(value, kind) : value, seat);
  }

  #means(node: unknown, value: unknown, schema: Schema): boolean {
    if (node === null || node === undefined || isNull(node)) return value === null;
    const before = z.safeParse(schema, readNode(this.#parsed, node, schema));
    const after = z.safeParse(schema, value);
    return before.success && after.success && isDeepStrictEqual(before.data, after.data);
  }

  /** Sets, adds and removes (`undefined`) pairs of one map. */
  #changeMap(map: YAMLMap, changes: ReadonlyMap<string, unknown>, schema: Schema, seat: Seat): void {
    const own = map.items.filter((pair) => !isMergeKey(pair.key));
    const removed = own.filter((pair) => changes.has(keyName(pair)) && changes.get(keyName(pair)) === undefined);
    const added = [...changes].filter(
      ([name, value]) => value !== undefined && !own.some((pair) => keyName(pair) === name),
    );
    if (map.items.length === 0 || (removed.length === map.items.length && (map.flow || added.length > 0))) {
      this.#replace(map, Object.fromEntries(added), seat);
      return;
    }
    for (const pair of own) {
      const value = changes.get(keyName(pair));
      if (value === undefined) continue;
      this.#assign(
        pair.value,
        value,
        memberOf(schema, keyName(pair)),
        this.#seat(pair, seat.flow || map.flow === true),
      );
    }
    if (removed.length === map.items.length) this.#empty(map, '{}', seat);
    else if (map.flow)
      this.#changeFlow(
        map,
        removed,
        added.map(([name, value]) => `${renderKey(name)}: ${renderFlow(value)}`),
      );
    else {
      this.#removePairs(map, removed);
      const column = this.#column(start(map.items[0] as Pair));
      const after = this.#lineEnd(this.#contentEnd(map.items.at(-1)));
      const block = added.map(([name, value]) =>
        renderPair(name, clean(value, memberOf(schema, name)), column, this.#newline),
      );
      if (block.length > 0) this.#insertLines(after, block.join(''));
    }
  }

  #removePairs(map: YAMLMap, removed: readonly Pair[]): void {
    const onDashLine =
      removed.length > 0 && removed[0] === map.items[0] && !this.#startsLine(start(removed[0] as Pair));
    const kept = map.items.find((pair) => !removed.includes(pair)) as Pair;
    for (const pair of removed) {
      if (onDashLine && start(pair) < start(kept)) continue;
      if (!this.#startsLine(start(pair))) throw new UnusualLayout('several pairs on a line');
      this.#cutLines(start(pair), this.#contentEnd(pair));
    }
    if (onDashLine) this.#cut(start(removed[0] as Pair), start(kept));
  }

  #changeList(list: YAMLSeq, values: readonly unknown[], schema: Schema, seat: Seat): void {
    const element = elementOf(schema);
    const read = (item: unknown) => {
      const value = readNode(this.#parsed, item, element);
      const result = value === undefined ? undefined : z.safeParse(element, value);
      return result?.success ? result.data : undefined;
    };
    const effective = (item: unknown) => {
      const result = z.safeParse(element, item);
      return result.success ? result.data : item;
    };
    const before = list.items.map(read);
    const shown = z.safeParse(schema, readNode(this.#parsed, list, schema));
    const visible = new Set(this.#visible(before, shown.success ? (shown.data as unknown[]) : before));
    const match = matchItems(
      before.map((item, index) => (visible.has(index) ? item : undefined)),
      values.map(effective),
    );
    const gone = before.filter((_, index) => visible.has(index) && !match.includes(index));
    const hidden = [...before.keys()].filter(
      (index) => !visible.has(index) && !gone.some((item) => sameIdentity(item, before[index])),
    );
    if (match.every((index) => index === undefined) && hidden.length === 0) {
      if (values.length === 0 && !list.flow) this.#empty(list, '[]', seat);
      else
        this.#replace(
          list,
          values.map((value) => clean(value, element)),
          seat,
        );
    } else if (list.flow) this.#changeFlowList(list, values, match, hidden, element, seat);
    else this.#changeBlockList(list, values, match, hidden, element);
  }

  /** Indices of the items that sanitising lets through. */
  #visible(before: readonly unknown[], shown: readonly unknown[]): number[] {
    const rest = [...shown];
    return [...before.keys()].filter((index) => {
      const at = rest.findIndex((item) => isDeepStrictEqual(item, before[index]));
      if (at >= 0) rest.splice(at, 1);
      return at >= 0;
    });
  }

  #changeBlockList(
    list: YAMLSeq,
    values: readonly unknown[],
    match: readonly (number | undefined)[],
    hidden: readonly number[],
    element: Schema,
  ): void {
    const dashes = this.#dashes(list);
    const starts = dashes.map((dash) => this.#lineStart(dash));
    const ends = list.items.map((item, index) => {
      const last = isNull(item) ? (dashes[index] as number) + 1 : this.#contentEnd(item);
      return Math.min(this.#lineEnd(last) + 1, this.#text.length);
    });
    if (dashes.some((dash) => !this.#startsLine(dash))) throw new UnusualLayout('a list inside a list');
    const column = this.#column(dashes[0] as number);
    const lead = (index: number) => (index === 0 ? '' : this.#text.slice(ends[index - 1], starts[index]));
    const whole = (piece: string) => (piece === '' || piece.endsWith('\n') ? piece : piece + this.#newline);

    const pieces: string[] = [];
    const told = new Set<number>();
    let next = 0;
    // Comments above an item stay where they are, also when the item before them goes.
    const passTo = (index: number, including: boolean) => {
      for (; next < index + (including ? 1 : 0); next++) {
        if (told.has(next)) continue;
        told.add(next);
        pieces.push(lead(next));
        if (next !== index && hidden.includes(next)) pieces.push(this.#text.slice(starts[next], ends[next]));
      }
    };
    for (const [at, value] of values.entries()) {
      const index = match[at];
      if (index === undefined) {
        pieces.push(renderItem(clean(value, element), column, this.#newline));
        continue;
      }
      passTo(index, true);
      if (!told.has(index)) {
        told.add(index);
        pieces.push(lead(index));
      }
      const seat = { after: (dashes[index] as number) + 1, column, flow: false };
      const inner = this.#within(() => this.#assign(list.items[index], value, element, seat));
      const [from, to] = [starts[index] as number, ends[index] as number];
      if (inner.some((splice) => splice.start < from || splice.end > to))
        throw new UnusualLayout('an item reaches out');
      pieces.push(applySplices(this.#text.slice(from, to), shift(inner, -from)));
    }
    passTo(list.items.length, false);
    const text = pieces.map((piece, index) => (index === pieces.length - 1 ? piece : whole(piece))).join('');
    this.#put(starts[0] as number, ends.at(-1) as number, ends.at(-1) === this.#text.length ? text : whole(text));
  }

  #changeFlowList(
    list: YAMLSeq,
    values: readonly unknown[],
    match: readonly (number | undefined)[],
    hidden: readonly number[],
    element: Schema,
    seat: Seat,
  ): void {
    const order = match.filter((index) => index !== undefined);
    const appended = match.slice(order.length).every((index) => index === undefined);
    const sorted = order.every((index, at) => at === 0 || index > (order[at - 1] as number));
    if (!appended || !sorted || order.length === 0) {
      const kept = hidden.map((index) => plainNode(this.#parsed, list.items[index]));
      this.#replace(list, [...values.map((value) => clean(value, element)), ...kept], seat);
      return;
    }
    for (const [at, index] of order.entries()) {
      this.#assign(list.items[index], values[at], element, { after: -1, column: 0, flow: true });
    }
    const removed = list.items.filter((_, index) => !order.includes(index) && !hidden.includes(index));
    this.#changeFlow(
      list,
      removed as Node[],
      values.slice(order.length).map((value) => renderFlow(clean(value, element))),
    );
  }

  /** Removes members of a bracketed collection, at least one of which stays, and adds others behind the last. */
  #changeFlow(collection: YAMLMap | YAMLSeq, removed: readonly unknown[], added: readonly string[]): void {
    const items = collection.items as (Node | Pair)[];
    const end = (item: Node | Pair) => this.#contentEnd(item);
    const lastKept = items.findLastIndex((item) => !removed.includes(item));
    for (const [index, item] of items.entries()) {
      if (removed.includes(item) && index < lastKept) this.#cut(start(item), start(items[index + 1] as Node));
    }
    const from = end(items[lastKept] as Node);
    const to = lastKept < items.length - 1 ? end(items.at(-1) as Node) : from;
    if (to > from || added.length > 0) this.#put(from, to, added.map((text) => `, ${text}`).join(''));
  }

  /** Puts a value where another stood, whatever it was. */
  #replace(given: unknown, value: unknown, seat: Seat): void {
    const node = given as Node | null;
    if (node === null || isNull(node) || node.range === undefined || node.range === null) {
      const written = isNull(node) ? ((node as Scalar).source?.length ?? 0) : 0;
      const at = written > 0 || seat.after < 0 ? (node?.range?.[0] ?? seat.after) : seat.after;
      if (seat.flow || !isCollection(value) || isEmptyCollection(value)) {
        this.#put(at, at + written, `${written > 0 ? '' : ' '}${renderFlow(value)}`);
      } else {
        this.#cut(written > 0 ? seat.after : at, at + written);
        this.#insertLines(this.#lineEnd(at + written), renderBlock(value, seat.column + 2, this.#newline));
      }
      return;
    }
    const block = (isMap(node) || isSeq(node)) && !node.flow;
    if (block) {
      if (isMap(node) && !this.#startsLine(start(node.items[0] as Pair))) throw new UnusualLayout('a map after a dash');
      if (!isCollection(value) || isEmptyCollection(value)) this.#empty(node, renderFlow(value), seat);
      else {
        const column = isMap(node)
          ? this.#column(start(node.items[0] as Pair))
          : this.#column(this.#dashes(node)[0] as number);
        const [from, to] = this.#lines(this.#firstOffset(node), this.#contentEnd(node));
        this.#put(from, to, renderBlock(value, column, this.#newline));
      }
      return;
    }
    const [from, to] = [node.range[0], this.#contentEnd(node)];
    const emptyFlow = (isMap(node) || isSeq(node)) && node.items.length === 0;
    if (!seat.flow && isCollection(value) && !isEmptyCollection(value) && (emptyFlow || isScalar(node))) {
      this.#cut(seat.after, to);
      this.#insertLines(this.#lineEnd(to), renderBlock(value, seat.column + 2, this.#newline));
    } else this.#put(from, to, isCollection(value) ? renderFlow(value) : renderScalar(value, quotesOf(node)));
  }

  /** Leaves nothing of a block collection but its comments; `text` stands for it after the colon. */
  #empty(node: YAMLMap | YAMLSeq, text: string, seat: Seat): void {
    const offsets = isSeq(node) ? this.#dashes(node) : node.items.map((pair) => start(pair as Pair));
    if (offsets.some((offset) => !this.#startsLine(offset))) throw new UnusualLayout('several items on a line');
    this.#put(seat.after, seat.after, ` ${text}`);
    for (const [index, item] of node.items.entries()) {
      const offset = offsets[index] as number;
      this.#cutLines(offset, isNull(item) ? offset + 1 : this.#contentEnd(item as Node));
    }
  }

  #seat(pair: Pair, flow: boolean): Seat {
    const separators =
      (pair as { srcToken?: { sep?: { type: string; offset: number; source: string }[] } }).srcToken?.sep ?? [];
    const last = separators.findLast(({ type }) => ['map-value-ind', 'anchor', 'tag'].includes(type));
    if (last === undefined) throw new UnusualLayout('a key without a colon');
    return { after: last.offset + last.source.length, column: this.#column(start(pair)), flow };
  }

  #dashes(list: YAMLSeq): number[] {
    const token = list.srcToken;
    if (token?.type !== 'block-seq') throw new UnusualLayout('a list without dashes');
    const dashes = token.items.flatMap(({ start: tokens }) =>
      tokens.filter(({ type }) => type === 'seq-item-ind').map(({ offset }) => offset),
    );
    if (dashes.length !== list.items.length) throw new UnusualLayout('a list with loose comments');
    return dashes;
  }

  #firstOffset(node: YAMLMap | YAMLSeq): number {
    return isSeq(node) ? (this.#dashes(node)[0] as number) : start(node.items[0] as Pair);
  }

  /** Where the last character of a node is, comments after it not counted. */
  #contentEnd(item: unknown): number {
    const node = item as Node | Pair | null | undefined;
    if (node === null || node === undefined) throw new UnusualLayout('a place without a node');
    if ('key' in node) {
      const value = node.value as Node | null;
      const key = (node.key as Node).range?.[1] ?? 0;
      return value === null ? key : Math.max(key, this.#contentEnd(value));
    }
    if ((isMap(node) || isSeq(node)) && !node.flow && node.items.length > 0) {
      const last = node.items.at(-1);
      if (isSeq(node) && isNull(last)) return (this.#dashes(node).at(-1) as number) + 1;
      return this.#contentEnd(last);
    }
    let end = node.range?.[1] ?? 0;
    if (isScalar(node) && node.type?.startsWith('BLOCK')) {
      while (end > 0 && /[\r\n]/.test(this.#text[end - 1] as string)) end -= 1;
    }
    return end;
  }

  /** Runs edits and takes them out again, for use inside a larger one. */
  #within(edit: () => void): Splice[] {
    const before = this.splices.length;
    edit();
    return this.splices.splice(before);
  }

  #put(from: number, to: number, text: string): void {
    if (this.#text.slice(from, to) !== text) this.splices.push({ start: from, end: to, text });
  }

  #cut(from: number, to: number): void {
    if (to > from) this.splices.push({ start: from, end: to, text: '' });
  }

  #cutLines(from: number, to: number): void {
    this.#cut(...this.#lines(from, to));
  }

  #lines(from: number, to: number): [number, number] {
    return [this.#lineStart(from), Math.min(this.#lineEnd(to) + 1, this.#text.length)];
  }

  /** Adds whole lines below the line that ends at `end`. */
  #insertLines(end: number, lines: string): void {
    if (end >= this.#text.length) this.#append(lines);
    else this.#put(end + 1, end + 1, lines);
  }

  #append(lines: string): void {
    const gap = this.#text === '' || this.#text.endsWith('\n') ? '' : this.#newline;
    this.splices.push({ start: this.#text.length, end: this.#text.length, text: gap + lines });
  }

  #lineStart(offset: number): number {
    return this.#text.lastIndexOf('\n', offset - 1) + 1;
  }

  /** Offset of the line break, or the end of the text. */
  #lineEnd(offset: number): number {
    const end = this.#text.indexOf('\n', offset);
    return end < 0 ? this.#text.length : end;
  }

  #startsLine(offset: number): boolean {
    return this.#text.slice(this.#lineStart(offset), offset).trim() === '';
  }

  #column(offset: number): number {
    return offset - this.#lineStart(offset);
  }
}

/** Applies changes that do not overlap. At one place, what is inserted goes before what was cut. */
export function applySplices(text: string, splices: readonly Splice[]): string {
  const sorted = splices.map((splice, index) => ({ ...splice, index }));
  sorted.sort((a, b) => a.start - b.start || a.end - b.end || a.index - b.index);
  let result = '';
  let at = 0;
  for (const { start: from, end, text: put } of sorted) {
    if (from < at) throw new UnusualLayout('overlapping changes');
    result += text.slice(at, from) + put;
    at = end;
  }
  return result + text.slice(at);
}

function shift(splices: readonly Splice[], by: number): Splice[] {
  return splices.map((splice) => ({ ...splice, start: splice.start + by, end: splice.end + by }));
}

function start(item: Node | Pair): number {
  return ('key' in item ? (item.key as Node).range?.[0] : item.range?.[0]) ?? 0;
}

function keyName(pair: Pair): string {
  return isScalar(pair.key) ? sourceText(pair.key) : String(pair.key);
}

function quotesOf(node: Node): Quotes {
  const type = isScalar(node) ? node.type : undefined;
  return type === 'QUOTE_SINGLE' ? 'single' : type === 'PLAIN' ? 'plain' : 'double';
}

function memberOf(schema: Schema, name: string): Schema {
  const kind = bare(schema);
  if (kind instanceof z.ZodObject) return (kind.shape[name] as Schema | undefined) ?? z.unknown();
  return kind instanceof z.ZodRecord ? kind.def.valueType : z.unknown();
}

function elementOf(schema: Schema): Schema {
  const kind = bare(schema);
  return kind instanceof z.ZodArray ? kind.element : z.unknown();
}

/** A member that a new value without it removes; others in the file are the user's own. */
function isKnown(kind: Schema, name: string): boolean {
  return !(kind instanceof z.ZodObject) || Object.hasOwn(kind.shape, name);
}

function clean(value: unknown, schema: Schema): unknown {
  const kind = bare(schema);
  if (Array.isArray(value)) return value.map((item) => clean(item, elementOf(kind)));
  return isMapValue(value) ? withoutDefaults(value, kind) : value;
}

function withoutDefaults(value: Readonly<Record<string, unknown>>, kind: Schema): Record<string, unknown> {
  return Object.fromEntries(
    entries(value)
      .filter(
        ([name, member]) =>
          !(kind instanceof z.ZodObject && isKnown(kind, name) && isDefault(memberOf(kind, name), member)),
      )
      .map(([name, member]) => [name, clean(member, memberOf(kind, name))]),
  );
}

/** `nest(['a', 'b'], 1)` = `{a: {b: 1}}` */
export function nest(path: readonly string[], value: unknown): unknown {
  return path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
}

/** A copy with one path set; `undefined` removes it. */
export function withPath(tree: unknown, path: readonly string[], value: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const copy: Record<string, unknown> = { ...(isMapValue(tree) ? tree : {}) };
  const next = withPath(copy[name], rest, value);
  if (next === undefined || (rest.length > 0 && value === undefined && copy[name] === undefined)) delete copy[name];
  else copy[name] = next;
  return copy;
}
