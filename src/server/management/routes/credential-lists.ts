// API-key credentials of the configuration: five lists, one behaviour (management-api.md §8).
import * as z from 'zod';
import type { Credential } from '../../../credentials/credential.ts';
import {
  type Entry,
  fieldsOf,
  keptEntries,
  type ListRules,
  listRules,
  shownEntry,
  textOf,
  tidyEntry,
  withoutNull,
} from '../credential-entry.ts';
import { ApiError } from '../errors.ts';
import { intParam, mainParam, otherParam, textParam } from '../query.ts';
import { redacted, unmasked } from '../redact.ts';
import { type Call, type Route, route } from '../route.ts';
import { okAnswer, okResponse, readQuery, setConfig } from '../schemas.ts';

function stored(call: Call, rules: ListRules): Entry[] {
  const list = call.deps.config.current()[rules.path];
  return Array.isArray(list) ? (list as Entry[]) : [];
}

/** The credential that an entry (or one key of it) became; usage and cooldowns are joined on its index. */
function authIndex(call: Call, entry: Entry, key: string): string | undefined {
  const base = textOf(entry['base-url']);
  const fits = (credential: Credential): boolean =>
    credential.source === 'config' &&
    (credential.token?.reveal() ?? '') === key &&
    (base === '' || (credential.baseUrl ?? '').startsWith(base.replace(/\/+$/, '')));
  return call.deps.store.list().find(fits)?.authIndex;
}

function shown(call: Call, rules: ListRules, entry: Entry): Entry {
  const item = shownEntry(rules, entry);
  const keys = item['api-key-entries'];
  if (Array.isArray(keys)) {
    item['api-key-entries'] = (keys as Entry[]).map((key) =>
      withIndex(key, authIndex(call, entry, textOf(key['api-key']))),
    );
  }
  const first = Array.isArray(keys) ? textOf((keys as Entry[])[0]?.['api-key']) : textOf(entry['api-key']);
  return withIndex(item, authIndex(call, entry, first));
}

const withIndex = (entry: Entry, index: string | undefined): Entry =>
  index === undefined ? entry : { ...entry, 'auth-index': index };

/** Names no list knows would be lost without a word: they are refused, unless the file has them already. */
function refuseUnknown(call: Call, rules: ListRules, entries: readonly Entry[]): void {
  const known = new Set([...fieldsOf(rules), 'auth-index', 'auth_index']);
  for (const entry of stored(call, rules)) for (const field of Object.keys(entry)) known.add(field);
  const details = entries.flatMap((entry, index) =>
    Object.keys(entry)
      .filter((field) => !known.has(field))
      .map((field) => ({ path: `${index}.${field}`, issue: 'unknown field' })),
  );
  if (details.length > 0) throw new ApiError(422, 'invalid body', { code: 'unknown_field', details });
}

async function store(call: Call, rules: ListRules, entries: readonly Entry[]): Promise<void> {
  await setConfig(call, [rules.path], entries, stored(call, rules));
}

function replacement(call: Call, rules: ListRules, incoming: readonly Entry[]): Entry[] {
  refuseUnknown(call, rules, incoming);
  const restored = unmasked(rules.path, incoming, stored(call, rules)) as Entry[];
  const entries = restored.map((entry) => tidyEntry(rules, entry));
  if (rules.path === 'vertex-api-key') {
    const missing = entries.findIndex((entry) => textOf(entry['api-key']) === '');
    if (missing >= 0) {
      throw new ApiError(400, `vertex-api-key[${missing}].api-key is required`, { code: 'api_key_required' });
    }
  }
  return keptEntries(rules, entries);
}

/** Position of the entry that a PATCH means, -1 when there is none. */
function target(rules: ListRules, entries: readonly Entry[], body: { index?: number | null; match?: string }): number {
  if (body.index !== undefined && body.index !== null) return body.index < entries.length ? body.index : -1;
  const wanted = body.match?.trim() ?? '';
  return wanted === '' ? -1 : entries.findIndex((entry) => textOf(entry[rules.selector]) === wanted);
}

async function patch(call: Call, rules: ListRules, body: { index?: number | null; match?: string; value: Entry }) {
  refuseUnknown(call, rules, [body.value]);
  const entries = stored(call, rules);
  const match = unmasked(rules.selector, body.match, entries) as string | undefined;
  const at = target(rules, entries, { ...body, match });
  const old = entries[at];
  if (!old) throw new ApiError(404, 'item not found');
  const value = withoutNull(unmasked(rules.path, body.value, [old]) as Entry);
  const gone = rules.removes.some((field) => typeof value[field] === 'string' && textOf(value[field]) === '');
  const next = gone ? entries.toSpliced(at, 1) : entries.with(at, tidyEntry(rules, { ...old, ...value }));
  await store(call, rules, next);
  return okAnswer;
}

async function remove(call: Call, rules: ListRules, query: { index?: number; selected?: string; base?: string }) {
  const entries = stored(call, rules);
  const missing = () => new ApiError(400, `missing ${rules.selector} or index`);
  if (query.selected !== undefined && query.selected.trim() !== '') {
    const wanted = String(unmasked(rules.selector, query.selected.trim(), entries));
    let fits = entries.filter((entry) => textOf(entry[rules.selector]) === wanted);
    if (query.base !== undefined && rules.selector === 'api-key') {
      fits = fits.filter((entry) => textOf(entry['base-url']) === query.base?.trim());
    } else if (fits.length > 1 && rules.selector === 'api-key') {
      throw new ApiError(400, 'multiple items match api-key; base-url is required');
    }
    if (fits.length === 0) throw new ApiError(404, 'item not found');
    await store(
      call,
      rules,
      entries.filter((entry) => !fits.includes(entry)),
    );
    return okAnswer;
  }
  if (query.index === undefined || query.index >= entries.length) throw missing();
  await store(call, rules, entries.toSpliced(query.index, 1));
  return okAnswer;
}

function routesOf(rules: ListRules): Route[] {
  const list = z.array(rules.entry);
  const told = z.array(rules.documented);
  const common = { path: rules.path, tag: 'Provider keys', config: true } as const;
  const selector = rules.selector === 'name' ? { name: z.string().nullish() } : { match: z.string().nullish() };
  const query =
    rules.selector === 'name' ? { name: mainParam() } : { 'api-key': mainParam(), 'base-url': textParam.optional() };
  return [
    route({
      ...common,
      method: 'GET',
      summary: `Entries of ${rules.path}`,
      scope: 'viewer',
      query: readQuery,
      responses: {
        200: {
          description: 'All entries; `auth-index` joins them with usage and health.',
          schema: z.object({ [rules.path]: z.array(z.looseObject({ [rules.selector]: z.string() })) }),
        },
      },
      answer(call) {
        const entries = stored(call, rules).map((entry) => shown(call, rules, entry));
        return { json: { [rules.path]: call.redact ? redacted(rules.path, entries) : entries } };
      },
    }),
    route({
      ...common,
      method: 'PUT',
      summary: `Replace ${rules.path}`,
      scope: 'admin',
      body: {
        kind: 'json',
        schema: z.union([list, z.object({ items: list.min(1) }), z.null()]),
        documented: z.union([told, z.object({ items: told.min(1) }), z.null()]),
      },
      responses: okResponse,
      errors: { 422: 'An entry has a field that is not known.' },
      async answer(call) {
        const { body } = call;
        const incoming = body === null ? [] : Array.isArray(body) ? body : body.items;
        await store(call, rules, replacement(call, rules, incoming));
        return okAnswer;
      },
    }),
    route({
      ...common,
      method: 'PATCH',
      summary: `Change one entry of ${rules.path}`,
      scope: 'admin',
      body: {
        kind: 'json',
        schema: z.object({
          index: z.int().min(0).nullish(),
          ...selector,
          value: rules.entry,
        }),
        documented: z.object({
          index: z.int().min(0).nullish(),
          ...selector,
          value: rules.documentedChange ?? rules.documented,
        }),
      },
      responses: { ...okResponse, 404: { description: 'No such entry.' } },
      errors: { 422: 'A field that is not known.' },
      answer(call) {
        const body = call.body as { index?: number | null; match?: string | null; name?: string | null; value: Entry };
        return patch(call, rules, {
          index: body.index,
          match: body.match ?? body.name ?? undefined,
          value: body.value,
        });
      },
    }),
    route({
      ...common,
      method: 'DELETE',
      summary: `Remove entries of ${rules.path}`,
      description: `By \`${rules.selector}\`, or by \`index\` in its place.`,
      scope: 'admin',
      query: z.object({ index: otherParam(intParam({ text: `missing ${rules.selector} or index` })), ...query }),
      responses: { ...okResponse, 404: { description: 'No such entry.' } },
      errors: { 400: 'No usable selector, or more than one entry matches.' },
      answer(call) {
        const { index, name, 'api-key': key, 'base-url': base } = call.query as Record<string, string | undefined>;
        return remove(call, rules, { index: index as number | undefined, selected: name ?? key, base });
      },
    }),
  ];
}

export const credentialListRoutes: readonly Route[] = listRules.flatMap(routesOf);
