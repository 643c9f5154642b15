// The API keys of the config as credentials: ids, hashes and inherited settings (config.md §5, routing.md §1).
import { createHash } from 'node:crypto';
import type { Config } from '../config/index.ts';
import type { Json, JsonObject } from '../protocols/neutral.ts';
import { mask, Secret } from '../secret.ts';
import type { Credential, DeclaredModel, ProviderId, ThinkingSupport } from './credential.ts';

/** All of them, disabled ones included, in file order. */
export function configCredentials(config: Config): Credential[] {
  const ids = idMaker();
  return [
    ...keyLists.flatMap((list) => entries(config, list.section).flatMap((entry) => fromKey(entry, list, ids))),
    ...fromCompatibility(entries(config, 'openai-compatibility'), ids),
  ];
}

interface KeyList {
  section: string;
  provider: ProviderId;
  idKind: string;
  /** Whether the proxy is part of the identity. */
  proxyInId: boolean;
}

const keyLists: readonly KeyList[] = [
  { section: 'gemini-api-key', provider: 'gemini', idKind: 'gemini:apikey', proxyInId: false },
  { section: 'claude-api-key', provider: 'claude', idKind: 'claude:apikey', proxyInId: false },
  { section: 'codex-api-key', provider: 'codex', idKind: 'codex:apikey', proxyInId: false },
  { section: 'vertex-api-key', provider: 'vertex', idKind: 'vertex:apikey', proxyInId: true },
];

function fromKey(entry: JsonObject, list: KeyList, ids: IdMaker): Credential[] {
  const key = text(entry['api-key']);
  if (key === '') return [];
  const base = text(entry['base-url']);
  const proxy = text(entry['proxy-url']);
  const { provider, idKind } = list;
  return [
    {
      ...tuning(entry),
      id: ids(idKind, list.proxyInId ? [key, base, proxy] : [key, base]),
      provider,
      providerKey: provider,
      authIndex: authIndex({ provider, base, proxy, api_key: key }),
      label: mask(key),
      token: new Secret(key),
      proxyUrl: proxy || undefined,
      baseUrl: withoutSlash(base),
      models: declaredModels(entry.models),
      fields: new Secret(entry),
    },
  ];
}

/** One credential per key; one without a key when the entry has none. Of entries with one name the first's models count. */
function fromCompatibility(list: JsonObject[], ids: IdMaker): Credential[] {
  const modelsOf = new Map<string, readonly DeclaredModel[] | undefined>();
  return list.flatMap((entry) => {
    const name = text(entry.name).toLowerCase() || 'openai-compatibility';
    const base = text(entry['base-url']);
    if (base === '') return [];
    if (!modelsOf.has(name)) modelsOf.set(name, declaredModels(entry.models));
    const keyEntries = objects(entry['api-key-entries']);
    const keys: JsonObject[] = keyEntries.length > 0 ? keyEntries : [{}];
    return keys.map((keyEntry): Credential => {
      const key = text(keyEntry['api-key']);
      const proxy = text(keyEntry['proxy-url']);
      return {
        ...tuning({ ...entry, ...overrides(keyEntry, entry) }),
        id: ids(`openai-compatibility:${name}`, keyEntries.length > 0 ? [key, base, proxy] : [base]),
        provider: 'openai-compatibility',
        providerKey: name,
        authIndex: authIndex({ provider: name, compat: name, base, proxy, api_key: key }),
        label: key === '' ? text(entry.name) || name : mask(key),
        token: key === '' ? undefined : new Secret(key),
        proxyUrl: proxy || undefined,
        baseUrl: withoutSlash(base),
        models: modelsOf.get(name) ?? [],
        fields: new Secret({ ...entry, ...keyEntry }),
      };
    });
  });
}

/** What a single key may say differently from its entry. */
function overrides(keyEntry: JsonObject, entry: JsonObject): JsonObject {
  const result: JsonObject = { disabled: keyEntry.disabled === true || entry.disabled === true };
  for (const name of ['weight', 'max-concurrency']) {
    const value = keyEntry[name];
    if (value !== undefined && value !== null) result[name] = value;
  }
  return result;
}

/** Settings that every kind of entry shares. */
function tuning(entry: JsonObject) {
  const disabled = entry.disabled === true;
  return {
    kind: 'api-key',
    source: 'config',
    disabled,
    status: disabled ? 'disabled' : 'active',
    prefix: text(entry.prefix) || undefined,
    priority: number(entry.priority) ?? 0,
    weight: number(entry.weight) ?? 1,
    headers: stringMap(entry.headers),
    excludedModels: strings(entry['excluded-models']),
    disableCooling: typeof entry['disable-cooling'] === 'boolean' ? entry['disable-cooling'] : undefined,
    requestRetry: number(entry['request-retry']),
    maxConcurrency: number(entry['max-concurrency']),
    websockets: entry.websockets === true ? true : undefined,
  } as const;
}

/** Undefined when the entry declares none: then the catalog counts. Of equal aliases all stay: they are a pool. */
function declaredModels(value: Json | undefined): readonly DeclaredModel[] | undefined {
  const models = objects(value).flatMap((model): DeclaredModel[] => {
    const name = text(model.name) || text(model.alias);
    if (name === '') return [];
    return [{ name, alias: text(model.alias) || name, thinking: thinkingSupport(model.thinking) }];
  });
  return models.length > 0 ? models : undefined;
}

function thinkingSupport(value: Json | undefined): ThinkingSupport | undefined {
  if (!isObject(value)) return undefined;
  const levels = strings(value.levels).map((level) => level.trim().toLowerCase());
  return {
    min: number(value.min),
    max: number(value.max),
    zeroAllowed: value['zero-allowed'] === true,
    dynamicAllowed: value['dynamic-allowed'] === true,
    levels: levels.length > 0 ? levels : undefined,
  };
}

type IdMaker = (kind: string, parts: readonly string[]) => string;

/** `<kind>:<12 hex>`; repeats get `-1`, `-2`. */
function idMaker(): IdMaker {
  const seen = new Map<string, number>();
  return (kind, parts) => {
    const id = `${kind}:${sha256([kind, ...parts].join('\0')).slice(0, 12)}`;
    const count = seen.get(id) ?? 0;
    seen.set(id, count + 1);
    return count === 0 ? id : `${id}-${count}`;
  };
}

/** The stable handle in management and usage: parts that are empty are left out. */
function authIndex(parts: Record<string, string>): string {
  const present = Object.entries(parts).filter(([, value]) => value !== '');
  return sha256(`config:${present.map(([name, value]) => `${name}=${value}`).join('\0')}`).slice(0, 16);
}

function sha256(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

function entries(config: Config, section: string): JsonObject[] {
  return objects((config as unknown as JsonObject)[section]);
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function stringMap(value: Json | undefined): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value.trim() : '';
}

function number(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function withoutSlash(base: string): string | undefined {
  return base.replace(/\/+$/, '') || undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
