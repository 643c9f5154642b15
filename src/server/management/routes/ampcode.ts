// The `ampcode` section: whole, model mappings and key mappings (management-api.md §10). Its single values are in scalars.
import * as z from 'zod';
import { textOf } from '../credential-entry.ts';
import { ApiError } from '../errors.ts';
import { flagParam, otherParam } from '../query.ts';
import { redacted, unmasked } from '../redact.ts';
import { textMark } from '../request-body.ts';
import { type Call, type Route, route } from '../route.ts';
import { okAnswer, okResponse, readQuery, setConfig } from '../schemas.ts';

interface Mapping {
  from: string;
  to: string;
  regex?: boolean;
}

interface KeyMapping {
  'upstream-api-key': string;
  'api-keys': string[];
}

interface Section {
  'upstream-url'?: string;
  'upstream-api-key'?: string;
  'upstream-api-keys'?: KeyMapping[] | null;
  'restrict-management-to-localhost'?: boolean;
  'model-mappings'?: Mapping[] | null;
  'force-model-mappings'?: boolean;
}

function section(call: Call): Section {
  const value = call.deps.config.current().ampcode;
  return typeof value === 'object' && value !== null ? (value as Section) : {};
}

const shownMapping = ({ from, to, regex }: Mapping): Mapping => (regex ? { from, to, regex } : { from, to });
const mappings = (call: Call): Mapping[] => (section(call)['model-mappings'] ?? []).map(shownMapping);
const keyMappings = (call: Call): KeyMapping[] => [...(section(call)['upstream-api-keys'] ?? [])];

function tidyMapping(mapping: Mapping): Mapping {
  return shownMapping({ ...mapping, from: mapping.from.trim(), to: mapping.to.trim() });
}

function tidyKeyMapping(mapping: { 'upstream-api-key': string; 'api-keys'?: string[] | null }): KeyMapping {
  return {
    'upstream-api-key': textOf(mapping['upstream-api-key']),
    'api-keys': (mapping['api-keys'] ?? []).map((key) => key.trim()).filter((key) => key !== ''),
  };
}

/** Replaces the entries with the same id in place, adds the others. */
function upsert<T>(list: readonly T[], changes: readonly T[], id: (item: T) => string): T[] {
  const next = [...list];
  for (const change of changes) {
    const at = next.findIndex((item) => id(item) === id(change));
    if (at < 0) next.push(change);
    else next[at] = change;
  }
  return next;
}

const mappingItem = z.object({
  from: z.string().max(512),
  to: z.string().max(512),
  regex: z.boolean().optional(),
});
const keyItem = z.object({
  'upstream-api-key': z.string().max(4096),
  'api-keys': z.array(z.string().max(4096)).nullish(),
});
const names = z.array(z.string().max(4096));
const tag = 'Ampcode';
const mappingsAt = ['ampcode', 'model-mappings'] as const;
const keysAt = ['ampcode', 'upstream-api-keys'] as const;

const writeMappings = (method: 'PUT' | 'PATCH'): Route =>
  route({
    method,
    path: 'ampcode/model-mappings',
    tag,
    config: true,
    summary: method === 'PUT' ? 'Replace the model mappings' : 'Add or replace model mappings by `from`',
    scope: 'admin',
    body: { kind: 'json', schema: z.object({ value: z.array(mappingItem).nullish() }) },
    responses: okResponse,
    async answer(call) {
      const before = mappings(call);
      const changes = (call.body.value ?? []).map(tidyMapping);
      const next = method === 'PUT' ? changes : upsert(before, changes, (mapping) => mapping.from);
      await setConfig(call, mappingsAt, next, before);
      return okAnswer;
    },
  });

const writeKeys = (method: 'PUT' | 'PATCH'): Route =>
  route({
    method,
    path: 'ampcode/upstream-api-keys',
    tag,
    config: true,
    summary: method === 'PUT' ? 'Replace the key mappings' : 'Add or replace key mappings by upstream key',
    scope: 'admin',
    body: { kind: 'json', schema: z.object({ value: z.array(keyItem).nullish() }) },
    responses: okResponse,
    async answer(call) {
      const before = keyMappings(call);
      const restored = unmasked('upstream-api-keys', call.body.value ?? [], before) as KeyMapping[];
      const changes = restored.map(tidyKeyMapping).filter((mapping) => mapping['upstream-api-key'] !== '');
      const next = method === 'PUT' ? changes : upsert(before, changes, (mapping) => mapping['upstream-api-key']);
      await setConfig(call, keysAt, next, before);
      return okAnswer;
    },
  });

export const ampcodeRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'ampcode',
    tag,
    config: true,
    summary: 'The ampcode section',
    scope: 'viewer',
    query: readQuery,
    responses: {
      200: {
        description: 'The section.',
        schema: z.object({ ampcode: z.looseObject({ 'upstream-url': z.string() }) }),
      },
    },
    answer(call) {
      const value = section(call);
      const keys = keyMappings(call);
      const shown = {
        'upstream-url': value['upstream-url'] ?? '',
        'upstream-api-key': value['upstream-api-key'] ?? '',
        'restrict-management-to-localhost': value['restrict-management-to-localhost'] ?? false,
        'model-mappings': mappings(call),
        'force-model-mappings': value['force-model-mappings'] ?? false,
        ...(keys.length > 0 ? { 'upstream-api-keys': keys } : {}),
      };
      return { json: { ampcode: call.redact ? redacted('ampcode', shown) : shown } };
    },
  }),
  route({
    method: 'GET',
    path: 'ampcode/model-mappings',
    tag,
    config: true,
    summary: 'Model mappings',
    scope: 'viewer',
    responses: { 200: { description: 'All mappings.', schema: z.object({ 'model-mappings': z.array(mappingItem) }) } },
    answer: (call) => ({ json: { 'model-mappings': mappings(call) } }),
  }),
  writeMappings('PUT'),
  writeMappings('PATCH'),
  route({
    method: 'DELETE',
    path: 'ampcode/model-mappings',
    tag,
    config: true,
    summary: 'Remove model mappings by `from`',
    description: 'All of them only with `?all=true` in place of the names.',
    scope: 'admin',
    query: z.object({ all: otherParam(flagParam) }),
    body: {
      kind: 'json',
      optional: true,
      schema: z.object({ value: names.nullish() }),
      documented: z.object({ value: names.min(1) }),
    },
    responses: okResponse,
    errors: { 400: 'Neither names nor `all`.' },
    async answer(call) {
      const before = mappings(call);
      const gone = new Set((call.body?.value ?? []).map((from) => from.trim()));
      if (gone.size === 0 && !call.query.all) {
        throw new ApiError(400, 'missing value', { message: 'Name the mappings, or send ?all=true to remove all.' });
      }
      const next = call.query.all ? [] : before.filter((mapping) => !gone.has(mapping.from));
      await setConfig(call, mappingsAt, next, before);
      return okAnswer;
    },
  }),
  route({
    method: 'GET',
    path: 'ampcode/upstream-api-keys',
    tag,
    config: true,
    summary: 'Key mappings',
    scope: 'viewer',
    query: readQuery,
    responses: { 200: { description: 'All mappings.', schema: z.object({ 'upstream-api-keys': z.array(keyItem) }) } },
    answer(call) {
      const keys = keyMappings(call);
      return { json: { 'upstream-api-keys': call.redact ? redacted('upstream-api-keys', keys) : keys } };
    },
  }),
  writeKeys('PUT'),
  writeKeys('PATCH'),
  route({
    method: 'DELETE',
    path: 'ampcode/upstream-api-keys',
    tag,
    config: true,
    summary: 'Remove key mappings by upstream key; an empty list removes all',
    scope: 'admin',
    body: {
      kind: 'json',
      schema: z.object({
        value: z
          .array(z.string().max(4096), { error: `${textMark}missing value` })
          .refine((list) => list.length === 0 || list.some((key) => key.trim() !== ''), `${textMark}empty value`),
      }),
      documented: z.object({ value: z.array(z.string().max(4096).regex(/\S/)) }),
    },
    responses: okResponse,
    async answer(call) {
      const before = keyMappings(call);
      const restored = unmasked('upstream-api-key', call.body.value, before) as string[];
      const gone = new Set(restored.map((key) => key.trim()));
      const next = gone.size === 0 ? [] : before.filter((mapping) => !gone.has(mapping['upstream-api-key']));
      await setConfig(call, keysAt, next, before);
      return okAnswer;
    },
  }),
];
