// Usage statistics, and the per-key counters of the newest panel (management-api.md §15, §19, R19).
import * as z from 'zod';
import { emptyBucket } from '../../../observe/usage.ts';
import { span } from '../auth-entry.ts';
import { flagParam, textParam } from '../query.ts';
import { mask } from '../redact.ts';
import { limits } from '../request-body.ts';
import { type Call, type Route, route } from '../route.ts';

const tag = 'Usage';
const usageBody = z.looseObject({
  total_requests: z.int(),
  success_count: z.int(),
  failure_count: z.int(),
  total_tokens: z.int(),
  apis: z.record(z.string(), z.unknown()),
});

const groups = ['api', 'model', 'alias', 'credential', 'day', 'hour'] as const;

/** RFC 3339 or Unix seconds → Unix ms. */
const instant = z
  .preprocess(
    (value) => (Array.isArray(value) ? value[0] : value),
    z.string().regex(/^(\d{1,12}|\d{4}-\d{2}-\d{2}(T.+)?)$/),
  )
  .refine((text) => !Number.isNaN(unixMs(text)), 'not a time')
  .meta({ wire: { type: 'string', pattern: '^[0-9]{1,12}$', description: 'Unix seconds, or RFC 3339.' } });

function unixMs(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
}

function shown(call: Call) {
  const snapshot = call.deps.usage.snapshot();
  if (!call.redact) return snapshot;
  return { ...snapshot, apis: masked(snapshot.apis) };
}

function masked<T>(table: Record<string, T>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(table).map(([api, value]) => [/^[A-Z]+ \//.test(api) ? api : mask(api), value]),
  );
}

export const usageRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'usage',
    tag,
    summary: 'Usage statistics',
    description: 'With `group_by` the sums of the kept records between `from` and `to` are added.',
    scope: 'viewer',
    query: z.object({
      redact: flagParam.optional(),
      reveal: flagParam.optional(),
      group_by: textParam.pipe(z.enum(groups)).optional(),
      from: instant.optional(),
      to: instant.optional(),
    }),
    responses: {
      200: { description: 'All totals.', schema: z.looseObject({ failed_requests: z.int(), usage: usageBody }) },
    },
    answer(call) {
      const usage = shown(call);
      const json: Record<string, unknown> = { failed_requests: usage.failure_count, usage };
      const { group_by, from, to, reveal } = call.query;
      if (group_by) {
        const sums = call.deps.usage.group(group_by, (from && unixMs(from)) || undefined, to ? unixMs(to) : undefined);
        const open = reveal && call.client.scope === 'admin' && !call.redact;
        json.groups = group_by === 'api' && !open ? masked(sums) : sums;
        json.total = Object.values(sums).reduce((all, bucket) => {
          for (const name of Object.keys(all) as (keyof typeof all)[]) all[name] += bucket[name];
          return all;
        }, emptyBucket());
      }
      return { json };
    },
  }),
  route({
    method: 'GET',
    path: 'usage/export',
    tag,
    summary: 'Usage statistics for `usage/import`',
    scope: 'viewer',
    query: z.object({ redact: flagParam.optional() }),
    responses: {
      200: {
        description: 'Everything that is kept.',
        schema: z.object({ version: z.literal(1), exported_at: z.string(), usage: usageBody }),
      },
    },
    answer: (call) => ({
      json: { version: 1, exported_at: new Date(call.deps.now()).toISOString(), usage: shown(call) },
    }),
  }),
  route({
    method: 'POST',
    path: 'usage/import',
    tag,
    summary: 'Add exported statistics; records already there are skipped',
    scope: 'admin',
    body: {
      kind: 'json',
      limit: limits.usageImport,
      invalid: 'invalid json',
      schema: z.object({
        version: z.int().max(1, 'text:unsupported version').min(0, 'text:unsupported version').nullish(),
        usage: z.record(z.string(), z.unknown()).nullish(),
      }),
    },
    responses: {
      200: {
        description: 'Added.',
        schema: z.object({
          added: z.int(),
          skipped: z.int(),
          total_requests: z.int(),
          failed_requests: z.int(),
        }),
      },
    },
    errors: { 400: 'Not JSON, or an unknown version.' },
    answer(call) {
      const counts = call.deps.usage.import(call.body);
      const { total_requests, failure_count } = call.deps.usage.snapshot();
      call.note({ changed: ['usage'] });
      return { json: { ...counts, total_requests, failed_requests: failure_count } };
    },
  }),
  route({
    method: 'GET',
    path: 'api-key-usage',
    tag,
    summary: 'Counters of the API keys in the configuration',
    description: 'By provider, then by `base-url|api-key` (masked unless `reveal`), in buckets of ten minutes.',
    scope: 'viewer',
    query: z.object({ redact: flagParam.optional(), reveal: flagParam.optional() }),
    responses: {
      200: {
        description: 'The counters.',
        schema: z.record(
          z.string(),
          z.record(z.string(), z.looseObject({ success: z.int(), failed: z.int(), auth_index: z.string() })),
        ),
      },
    },
    answer(call) {
      const open = call.client.scope === 'admin' && !call.redact;
      const table: Record<string, Record<string, unknown>> = {};
      for (const credential of call.deps.store.list()) {
        if (credential.source !== 'config') continue;
        const health = call.deps.router.health(credential.id);
        const key = credential.token?.reveal() ?? '';
        table[credential.providerKey] ??= {};
        const of = table[credential.providerKey] as Record<string, unknown>;
        of[`${credential.baseUrl ?? ''}|${open ? key : mask(key)}`] = {
          success: health?.success ?? 0,
          failed: health?.failed ?? 0,
          auth_index: credential.authIndex,
          recent_requests: (health?.recent ?? []).map(({ start, success, failed }) => ({
            time: span(start),
            success,
            failed,
          })),
        };
      }
      return { json: table };
    },
  }),
];
