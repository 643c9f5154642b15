// Settings that are one value: `GET` shows it, `PUT` and `PATCH` set it, `DELETE` clears it (management-api.md §6).
import * as z from 'zod';
import { strategyOf } from '../../../config/schema.ts';
import { ApiError } from '../errors.ts';
import { redacted } from '../redact.ts';
import { type Call, type Route, route } from '../route.ts';
import { okAnswer, okResponse, readQuery, setConfig } from '../schemas.ts';

interface Setting {
  path: string;
  /** Place in the configuration; the path's segments when absent. */
  at?: readonly string[];
  kind: 'boolean' | 'integer' | 'string' | 'strategy';
  summary: string;
  /** What a negative number becomes. */
  floor?: number;
  trim?: boolean;
  clearable?: boolean;
}

const settings: readonly Setting[] = [
  { path: 'debug', kind: 'boolean', summary: 'Log more' },
  { path: 'logging-to-file', kind: 'boolean', summary: 'Log to main.log' },
  { path: 'usage-statistics-enabled', kind: 'boolean', summary: 'Count requests and tokens' },
  { path: 'request-log', kind: 'boolean', summary: 'Log every request in full' },
  { path: 'ws-auth', kind: 'boolean', summary: 'Client key needed on the relay socket' },
  { path: 'force-model-prefix', kind: 'boolean', summary: 'Prefixed credentials answer only under their prefix' },
  { path: 'quota-exceeded/switch-project', kind: 'boolean', summary: 'Kept for compatibility' },
  { path: 'quota-exceeded/switch-preview-model', kind: 'boolean', summary: 'Kept for compatibility' },
  { path: 'logs-max-total-size-mb', kind: 'integer', floor: 0, summary: 'Cap of the log folder in MiB' },
  { path: 'error-logs-max-files', kind: 'integer', floor: 10, summary: 'Error logs kept' },
  { path: 'request-retry', kind: 'integer', floor: 0, summary: 'More rounds after all credentials failed' },
  {
    path: 'max-retry-interval',
    kind: 'integer',
    floor: 0,
    summary: 'Longest wait for a cooling credential, in seconds',
  },
  { path: 'max-retry-credentials', kind: 'integer', floor: 0, summary: 'Credentials tried per round' },
  { path: 'routing/strategy', kind: 'strategy', summary: 'How a credential is chosen' },
  { path: 'proxy-url', kind: 'string', clearable: true, summary: 'Outbound proxy' },
  { path: 'ampcode/upstream-url', kind: 'string', trim: true, clearable: true, summary: 'Amp upstream' },
  { path: 'ampcode/upstream-api-key', kind: 'string', trim: true, clearable: true, summary: 'Key of the Amp upstream' },
  { path: 'ampcode/restrict-management-to-localhost', kind: 'boolean', summary: 'Amp management from loopback only' },
  { path: 'ampcode/force-model-mappings', kind: 'boolean', summary: 'Model mappings before local models' },
];

const strategyWord = z
  .string()
  .meta({ enum: ['', 'round-robin', 'fill-first', 'weighted-round-robin', 'least-loaded', 'quota-aware'] });

const valueSchemas = {
  boolean: z.boolean(),
  integer: z.int().max(2_147_483_647).min(-2_147_483_648),
  string: z.string().max(8192),
  strategy: strategyWord,
} as const;

const zeroValues = { boolean: false, integer: 0, string: '', strategy: 'round-robin' } as const;

/** Value at a path of the effective configuration. */
export function configValue(call: Call, at: readonly string[]): unknown {
  let value: unknown = call.deps.config.current();
  for (const name of at) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  }
  return value;
}

function stored(setting: Setting, value: boolean | number | string): boolean | number | string {
  if (setting.kind === 'strategy') {
    const strategy = strategyOf(String(value));
    if (strategy === undefined) throw new ApiError(400, 'invalid strategy');
    return strategy;
  }
  if (typeof value === 'number' && value < 0) return setting.floor ?? 0;
  return typeof value === 'string' && setting.trim ? value.trim() : value;
}

function routesOf(setting: Setting): Route[] {
  const at = setting.at ?? setting.path.split('/');
  const name = at.at(-1) as string;
  const zero = zeroValues[setting.kind];
  const schema = valueSchemas[setting.kind];
  const shown = { [name]: setting.kind === 'strategy' ? z.string() : schema };
  const common = { path: setting.path, tag: 'Settings', config: true } as const;
  const put = (method: 'PUT' | 'PATCH') =>
    route({
      ...common,
      method,
      summary: `Set: ${setting.summary}`,
      scope: 'admin',
      body: { kind: 'json', schema: z.object({ value: schema }) },
      responses: okResponse,
      async answer(call) {
        const before = configValue(call, at) ?? zero;
        const incoming = call.body.value as boolean | number | string;
        const kept = typeof before === 'string' && incoming === redacted(name, before) ? before : incoming;
        await setConfig(call, at, stored(setting, kept), before);
        return okAnswer;
      },
    });
  const routes = [
    route({
      ...common,
      method: 'GET',
      summary: setting.summary,
      scope: 'viewer',
      query: readQuery,
      responses: { 200: { description: 'The value in effect.', schema: z.object(shown) } },
      answer(call) {
        const value = configValue(call, at) ?? zero;
        return { json: { [name]: call.redact ? redacted(name, value) : value } };
      },
    }),
    put('PUT'),
    put('PATCH'),
  ];
  if (!setting.clearable) return routes;
  return [
    ...routes,
    route({
      ...common,
      method: 'DELETE',
      summary: `Clear: ${setting.summary}`,
      scope: 'admin',
      responses: okResponse,
      async answer(call) {
        await setConfig(call, at, '', configValue(call, at));
        return okAnswer;
      },
    }),
  ];
}

export const scalarRoutes: readonly Route[] = settings.flatMap(routesOf);
