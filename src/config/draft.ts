// A config text being edited: each change is made in place and proven to change nothing else, or not made at all.
import { isDeepStrictEqual } from 'node:util';
import { isAlias, visit } from 'yaml';
import { fileSchema } from './legacy.ts';
import { ConfigError, interpret, type LoadedConfig, parseConfig } from './load.ts';
import { applySplices, type Splice, UnusualLayout } from './page.ts';
import { isMapValue, renderFlow } from './render.ts';
import type { Config } from './schema.ts';
import { Splicer, withPath } from './splice.ts';
import { parseText, plainNode, plainTree } from './yaml.ts';

/** A change that was refused; nothing was changed. */
export class ConfigEditError extends Error {
  /** `impossible`: cannot be made without touching more; `would_open`: would let everyone in; `stale`: someone else was faster. */
  readonly code: 'impossible' | 'would_open' | 'stale';

  constructor(code: ConfigEditError['code'], message: string) {
    super(message);
    this.name = 'ConfigEditError';
    this.code = code;
  }
}

export class ConfigDraft {
  #loaded: LoadedConfig;
  readonly #path: string;
  #broken: Error | undefined;

  /** `broken`: why the file cannot be read at all; then only `replaceText` works. */
  constructor(loaded: LoadedConfig, path: string, broken?: Error) {
    this.#loaded = loaded;
    this.#path = path;
    this.#broken = broken;
  }

  get text(): string {
    return this.#loaded.text;
  }

  /** What the text means now: earlier changes of the same draft included. */
  get config(): Config {
    return this.#loaded.config;
  }

  get loaded(): LoadedConfig {
    return this.#loaded;
  }

  /**
   * Gives a key a new value: scalars, maps and whole lists (`['gemini-api-key']`). Items of a list are matched with
   * those in the file by identity, so that only what differs is touched; values of unchanged meaning and defaults are
   * not written. Throws `ConfigError` when the result would not load.
   */
  set(path: readonly string[], value: unknown): this {
    if (this.#broken !== undefined) throw this.#broken;
    this.#migrate();
    return this.#change(this.#asSpelled(path), value);
  }

  /** Removes a key. Comments above it stay. */
  remove(path: readonly string[]): this {
    return this.set(path, undefined);
  }

  /** Replaces the whole text, as it is. */
  replaceText(text: string): this {
    this.#loaded = parseConfig(text, this.#path);
    this.#broken = undefined;
    return this;
  }

  #change(path: readonly string[], value: unknown): this {
    const wanted = interpret(withPath(this.#loaded.given, path, value) as Record<string, unknown>, this.#path);
    if (isDeepStrictEqual(wanted, this.#loaded.config) && this.#isSettled(path, value)) return this;
    for (const attempt of attempts) {
      const text = attempt(this.#body(), path, value);
      const loaded = text === undefined ? undefined : this.#proven(text, path, wanted);
      if (loaded === undefined) continue;
      this.#loaded = loaded;
      return this;
    }
    throw new ConfigEditError(
      'impossible',
      `${path.join('.')} cannot be changed in ${this.#path} without other changes`,
    );
  }

  /** `Codex:` in the file is the channel `codex` of the configuration. */
  #asSpelled(path: readonly string[]): readonly string[] {
    const [root, name, ...rest] = path;
    const map = root === undefined ? undefined : this.#loaded.given[root];
    if (root === undefined || name === undefined || !isMapValue(map) || name in map) return path;
    const there = Object.keys(map).find((candidate) => candidate.trim().toLowerCase() === name);
    return there === undefined ? path : [root, there, ...rest];
  }

  /** A change without effect is not written; a removal is, when the key is there. */
  #isSettled(path: readonly string[], value: unknown): boolean {
    if (value !== undefined) return true;
    return at(this.#loaded.given, path) === undefined && at(plainTree(parseText(this.#body())), path) === undefined;
  }

  #proven(body: string, path: readonly string[], wanted: Config): LoadedConfig | undefined {
    const before = plainTree(parseText(this.#body()));
    const parsed = parseText(body);
    if (parsed.errors.length > 0) return undefined;
    const after = plainTree(parsed);
    if (!isDeepStrictEqual(prune(before, path), prune(after, path))) return undefined;
    try {
      const loaded = parseConfig(this.#marked(body), this.#path);
      return isDeepStrictEqual(loaded.config, wanted) ? loaded : undefined;
    } catch (error) {
      if (error instanceof ConfigError) return undefined;
      throw error;
    }
  }

  #body(): string {
    return this.#loaded.text.replace(/^\ufeff/, '');
  }

  /** With the byte order mark that the file has. */
  #marked(body: string): string {
    return this.#loaded.text.startsWith('\ufeff') ? `\ufeff${body}` : body;
  }

  #migrate(): void {
    const { set, remove } = this.#loaded.legacy;
    if (set.length === 0 && remove.length === 0) return;
    const { given } = this.#loaded;
    let body = this.#body();
    for (const name of remove) body = splice(body, [name], undefined);
    for (const name of set) if (given[name] !== undefined) body = splice(body, [name], given[name]);
    const loaded = parseConfig(this.#marked(body), this.#path);
    if (!isDeepStrictEqual(loaded.config, this.#loaded.config)) {
      throw new ConfigEditError(
        'impossible',
        `older key names in ${this.#path} cannot be renamed; rename them by hand`,
      );
    }
    this.#loaded = loaded;
  }
}

type Attempt = (body: string, path: readonly string[], value: unknown) => string | undefined;

/** From the smallest change to larger ones; each is checked before it counts. */
const attempts: readonly Attempt[] = [
  (body, path, value) => attempt(() => splice(body, path, value)),
  (body, path, value) => attempt(() => splice(withoutAliases(body, path), path, value)),
  (body, path, value) => attempt(() => splice(splice(withoutAliases(body, path), path, undefined), path, value)),
];

function attempt(edit: () => string): string | undefined {
  try {
    return edit();
  } catch (error) {
    if (error instanceof UnusualLayout) return undefined;
    throw error;
  }
}

function splice(body: string, path: readonly string[], value: unknown): string {
  const splicer = new Splicer(body, parseText(body));
  splicer.setRoot(path, value, fileSchema);
  return applySplices(body, splicer.splices);
}

/** Writes out the aliases of anchors that stand inside a top-level key, so that the anchors may change. */
function withoutAliases(body: string, path: readonly string[]): string {
  const parsed = parseText(body);
  const splices: Splice[] = [];
  if (parsed.doc === undefined) return body;
  const inside = new Set<string>();
  visit(parsed.doc, {
    Pair(_, pair, ancestors) {
      if (ancestors.length !== 2 || String(pair.key) !== path[0]) return;
      visit(pair as never, (_key, node) => {
        if (typeof node === 'object' && node !== null && 'anchor' in node && node.anchor)
          inside.add(String(node.anchor));
      });
    },
  });
  visit(parsed.doc, {
    Alias(_, node) {
      if (!isAlias(node) || !inside.has(node.source) || !node.range) return;
      splices.push({ start: node.range[0], end: node.range[1], text: renderFlow(plainNode(parsed, node)) });
    },
  });
  return applySplices(body, splices);
}

function prune(tree: unknown, path: readonly string[]): unknown {
  const pruned = withPath(tree, path, undefined);
  return path.length > 1 && isEmptyAt(pruned, path[0] as string)
    ? withPath(pruned, [path[0] as string], undefined)
    : pruned;
}

function isEmptyAt(tree: unknown, name: string): boolean {
  const value = at(tree, [name]);
  return value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
}

function at(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (node, name) => (typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[name] : undefined),
    tree,
  );
}
