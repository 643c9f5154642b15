// Reads an argument list by the rules of Go's flag package (config.md §8, https://pkg.go.dev/flag#hdr-Command_line_flag_syntax),
// except that words never end the reading: a forgotten dash must not start a server.
import { type Flag, flagByName, flags } from './flags.ts';

export type FlagValue = string | number | true;

export interface Arguments {
  /** By flag name; a bool flag that is off is absent. */
  values: ReadonlyMap<string, FlagValue>;
  /** What is no flag, in order. */
  words: readonly string[];
}

/** Wrong usage: exit 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

const booleans: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

/** Throws `UsageError`. */
export function readArguments(argv: readonly string[]): Arguments {
  const values = new Map<string, FlagValue>();
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] as string;
    if (argument === '--') {
      words.push(...argv.slice(index + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      words.push(argument);
      continue;
    }
    const { name, inline } = split(argument);
    const flag = flagByName.get(name === 'h' ? 'help' : name);
    if (flag === undefined) throw new UsageError(`flag provided but not defined: -${name}${hint(name)}`);
    if (flag.kind === 'bool') setBool(values, flag, inline);
    else {
      const text = inline ?? argv[++index];
      if (text === undefined) throw new UsageError(`flag needs an argument: -${name}`);
      values.set(flag.name, readValue(flag, text));
    }
  }
  return { values, words };
}

/** The same arguments in the one form that commander reads without doubt: `--name=value`, `--name`, then words. */
export function canonicalArguments({ values, words }: Arguments): string[] {
  const options = [...values].map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`));
  return words.length === 0 ? options : [...options, '--', ...words];
}

/** The value of a flag, checked. Throws `UsageError`. */
export function readValue(flag: Flag, text: string): string | number {
  if (flag.kind !== 'number') return text;
  // Go reads 0x10 and 1_000 as well.
  const digits = text.trim().replaceAll('_', '');
  const number = /^[+-]?(\d+|0[xX][0-9a-fA-F]+)$/.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isNaN(number)) throw new UsageError(`invalid value "${text}" for flag -${flag.name}: not a number`);
  if (number < 0 || number > 65_535) {
    throw new UsageError(`invalid value "${text}" for flag -${flag.name}: a port is between 0 and 65535`);
  }
  return number;
}

function split(argument: string): { name: string; inline: string | undefined } {
  const body = argument.replace(/^--?/, '');
  const equals = body.indexOf('=');
  const name = equals === -1 ? body : body.slice(0, equals);
  if (name === '' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${argument}`);
  return { name, inline: equals === -1 ? undefined : body.slice(equals + 1) };
}

/** The last of several counts, so an off removes an earlier on. */
function setBool(values: Map<string, FlagValue>, flag: Flag, inline: string | undefined): void {
  const on = inline === undefined ? true : booleans[inline];
  if (on === undefined) throw new UsageError(`invalid boolean value "${inline}" for -${flag.name}`);
  if (on) values.set(flag.name, true);
  else values.delete(flag.name);
}

function hint(name: string): string {
  const close = flags
    .filter((flag) => !flag.hidden)
    .map((flag) => ({
      flag,
      distance: distanceOf(name.toLowerCase().replaceAll('_', '-'), flag.name.replaceAll('_', '-')),
    }))
    .sort((a, b) => a.distance - b.distance)[0];
  return close !== undefined && close.distance <= 2 ? ` (did you mean -${close.flag.name}?)` : '';
}

/** Levenshtein's edit distance. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
