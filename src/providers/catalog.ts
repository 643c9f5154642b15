// The model catalog: one array of models per key of models.json (upstreams.md §7), and what a config entry declares.
import type { Credential, DeclaredModel, ModelInfo, ThinkingSupport } from '../credentials/credential.ts';
import { splitSuffix } from '../protocols/thinking/index.ts';
import rows from './models.json' with { type: 'json' };

export type CatalogKey = keyof typeof rows;

interface Row {
  id: string;
  owned_by: string;
  display_name?: string | null;
  created?: number | null;
  type?: string | null;
  version?: string;
  context_length?: number | null;
  max_output_tokens?: number | null;
  thinking?: {
    min?: number;
    max?: number;
    zero_allowed?: boolean;
    dynamic_allowed?: boolean;
    levels?: string[];
  } | null;
}

function modelInfo(row: Row): ModelInfo {
  return {
    id: row.id,
    ownedBy: row.owned_by,
    displayName: row.display_name ?? undefined,
    created: row.created ?? undefined,
    type: row.type ?? undefined,
    version: row.version,
    contextLength: row.context_length ?? undefined,
    maxOutputTokens: row.max_output_tokens ?? undefined,
    thinking: row.thinking
      ? {
          min: row.thinking.min,
          max: row.thinking.max,
          zeroAllowed: row.thinking.zero_allowed ?? false,
          dynamicAllowed: row.thinking.dynamic_allowed ?? false,
          levels: row.thinking.levels,
        }
      : null,
  };
}

const catalogs = new Map<string, readonly ModelInfo[]>(
  Object.entries(rows as unknown as Record<string, Row[]>).map(([key, list]) => [key, list.map(modelInfo)]),
);
const byId = new Map<string, Map<string, ModelInfo>>(
  [...catalogs].map(([key, list]) => [key, new Map(list.map((model) => [model.id, model]))]),
);

/** All models of one catalog, in listing order; empty for an unknown key. */
export function catalogFor(key: string): readonly ModelInfo[] {
  return catalogs.get(key) ?? [];
}

/** One model of one catalog. */
export function catalogModel(key: string, id: string): ModelInfo | undefined {
  return byId.get(key)?.get(id);
}

/** Preference of the catalogs when only a model id is known: the vendor's own before resellers. */
const searchOrder: readonly CatalogKey[] = [
  'claude',
  'codex-pro',
  'gemini',
  'vertex',
  'gemini-cli',
  'antigravity',
  'qwen',
  'kimi',
  'iflow',
  'iflow-historic',
  'aistudio',
];

/** The first catalog row with this id. */
export function knownModel(id: string): ModelInfo | undefined {
  for (const key of searchOrder) {
    const model = byId.get(key)?.get(id);
    if (model) return model;
  }
  return undefined;
}

/** What an OpenAI-compatible model can do when the config does not tell (upstreams.md §2.11). */
const defaultLevels: ThinkingSupport = {
  zeroAllowed: false,
  dynamicAllowed: false,
  levels: ['low', 'medium', 'high'],
};

const catalogKeyOf: Partial<Record<Credential['provider'], CatalogKey>> = {
  claude: 'claude',
  codex: 'codex-pro',
  gemini: 'gemini',
  vertex: 'vertex',
  'gemini-cli': 'gemini-cli',
  antigravity: 'antigravity',
  qwen: 'qwen',
  kimi: 'kimi',
  iflow: 'iflow',
};

/**
 * The catalog row of a model that a config entry declares. `id` is the name for clients. Thinking: what the entry says;
 * else, for providers with a catalog, what is known of the upstream name, applied without range errors
 * (`userDefined`); else, for OpenAI-compatible models listed under their own name, low/medium/high (upstreams.md §3.3).
 */
export function declaredModelInfo(credential: Credential, model: DeclaredModel): ModelInfo {
  const key = catalogKeyOf[credential.provider];
  const known = key === undefined ? undefined : catalogModel(key, splitSuffix(model.name).base);
  const base = {
    ...known,
    id: model.alias,
    ownedBy: credential.providerKey,
    type: known?.type ?? credential.provider,
  };
  if (model.thinking) return { ...base, thinking: model.thinking };
  if (credential.provider === 'openai-compatibility' && model.alias === model.name) {
    return { ...base, thinking: defaultLevels };
  }
  return { ...base, thinking: known?.thinking, userDefined: true };
}
