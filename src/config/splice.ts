// Finds the smallest changes of a YAML text that give one node a new value: every other byte stays (spec/config.md W1, W6).
import { isDeepStrictEqual } from 'node:util';
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml';
import * as z from 'zod';
import { isDefault } from './load.ts';
import { matchItems, sameIdentity } from './match.ts';
import { clean, elementOf, isKnown, memberOf, type Schema, withoutDefaults } from './members.ts';
import { applySplices, Page, type Splice, shift, start, UnusualLayout } from './page.ts';
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

/** Where a value stands: after a key's colon, after a dash, or inside brackets. */
interface Seat {
  /** Offset right after the colon or dash (and an anchor), where a value may begin. */
  after: number;
  /** Column of the key or dash. */
  column: number;
  flow: boolean;
}

export class Splicer {
  readonly #page: Page;
  readonly #text: string;
  readonly #parsed: ParsedText;
  readonly #newline: string;

  constructor(text: string, parsed: ParsedText) {
    this.#page = new Page(text);
    this.#text = text;
    this.#parsed = parsed;
    this.#newline = this.#page.newline;
  }

  get splices(): readonly Splice[] {
    return this.#page.splices;
  }

  /** Gives `path` a new value; `undefined` removes it. Missing parents are made. */
  setRoot(path: readonly string[], value: unknown, schema: z.ZodObject): void {
    const root = this.#parsed.root;
    if (root === null || isNull(root)) {
      if (value !== undefined) this.#page.append(renderBlock(nest(path, value), 0, this.#newline));
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
    if (isMap(node) && isMapValue(value)) this.#assignMap(node, value, kind, seat);
    else if (isSeq(node) && Array.isArray(value)) this.#changeList(node, value, schema, seat);
    else this.#replace(node, isMapValue(value) ? withoutDefaults(value, kind) : value, seat);
  }

  #assignMap(map: YAMLMap, given: Readonly<Record<string, unknown>>, kind: Schema, seat: Seat): void {
    const present = new Map(pairsOf(this.#parsed, map).map(({ name, merged }) => [name, merged]));
    const value = kind instanceof z.ZodRecord ? asSpelled(given, present) : given;
    const changes = new Map<string, unknown>();
    for (const [name, merged] of present) {
      if (isKnown(kind, name) && !(name in value)) changes.set(name, merged ? null : undefined);
    }
    for (const [name, member] of entries(value)) {
      const known = kind instanceof z.ZodObject && isKnown(kind, name);
      if (present.has(name) || !known || !isDefault(memberOf(kind, name), member)) changes.set(name, member);
    }
    this.#changeMap(map, changes, kind, seat);
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
      const column = this.#page.column(start(map.items[0] as Pair));
      const after = this.#page.lineEnd(this.#page.contentEnd(map.items.at(-1)));
      const block = added.map(([name, value]) =>
        renderPair(name, clean(value, memberOf(schema, name)), column, this.#newline),
      );
      if (block.length > 0) this.#page.insertLines(after, block.join(''));
    }
  }

  #removePairs(map: YAMLMap, removed: readonly Pair[]): void {
    const onDashLine =
      removed.length > 0 && removed[0] === map.items[0] && !this.#page.startsLine(start(removed[0] as Pair));
    const kept = map.items.find((pair) => !removed.includes(pair)) as Pair;
    for (const pair of removed) {
      if (onDashLine && start(pair) < start(kept)) continue;
      if (!this.#page.startsLine(start(pair))) throw new UnusualLayout('several pairs on a line');
      this.#page.cutLines(start(pair), this.#page.contentEnd(pair));
    }
    if (onDashLine) this.#page.cut(start(removed[0] as Pair), start(kept));
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
    const dashes = this.#page.dashes(list);
    const starts = dashes.map((dash) => this.#page.lineStart(dash));
    const ends = list.items.map((item, index) => {
      const last = isNull(item) ? (dashes[index] as number) + 1 : this.#page.contentEnd(item);
      return Math.min(this.#page.lineEnd(last) + 1, this.#text.length);
    });
    if (dashes.some((dash) => !this.#page.startsLine(dash))) throw new UnusualLayout('a list inside a list');
    const column = this.#page.column(dashes[0] as number);
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
      const inner = this.#page.within(() => this.#assign(list.items[index], value, element, seat));
      const [from, to] = [starts[index] as number, ends[index] as number];
      if (inner.some((splice) => splice.start < from || splice.end > to))
        throw new UnusualLayout('an item reaches out');
      pieces.push(applySplices(this.#text.slice(from, to), shift(inner, -from)));
    }
    passTo(list.items.length, false);
    const text = pieces.map((piece, index) => (index === pieces.length - 1 ? piece : whole(piece))).join('');
    this.#page.put(starts[0] as number, ends.at(-1) as number, ends.at(-1) === this.#text.length ? text : whole(text));
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
    const end = (item: Node | Pair) => this.#page.contentEnd(item);
    const lastKept = items.findLastIndex((item) => !removed.includes(item));
    for (const [index, item] of items.entries()) {
      if (removed.includes(item) && index < lastKept) this.#page.cut(start(item), start(items[index + 1] as Node));
    }
    const from = end(items[lastKept] as Node);
    const to = lastKept < items.length - 1 ? end(items.at(-1) as Node) : from;
    if (to > from || added.length > 0) this.#page.put(from, to, added.map((text) => `, ${text}`).join(''));
  }

  /** Puts a value where another stood, whatever it was. */
  #replace(given: unknown, value: unknown, seat: Seat): void {
    const node = given as Node | null;
    if (node === null || isNull(node) || node.range === undefined || node.range === null) {
      const written = isNull(node) ? ((node as Scalar).source?.length ?? 0) : 0;
      const at = written > 0 || seat.after < 0 ? (node?.range?.[0] ?? seat.after) : seat.after;
      if (seat.flow || !isCollection(value) || isEmptyCollection(value)) {
        this.#page.put(at, at + written, `${written > 0 ? '' : ' '}${renderFlow(value)}`);
      } else {
        this.#page.cut(written > 0 ? seat.after : at, at + written);
        this.#page.insertLines(this.#page.lineEnd(at + written), renderBlock(value, seat.column + 2, this.#newline));
      }
      return;
    }
    const block = (isMap(node) || isSeq(node)) && !node.flow;
    if (block) {
      if (isMap(node) && !this.#page.startsLine(start(node.items[0] as Pair)))
        throw new UnusualLayout('a map after a dash');
      if (!isCollection(value) || isEmptyCollection(value)) this.#empty(node, renderFlow(value), seat);
      else {
        const column = isMap(node)
          ? this.#page.column(start(node.items[0] as Pair))
          : this.#page.column(this.#page.dashes(node)[0] as number);
        const [from, to] = this.#page.lines(this.#firstOffset(node), this.#page.contentEnd(node));
        this.#page.put(from, to, renderBlock(value, column, this.#newline));
      }
      return;
    }
    const [from, to] = [node.range[0], this.#page.contentEnd(node)];
    const emptyFlow = (isMap(node) || isSeq(node)) && node.items.length === 0;
    if (!seat.flow && isCollection(value) && !isEmptyCollection(value) && (emptyFlow || isScalar(node))) {
      this.#page.cut(seat.after, to);
      this.#page.insertLines(this.#page.lineEnd(to), renderBlock(value, seat.column + 2, this.#newline));
    } else this.#page.put(from, to, isCollection(value) ? renderFlow(value) : renderScalar(value, quotesOf(node)));
  }

  /** Leaves nothing of a block collection but its comments; `text` stands for it after the colon. */
  #empty(node: YAMLMap | YAMLSeq, text: string, seat: Seat): void {
    const offsets = isSeq(node) ? this.#page.dashes(node) : node.items.map((pair) => start(pair as Pair));
    if (offsets.some((offset) => !this.#page.startsLine(offset))) throw new UnusualLayout('several items on a line');
    this.#page.put(seat.after, seat.after, ` ${text}`);
    for (const [index, item] of node.items.entries()) {
      const offset = offsets[index] as number;
      this.#page.cutLines(offset, isNull(item) ? offset + 1 : this.#page.contentEnd(item as Node));
    }
  }

  #seat(pair: Pair, flow: boolean): Seat {
    const separators =
      (pair as { srcToken?: { sep?: { type: string; offset: number; source: string }[] } }).srcToken?.sep ?? [];
    const last = separators.findLast(({ type }) => ['map-value-ind', 'anchor', 'tag'].includes(type));
    if (last === undefined) throw new UnusualLayout('a key without a colon');
    return { after: last.offset + last.source.length, column: this.#page.column(start(pair)), flow };
  }

  #firstOffset(node: YAMLMap | YAMLSeq): number {
    return isSeq(node) ? (this.#page.dashes(node)[0] as number) : start(node.items[0] as Pair);
  }
}

function keyName(pair: Pair): string {
  return isScalar(pair.key) ? sourceText(pair.key) : String(pair.key);
}

function quotesOf(node: Node): Quotes {
  const type = isScalar(node) ? node.type : undefined;
  return type === 'QUOTE_SINGLE' ? 'single' : type === 'PLAIN' ? 'plain' : 'double';
}

/** Names of a map as the file spells them: channels are lower-case only in the configuration. */
function asSpelled(
  value: Readonly<Record<string, unknown>>,
  present: ReadonlyMap<string, unknown>,
): Record<string, unknown> {
  const spelled = new Map([...present.keys()].map((name) => [name.trim().toLowerCase(), name]));
  return Object.fromEntries(
    entries(value).map(([name, member]) => [present.has(name) ? name : (spelled.get(name) ?? name), member]),
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
