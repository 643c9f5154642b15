// Per-channel model rules for OAuth credentials: exclusions and aliases (management-api.md §9).
import * as z from 'zod';
import { textOf, tidyPatterns } from '../credential-entry.ts';
import { ApiError } from '../errors.ts';
import { mainParam, otherParam, textParam } from '../query.ts';
import { type Call, type Route, route } from '../route.ts';
import { okAnswer, okResponse, setConfig } from '../schemas.ts';

interface Alias {
  name: string;
  alias: string;
  fork?: boolean;
}

interface MapRules {
  path: 'oauth-excluded-models' | 'oauth-model-alias';
  /** What a channel is called in error texts. */
  noun: 'provider' | 'channel';
  /** Member of a PATCH body. */
  listName: 'models' | 'aliases';
  item: z.ZodType;
  tidy(list: readonly unknown[]): unknown[];
}

export function tidyAliases(list: readonly unknown[]): Alias[] {
  const seen = new Set<string>();
  const kept: Alias[] = [];
  for (const item of list as Alias[]) {
    const [name, alias] = [textOf(item.name), textOf(item.alias)];
    const id = alias.toLowerCase();
    if (name === '' || alias === '' || name.toLowerCase() === id || seen.has(id)) continue;
    seen.add(id);
    kept.push(item.fork ? { name, alias, fork: true } : { name, alias });
  }
  return kept;
}

const maps: readonly MapRules[] = [
  {
    path: 'oauth-excluded-models',
    noun: 'provider',
    listName: 'models',
    item: z.string().max(512),
    tidy: tidyPatterns,
  },
  {
    path: 'oauth-model-alias',
    noun: 'channel',
    listName: 'aliases',
    item: z.object({ name: z.string().max(512), alias: z.string().max(512), fork: z.boolean().nullish() }),
    tidy: tidyAliases,
  },
];

type ChannelMap = Record<string, unknown[]>;

function stored(call: Call, rules: MapRules): ChannelMap {
  const value = call.deps.config.current()[rules.path];
  return typeof value === 'object' && value !== null ? { ...(value as ChannelMap) } : {};
}

function shown(map: ChannelMap): ChannelMap {
  return Object.fromEntries(
    Object.entries(map).map(([channel, list]) => [
      channel,
      list.map((item) =>
        typeof item === 'object' && item !== null && !(item as Alias).fork ? withoutFork(item) : item,
      ),
    ]),
  );
}

function withoutFork(item: unknown): unknown {
  const { fork: _unset, ...rest } = item as Alias;
  return rest;
}

function tidyMap(rules: MapRules, map: ChannelMap): ChannelMap {
  const tidy: ChannelMap = {};
  for (const [name, list] of Object.entries(map)) {
    const channel = name.trim().toLowerCase();
    const kept = rules.tidy(list);
    if (channel !== '' && kept.length > 0) tidy[channel] = kept;
  }
  return tidy;
}

async function removeChannel(call: Call, rules: MapRules, channel: string) {
  const map = stored(call, rules);
  if (!(channel in map)) throw new ApiError(404, `${rules.noun} not found`);
  await setConfig(call, [rules.path, channel], undefined, map[channel]);
  return okAnswer;
}

function routesOf(rules: MapRules): Route[] {
  const list = z.array(rules.item);
  const map = z.record(z.string().max(256), list);
  const common = { path: rules.path, tag: 'OAuth model rules', config: true } as const;
  const names = { provider: z.string().nullish(), channel: z.string().nullish() };
  return [
    route({
      ...common,
      method: 'GET',
      summary: `All of ${rules.path}`,
      scope: 'viewer',
      responses: { 200: { description: 'Lists by channel; `{}` when none.', schema: z.object({ [rules.path]: map }) } },
      answer: (call) => ({ json: { [rules.path]: shown(stored(call, rules)) } }),
    }),
    route({
      ...common,
      method: 'PUT',
      summary: `Replace ${rules.path}`,
      scope: 'admin',
      body: { kind: 'json', schema: z.union([z.strictObject({ items: map }), map]) },
      responses: okResponse,
      async answer(call) {
        const wrapped = 'items' in call.body && !Array.isArray(call.body.items);
        const next = tidyMap(rules, (wrapped ? call.body.items : call.body) as ChannelMap);
        await setConfig(call, [rules.path], next, stored(call, rules));
        return okAnswer;
      },
    }),
    route({
      ...common,
      method: 'PATCH',
      summary: `Replace the list of one ${rules.noun}; an empty list removes it`,
      scope: 'admin',
      body: {
        kind: 'json',
        schema: z.object({
          ...names,
          ...(rules.noun === 'provider' ? { provider: z.string().max(256) } : {}),
          [rules.listName]: list.nullish(),
        }),
        documented: z.object({ [rules.noun]: z.string().max(256).regex(/\S/), [rules.listName]: list.nullish() }),
      },
      responses: { ...okResponse, 404: { description: `No such ${rules.noun}.` } },
      errors: { 400: `No ${rules.noun}.` },
      async answer(call) {
        const body = call.body as { provider?: string | null; channel?: string | null; [name: string]: unknown };
        const channel = (body.channel || body.provider || '').trim().toLowerCase();
        if (channel === '') throw new ApiError(400, `invalid ${rules.noun}`);
        const kept = rules.tidy((body[rules.listName] as unknown[] | null | undefined) ?? []);
        if (kept.length === 0) return removeChannel(call, rules, channel);
        await setConfig(call, [rules.path, channel], kept, stored(call, rules)[channel]);
        return okAnswer;
      },
    }),
    route({
      ...common,
      method: 'DELETE',
      summary: `Remove the list of one ${rules.noun}`,
      scope: 'admin',
      query: z.object(
        rules.noun === 'provider'
          ? { provider: mainParam(), channel: otherParam(textParam) }
          : { provider: otherParam(textParam), channel: mainParam() },
      ),
      responses: { ...okResponse, 404: { description: `No such ${rules.noun}.` } },
      errors: { 400: `No ${rules.noun} named.` },
      answer(call) {
        const asked = rules.noun === 'provider' ? call.query.provider : (call.query.channel ?? call.query.provider);
        const channel = (asked ?? '').trim().toLowerCase();
        if (channel === '') throw new ApiError(400, `missing ${rules.noun}`);
        return removeChannel(call, rules, channel);
      },
    }),
  ];
}

export const modelMapRoutes: readonly Route[] = maps.flatMap(routesOf);
