// A YAML text as lines and offsets, and the changes gathered for it.
import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLSeq } from 'yaml';
import { isNull } from './yaml.ts';

export interface Splice {
  start: number;
  end: number;
  text: string;
}

/** The text is laid out in a way that this module does not edit piece by piece. */
export class UnusualLayout extends Error {}

export class Page {
  readonly splices: Splice[] = [];
  readonly text: string;
  readonly newline: string;

  constructor(text: string) {
    this.text = text;
    this.newline = /\r\n/.test(text) ? '\r\n' : '\n';
  }

  dashes(list: YAMLSeq): number[] {
    const token = list.srcToken;
    if (token?.type !== 'block-seq') throw new UnusualLayout('a list without dashes');
    const dashes = token.items.flatMap(({ start: tokens }) =>
      tokens.filter(({ type }) => type === 'seq-item-ind').map(({ offset }) => offset),
    );
    if (dashes.length !== list.items.length) throw new UnusualLayout('a list with loose comments');
    return dashes;
  }

  /** Where the last character of a node is, comments after it not counted. */
  contentEnd(item: unknown): number {
    const node = item as Node | Pair | null | undefined;
    if (node === null || node === undefined) throw new UnusualLayout('a place without a node');
    if ('key' in node) {
      const value = node.value as Node | null;
      const key = (node.key as Node).range?.[1] ?? 0;
      return value === null ? key : Math.max(key, this.contentEnd(value));
    }
    if ((isMap(node) || isSeq(node)) && !node.flow && node.items.length > 0) {
      const last = node.items.at(-1);
      if (isSeq(node) && isNull(last)) return (this.dashes(node).at(-1) as number) + 1;
      return this.contentEnd(last);
    }
    let end = node.range?.[1] ?? 0;
    if (isScalar(node) && node.type?.startsWith('BLOCK')) {
      while (end > 0 && /[\r\n]/.test(this.text[end - 1] as string)) end -= 1;
    }
    return end;
  }

  /** Runs edits and takes them out again, for use inside a larger one. */
  within(edit: () => void): Splice[] {
    const before = this.splices.length;
    edit();
    return this.splices.splice(before);
  }

  put(from: number, to: number, text: string): void {
    if (this.text.slice(from, to) !== text) this.splices.push({ start: from, end: to, text });
  }

  cut(from: number, to: number): void {
    if (to > from) this.splices.push({ start: from, end: to, text: '' });
  }

  cutLines(from: number, to: number): void {
    this.cut(...this.lines(from, to));
  }

  lines(from: number, to: number): [number, number] {
    return [this.lineStart(from), Math.min(this.lineEnd(to) + 1, this.text.length)];
  }

  /** Adds whole lines below the line that ends at `end`. */
  insertLines(end: number, lines: string): void {
    if (end >= this.text.length) this.append(lines);
    else this.put(end + 1, end + 1, lines);
  }

  append(lines: string): void {
    const gap = this.text === '' || this.text.endsWith('\n') ? '' : this.newline;
    this.splices.push({ start: this.text.length, end: this.text.length, text: gap + lines });
  }

  lineStart(offset: number): number {
    return this.text.lastIndexOf('\n', offset - 1) + 1;
  }

  /** Offset of the line break, or the end of the text. */
  lineEnd(offset: number): number {
    const end = this.text.indexOf('\n', offset);
    return end < 0 ? this.text.length : end;
  }

  startsLine(offset: number): boolean {
    return this.text.slice(this.lineStart(offset), offset).trim() === '';
  }

  column(offset: number): number {
    return offset - this.lineStart(offset);
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

export function shift(splices: readonly Splice[], by: number): Splice[] {
  return splices.map((splice) => ({ ...splice, start: splice.start + by, end: splice.end + by }));
}

/** Where a pair or node begins. */
export function start(item: Node | Pair): number {
  return ('key' in item ? (item.key as Node).range?.[0] : item.range?.[0]) ?? 0;
}
