// Older names of settings: read them, tell once, and say what a write must change (spec/config.md §7).
import * as z from 'zod';
import { configSchema } from './schema.ts';

type Tree = Record<string, unknown>;

const compat = configSchema.shape['openai-compatibility'];
const compatWithLegacy = z.array(
  (compat.unwrap().element as z.ZodObject).extend({ 'api-keys': z.array(z.string()).default([]) }),
);

/** The schema of what may stand in a file: the real one and the legacy names. */
export const fileSchema = configSchema.extend({
  'openai-compatibility': compatWithLegacy as unknown as typeof compat,
  'generative-language-api-key': z.array(z.string()).optional(),
  'amp-upstream-url': z.string().optional(),
  'amp-upstream-api-key': z.string().optional(),
  'amp-restrict-management-to-localhost': z.boolean().optional(),
  'amp-model-mappings': configSchema.shape.ampcode.unwrap().shape['model-mappings'].optional(),
  auth: z
    .object({
      providers: z
        .array(
          z.object({
            name: z.string().optional(),
            type: z.string().optional(),
            'api-keys': z.array(z.string()).optional(),
          }),
        )
        .optional(),
    })
    .optional(),
  'allow-localhost-unauthenticated': z.unknown(),
  'oauth-model-mappings': z.unknown(),
  'model-name-mappings': z.unknown(),
});

export interface LegacyResult {
  /** The tree under today's names. */
  value: Tree;
  /** One line per legacy name found: `name → remark`. */
  remarks: { path: string; reason: string }[];
  /** Top-level keys to set on the next write, and legacy ones to remove; empty when the file is of today. */
  set: string[];
  remove: string[];
}

const ampNames = {
  'amp-upstream-url': 'upstream-url',
  'amp-upstream-api-key': 'upstream-api-key',
  'amp-restrict-management-to-localhost': 'restrict-management-to-localhost',
  'amp-model-mappings': 'model-mappings',
} as const;

const gone = {
  'allow-localhost-unauthenticated': 'was removed; ignored',
  'oauth-model-mappings': 'is called `oauth-model-alias` now; ignored',
  'model-name-mappings': 'is called `oauth-model-alias` now; ignored',
} as const;

/** Moves legacy values under today's names. Values already there win; keys are not doubled. */
export function foldLegacy(raw: Tree): LegacyResult {
  const value: Tree = { ...raw };
  const result: LegacyResult = { value, remarks: [], set: [], remove: [] };
  const found = (from: string, to: string) => {
    result.remarks.push({ path: from, reason: `is called \`${to}\` now; read, and renamed on the next write` });
    const root = to.split('.')[0] as string;
    if (!result.set.includes(root)) result.set.push(root);
    if (!from.includes('[')) result.remove.push(from);
  };

  const google = value['generative-language-api-key'] as string[] | undefined;
  if (google !== undefined) {
    found('generative-language-api-key', 'gemini-api-key');
    const entries = (value['gemini-api-key'] ?? []) as Tree[];
    const known = new Set(entries.map((entry) => entry['api-key']));
    value['gemini-api-key'] = [...entries, ...distinct(google, known).map((key) => ({ 'api-key': key }))];
  }

  const providers = value['openai-compatibility'] as Tree[] | undefined;
  if (providers?.some((entry) => entry['api-keys'] !== undefined)) {
    value['openai-compatibility'] = providers.map((entry, index) => {
      const { 'api-keys': keys, ...rest } = entry as Tree & { 'api-keys'?: string[] };
      if (keys === undefined) return entry;
      found(`openai-compatibility[${index}].api-keys`, 'openai-compatibility.api-key-entries');
      const entries = (rest['api-key-entries'] ?? []) as Tree[];
      const known = new Set(entries.map((one) => one['api-key']));
      return { ...rest, 'api-key-entries': [...entries, ...distinct(keys, known).map((key) => ({ 'api-key': key }))] };
    });
  }

  for (const [from, to] of Object.entries(ampNames)) {
    if (value[from] === undefined) continue;
    found(from, `ampcode.${to}`);
    value.ampcode = { [to]: value[from], ...(value.ampcode as Tree | undefined) };
  }

  const auth = value.auth as { providers?: { 'api-keys'?: string[] }[] } | undefined;
  if (auth !== undefined) {
    found('auth', 'api-keys');
    const keys = (auth.providers ?? []).flatMap((provider) => provider['api-keys'] ?? []);
    const existing = (value['api-keys'] ?? []) as string[];
    const all = [...existing, ...distinct(keys, new Set<unknown>(existing))];
    if (all.length > 0) value['api-keys'] = all;
  }

  for (const [name, reason] of Object.entries(gone)) {
    if (value[name] !== undefined) result.remarks.push({ path: name, reason });
  }
  for (const name of [...Object.keys(ampNames), ...Object.keys(gone), 'generative-language-api-key', 'auth']) {
    delete value[name];
  }
  return result;
}

function distinct(keys: readonly string[], known: Set<unknown>): string[] {
  return [...new Set(keys.map((key) => key.trim()))].filter((key) => key !== '' && !known.has(key));
}
