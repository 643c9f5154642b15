// The user's rewriting of upstream bodies: `payload` of the config, compiled once per config (config.md §6, upstreams.md §5).
import type { Config } from '../config/index.ts';
import type { Json, JsonObject, ProtocolId } from '../protocols/neutral.ts';

export interface PayloadContext {
  /** Upstream base name, requested base name, requested name with suffix; repeats do no harm. */
  names: readonly string[];
  /** Protocol of the body. */
  native: ProtocolId;
  /** Runtime provider key: Codex and Antigravity bodies have protocol names of their own. */
  provider: string;
  /** The native body before the provider's own additions: what the client itself said. Default: the body. */
  original?: JsonObject;
}

export interface PayloadRules {
  /** No rule at all: bodies need not be parsed. */
  readonly empty: boolean;
  /** A changed copy; the same object when no rule fits. */
  apply(body: JsonObject, context: PayloadContext): JsonObject;
}

const compiled = new WeakMap<Config, PayloadRules>();

/** The rules of this config snapshot. */
export function payloadRules(config: Config): PayloadRules {
  let rules = compiled.get(config);
  if (!rules) {
    rules = compile(config.payload);
    compiled.set(config, rules);
  }
  return rules;
}

type Path = readonly string[];

interface Rule {
  models: readonly { name: RegExp; protocol: string }[];
  /** In file order. */
  values: readonly { path: Path; value: Json }[];
}

interface Sections {
  defaults: Rule[];
  overrides: Rule[];
  filters: Rule[];
}

function compile(payload: unknown): PayloadRules {
  const section = (name: string): unknown[] => {
    const list = isRecord(payload) ? payload[name] : undefined;
    return Array.isArray(list) ? list : [];
  };
  const rules = (name: string, raw: boolean) => section(name).flatMap((entry) => compileRule(entry, raw));
  const sections: Sections = {
    defaults: [...rules('default', false), ...rules('default-raw', true)],
    overrides: [...rules('override', false), ...rules('override-raw', true)],
    filters: rules('filter', false),
  };
  const empty = Object.values(sections).every((list) => list.length === 0);
  return { empty, apply: (body, context) => (empty ? body : applyAll(sections, body, context)) };
}

function compileRule(entry: unknown, raw: boolean): Rule[] {
  if (!isRecord(entry)) return [];
  const models = (Array.isArray(entry.models) ? entry.models : []).filter(isRecord).flatMap((model) => {
    const name = typeof model.name === 'string' ? model.name.trim() : '';
    const protocol = typeof model.protocol === 'string' ? model.protocol.trim().toLowerCase() : '';
    return name === '' ? [] : [{ name: glob(name), protocol }];
  });
  const values = readValues(entry.params, raw);
  return models.length > 0 && values !== undefined && values.length > 0 ? [{ models, values }] : [];
}

/** Undefined when a raw value is not JSON: then the whole rule goes. */
function readValues(params: unknown, raw: boolean): Rule['values'] | undefined {
  if (Array.isArray(params)) {
    return params.filter((path) => typeof path === 'string').map((path) => ({ path: splitPath(path), value: null }));
  }
  if (!isRecord(params)) return [];
  const values: { path: Path; value: Json }[] = [];
  for (const [path, value] of Object.entries(params)) {
    try {
      values.push({
        path: splitPath(path),
        value: raw && typeof value === 'string' ? JSON.parse(value) : (value as Json),
      });
    } catch {
      return undefined;
    }
  }
  return values;
}

/** `*` stands for any text, case matters. */
function glob(pattern: string): RegExp {
  const literal = pattern.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`, 's');
}

/** Dots separate, `\.` is a dot. */
function splitPath(path: string): Path {
  const keys: string[] = [];
  let key = '';
  for (let i = 0; i < path.length; i++) {
    if (path[i] === '\\' && i + 1 < path.length) key += path[++i];
    else if (path[i] === '.') {
      keys.push(key);
      key = '';
    } else key += path[i];
  }
  return [...keys, key];
}

function applyAll(sections: Sections, body: JsonObject, context: PayloadContext): JsonObject {
  const protocols = protocolNames(context);
  const fits = (rule: Rule): boolean =>
    rule.models.some(
      ({ name, protocol }) =>
        (protocol === '' || protocols.includes(protocol)) && context.names.some((candidate) => name.test(candidate)),
    );
  const defaults = sections.defaults.filter(fits);
  const overrides = sections.overrides.filter(fits);
  const filters = sections.filters.filter(fits);
  if (defaults.length + overrides.length + filters.length === 0) return body;
  const original = context.original ?? body;
  const copy = structuredClone(body);
  const written = new Set<string>();
  for (const { path, value } of defaults.flatMap((rule) => rule.values)) {
    const key = path.join('\0');
    if (written.has(key) || getPath(original, path) !== undefined) continue;
    written.add(key);
    setPath(copy, path, structuredClone(value));
  }
  for (const { path, value } of overrides.flatMap((rule) => rule.values)) setPath(copy, path, structuredClone(value));
  for (const { path } of filters.flatMap((rule) => rule.values)) deletePath(copy, path);
  return copy;
}

const protocolWords: Record<ProtocolId, readonly string[]> = {
  'openai-chat': ['openai'],
  'openai-responses': ['openai-response'],
  anthropic: ['claude'],
  gemini: ['gemini'],
};

/** What a rule's `protocol` may say for this body. */
function protocolNames({ native, provider }: PayloadContext): readonly string[] {
  if (provider === 'antigravity') return ['antigravity'];
  if (provider === 'codex') return ['codex'];
  return protocolWords[native];
}

/** An array index as gjson and sjson read it; -1 only appends. */
function arrayIndex(key: string): number | undefined {
  return /^(\d{1,6}|-1)$/.test(key) ? Number(key) : undefined;
}

function getPath(root: JsonObject, path: Path): Json | undefined {
  let node: Json | undefined = root;
  for (const key of path) {
    if (Array.isArray(node)) node = node[arrayIndex(key) ?? -1];
    else if (isRecord(node) && Object.hasOwn(node, key)) node = node[key] as Json;
    else return undefined;
  }
  return node;
}

/** Sets, making objects and arrays on the way; a path through a plain value is skipped. */
function setPath(root: JsonObject, path: Path, value: Json): void {
  if (path.some((key) => key === '__proto__')) return;
  let node: Json = root;
  for (const [depth, key] of path.entries()) {
    const last = depth === path.length - 1;
    const next = path[depth + 1];
    const made: Json = last ? value : next !== undefined && arrayIndex(next) !== undefined ? [] : {};
    if (Array.isArray(node)) {
      const index = arrayIndex(key);
      // Far behind the end would make a sparse array of anybody's size.
      if (index === undefined || index > node.length) return;
      const at = index < 0 ? node.length : index;
      if (last || !isContainer(node[at])) node[at] = made;
      node = node[at] as Json;
    } else if (isRecord(node)) {
      const owner = node as JsonObject;
      const present = Object.hasOwn(owner, key) ? owner[key] : undefined;
      if (last || present === undefined || present === null) owner[key] = made;
      else if (!isContainer(present)) return;
      node = owner[key] as Json;
    } else return;
  }
}

function deletePath(root: JsonObject, path: Path): void {
  const key = path.at(-1);
  const parent = getPath(root, path.slice(0, -1));
  if (key === undefined || parent === undefined) return;
  if (Array.isArray(parent)) {
    const index = arrayIndex(key);
    const at = index === -1 ? parent.length - 1 : index;
    if (at !== undefined && at >= 0 && at < parent.length) parent.splice(at, 1);
  } else if (isRecord(parent)) delete (parent as JsonObject)[key];
}

function isContainer(value: Json | undefined): boolean {
  return typeof value === 'object' && value !== null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
