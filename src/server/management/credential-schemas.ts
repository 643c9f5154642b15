// Shapes of the credential list entries: what is accepted, and what callers are told (management-api.md §8).
import * as z from 'zod';

/** The body limit bounds every text. */
const word = z.string();

const thinking = z.looseObject({
  min: z.int().optional(),
  max: z.int().optional(),
  'zero-allowed': z.boolean().optional(),
  'dynamic-allowed': z.boolean().optional(),
  levels: z.array(word).optional(),
});
const model = z.looseObject({ name: word.optional(), alias: word.optional(), thinking: thinking.nullish() });

const scopedError = z.looseObject({
  status: z.int().optional(),
  match: z.array(word).optional(),
  'match-regexr': z.array(word).optional(),
  action: z.enum(['stop', 'stop-and-cooldown', 'continue', 'continue-and-cooldown']).optional(),
});

/** Fields that entries of every list have. */
export const tuning = {
  priority: z.int().nullish(),
  weight: z.int().nullish(),
  prefix: word.nullish(),
  'base-url': word.nullish(),
  'proxy-url': word.nullish(),
  models: z.array(model).nullish(),
  headers: z.record(z.string().max(256), word).nullish(),
  'excluded-models': z.array(word).nullish(),
  disabled: z.boolean().nullish(),
  'disable-cooling': z.boolean().nullish(),
  'request-retry': z.int().nullish(),
  'max-concurrency': z.int().nullish(),
  'request-scoped-errors': z.array(scopedError).nullish(),
};

/** Shown in lists; accepted back and dropped. */
const shown = { 'auth-index': z.unknown().optional() };

const keyEntry = {
  'api-key': word.nullish(),
  'proxy-url': word.nullish(),
  weight: z.int().nullish(),
  'max-concurrency': z.int().nullish(),
  disabled: z.boolean().nullish(),
};

export type Entry = Record<string, unknown>;

export const keyed: z.ZodType<Entry> = z.looseObject({
  'api-key': word.nullish(),
  websockets: z.boolean().nullish(),
  ...tuning,
  ...shown,
});
export const compat: z.ZodType<Entry> = z.looseObject({
  name: word.nullish(),
  'api-key-entries': z.array(z.looseObject({ ...keyEntry, ...shown })).nullish(),
  ...tuning,
  ...shown,
});

const tellModel = z.object({ name: word.optional(), alias: word.optional() });
const tellTuning = {
  ...tuning,
  models: z.array(tellModel).nullish(),
  'request-scoped-errors': z.unknown().optional(),
};
const { 'request-scoped-errors': _planned, ...told } = tellTuning;

/** What callers are told: the fields that mean something, and no others. */
export const documented = {
  keyed: z.strictObject({ 'api-key': word.nullish(), ...told }),
  /** Vertex keys cannot be blank. */
  filled: z.strictObject({ 'api-key': word.regex(/\S/), ...told }),
  sockets: z.strictObject({ 'api-key': word.nullish(), websockets: z.boolean().nullish(), ...told }),
  compat: z.strictObject({
    name: word.nullish(),
    'api-key-entries': z.array(z.object(keyEntry)).nullish(),
    ...told,
  }),
} as const;
