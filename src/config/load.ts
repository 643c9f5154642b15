// Text of a config file in, effective configuration or one precise complaint out. Nothing is half loaded.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { fileSchema, foldLegacy, type LegacyResult } from './legacy.ts';
import { isRawJson } from './model-rules.ts';
import { type Config, configSchema, strategyOf } from './schema.ts';
import { bare, dotted, type ParsedText, parseText, place, type Remark, readTree } from './yaml.ts';

export type Tree = Record<string, unknown>;

export interface LoadedConfig {
  readonly text: string;
  /** Strong ETag of the text. */
  readonly revision: string;
  readonly config: Config;
  /** What the file says, today's names, before defaults and sanitising. */
  readonly given: Readonly<Tree>;
  /** Unknown keys, legacy names, dropped entries, settings without effect yet. */
  readonly warnings: readonly Remark[];
  /** What a write must rename. */
  readonly legacy: Pick<LegacyResult, 'set' | 'remove'>;
  /** True when `remote-management.secret-key` is not hashed yet. */
  readonly plainSecretKey: boolean;
}

/** A config file that cannot be used. `message` is one line, `config: <path>:<line>: <reason>`. */
export class ConfigError extends Error {
  readonly exit = 1;
  readonly path: string;
  readonly remarks: readonly Remark[];
  /** `syntax`: not YAML of the right types; `invalid`: a value out of range; `unreadable`: no text at all. */
  readonly code: 'syntax' | 'invalid' | 'unreadable';

  constructor(path: string, remarks: readonly Remark[], code: ConfigError['code']) {
    super(remarkLine(path, remarks[0] ?? { line: 1, column: 1, path: '', reason: 'invalid' }));
    this.name = 'ConfigError';
    this.path = path;
    this.remarks = remarks;
    this.code = code;
  }
}

/** `config: <path>:<line>: <key>: <reason>` */
export function remarkLine(file: string, remark: Remark): string {
  const key = remark.path === '' ? '' : `${remark.path}: `;
  return `config: ${file}:${remark.line}: ${key}${remark.reason}`;
}

const longestSecretBytes = 72;
const largestBytes = 8 * 1024 * 1024;

/** Loads a config text. `path` is for messages only. Throws `ConfigError`. */
export function parseConfig(text: string, path = 'config.yaml'): LoadedConfig {
  if (text.length > largestBytes) throw new ConfigError(path, [top('larger than 8 MiB')], 'unreadable');
  const body = text.startsWith('\ufeff') ? text.slice(1) : text;
  const parsed = parseText(body);
  if (parsed.errors.length > 0) throw new ConfigError(path, parsed.errors, 'syntax');
  const tree = readTree(parsed, fileSchema);
  if (tree.errors.length > 0) throw new ConfigError(path, tree.errors, 'syntax');

  const at = (key: string) => position(parsed, tree.places, key);
  const legacy = foldLegacy(tree.value);
  const config = interpret(legacy.value, path, at);
  const secret = config['remote-management']['secret-key'];
  const plainSecretKey = secret !== '' && !isHash(secret);
  if (plainSecretKey && Buffer.byteLength(secret) > longestSecretBytes) {
    const key = 'remote-management.secret-key';
    throw new ConfigError(path, [{ ...at(key), path: key, reason: 'longer than 72 bytes' }], 'invalid');
  }
  const remarks = [...legacy.remarks, ...droppedEntries(legacy.value, config), ...idle(legacy.value)];
  const warnings = [...tree.unknown, ...remarks.map((remark) => ({ ...at(remark.path), ...remark }))];
  return {
    text,
    revision: revisionOf(text),
    config,
    given: legacy.value,
    warnings: warnings.sort((a, b) => a.line - b.line),
    legacy: { set: legacy.set, remove: legacy.remove },
    plainSecretKey,
  };
}

/** The effective configuration of plain values under today's names. Throws `ConfigError`. */
export function interpret(
  tree: Readonly<Tree>,
  path: string,
  at: (key: string) => { line: number; column: number } = () => ({ line: 1, column: 1 }),
): Config {
  const result = configSchema.safeParse(tree);
  if (!result.success) throw new ConfigError(path, result.error.issues.map(remarkOf(at)), 'invalid');
  return freeze(result.data) as Config;
}

/** True for what bcrypt made; everything else is a plain key. */
export function isHash(secret: string): boolean {
  return /^\$2[aby]\$/.test(secret);
}

/** Strong ETag of a text. */
export function revisionOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('hex')}"`;
}

function top(reason: string): Remark {
  return { line: 1, column: 1, path: '', reason };
}

function position(parsed: ParsedText, places: ReadonlyMap<string, number>, key: string) {
  for (let path = key; path !== ''; path = path.replace(/(^|\.[^.[]*|\[\d+\]|^[^.[]*)$/, '')) {
    const offset = places.get(path);
    if (offset !== undefined) return place(parsed.lines, offset);
  }
  return { line: 1, column: 1 };
}

function remarkOf(at: (key: string) => { line: number; column: number }) {
  return (issue: z.core.$ZodIssue): Remark => {
    const path = dotted(issue.path.filter((part) => typeof part !== 'symbol'));
    return { ...at(path), path, reason: reasonOf(issue) };
  };
}

function reasonOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`;
  if (issue.code === 'too_small')
    return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
}

type Entry = Record<string, string | undefined>;

/** What sanitising threw away: a file may hold it, but it has no effect. */
function droppedEntries(given: Tree, config: Config): { path: string; reason: string }[] {
  const remarks: { path: string; reason: string }[] = [];
  const entries = (list: string) => (given[list] ?? []) as Entry[];
  for (const list of ['codex-api-key', 'openai-compatibility']) {
    for (const [index, entry] of entries(list).entries()) {
      if (!entry['base-url']?.trim()) remarks.push({ path: `${list}[${index}]`, reason: 'has no base-url, ignored' });
    }
  }
  for (const list of ['gemini-api-key', 'vertex-api-key']) {
    const seen = new Set<string>();
    for (const [index, entry] of entries(list).entries()) {
      const id = `${entry['api-key']?.trim() ?? ''}\0${entry['base-url']?.trim() ?? ''}`;
      if (!entry['api-key']?.trim()) remarks.push({ path: `${list}[${index}]`, reason: 'has no api-key, ignored' });
      else if (seen.has(id)) remarks.push({ path: `${list}[${index}]`, reason: 'is there twice, ignored' });
      seen.add(id);
    }
  }
  for (const kind of ['default-raw', 'override-raw']) {
    const rules = ((given.payload as Tree | undefined)?.[kind] ?? []) as { params?: Tree }[];
    for (const [index, rule] of rules.entries()) {
      if (!Object.values(rule.params ?? {}).every(isRawJson)) {
        remarks.push({ path: `payload.${kind}[${index}]`, reason: 'a value is not valid JSON, rule ignored' });
      }
    }
  }
  const strategy = (given.routing as Entry | undefined)?.strategy;
  if (strategy !== undefined && strategyOf(strategy) === undefined) {
    remarks.push({ path: 'routing.strategy', reason: `unknown strategy, ${config.routing.strategy} is used` });
  }
  return remarks;
}

/** Settings that are there and do nothing: once per key, not per entry. */
function idle(given: Tree): { path: string; reason: string }[] {
  const found = new Map<string, { path: string; reason: string }>();
  const visit = (schema: z.core.$ZodType, value: unknown, path: (string | number)[]) => {
    if (value === undefined) return;
    const effect = z.globalRegistry.get(schema as z.ZodType)?.effect ?? 'active';
    if (effect !== 'active') {
      const name = path.filter((part) => typeof part === 'string').join('.');
      if (found.has(name) || isDefault(schema, value)) return;
      const reason = effect === 'planned' ? 'not yet active' : 'accepted and kept, without effect';
      found.set(name, { path: dotted(path), reason });
      return;
    }
    const kind = bare(schema);
    if (kind instanceof z.ZodObject) {
      for (const [name, member] of Object.entries(kind.shape)) visit(member, (value as Tree)[name], [...path, name]);
    } else if (kind instanceof z.ZodArray) {
      for (const [index, item] of (value as unknown[]).entries()) visit(kind.element, item, [...path, index]);
    }
  };
  visit(configSchema, given, []);
  return [...found.values()];
}

/** True when a value means the same as leaving the key out. */
export function isDefault(schema: z.core.$ZodType, value: unknown): boolean {
  const without = z.safeParse(schema, undefined);
  const withValue = z.safeParse(schema, value);
  return without.success && withValue.success && isDeepStrictEqual(without.data, withValue.data);
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
