// The client keys (management-api.md §7).
import * as z from 'zod';
import { isLoopback } from '../client-address.ts';
import { ApiError } from '../errors.ts';
import { flagParam, intParam, mainParam, otherParam } from '../query.ts';
import { redacted, unmasked } from '../redact.ts';
import { type Call, type Route, route } from '../route.ts';
import { okAnswer, okResponse, readQuery, setConfig } from '../schemas.ts';

const keys = z.array(z.string().max(4096));
const force = z.object({ force: flagParam.optional() });
const common = { path: 'api-keys', tag: 'Client keys', config: true } as const;

function stored(call: Call): string[] {
  return [...call.deps.config.current()['api-keys']];
}

/** Trimmed, without blanks and repeats. */
export function cleanKeys(list: readonly string[]): string[] {
  return [...new Set(list.map((key) => key.trim()).filter((key) => key !== ''))];
}

/** Without client keys everyone is let in: on an open address that must be meant. */
function refuseOpening(call: Call, next: readonly string[], forced: boolean | undefined): void {
  if (next.length > 0 || forced || stored(call).length === 0) return;
  const host = call.deps.bindHost();
  if (host === 'localhost' || isLoopback(host)) return;
  throw new ApiError(409, 'would open access', {
    code: 'would_open_access',
    message: 'Without client keys everyone who can reach the server may use it; send ?force=true if that is meant.',
  });
}

async function store(call: Call, next: readonly string[], forced: boolean | undefined): Promise<void> {
  const before = stored(call);
  const clean = cleanKeys(unmasked('api-keys', next, before) as string[]);
  refuseOpening(call, clean, forced);
  await setConfig(call, ['api-keys'], clean, before);
}

const responses = {
  ...okResponse,
  409: { description: 'The last key would go on an address that others can reach.' },
};

export const apiKeyRoutes: readonly Route[] = [
  route({
    ...common,
    method: 'GET',
    summary: 'Client keys',
    scope: 'viewer',
    query: readQuery,
    responses: { 200: { description: 'All keys.', schema: z.object({ 'api-keys': keys }) } },
    answer: (call) => ({ json: { 'api-keys': call.redact ? redacted('api-keys', stored(call)) : stored(call) } }),
  }),
  route({
    ...common,
    method: 'PUT',
    summary: 'Replace all client keys',
    scope: 'admin',
    query: force,
    body: { kind: 'json', schema: z.union([keys, z.object({ items: keys.min(1) }), z.null()]) },
    responses,
    async answer(call) {
      const { body } = call;
      await store(call, body === null ? [] : Array.isArray(body) ? body : body.items, call.query.force);
      return okAnswer;
    },
  }),
  route({
    ...common,
    method: 'PATCH',
    summary: 'Change one client key or add one',
    description: '`{index, value}` or `{old, new}`; an unknown or absent `old` adds `new`.',
    scope: 'admin',
    query: force,
    body: {
      kind: 'json',
      invalid: 'missing fields',
      unreadable: 'invalid body',
      schema: z.union([
        z.object({ index: z.int().min(0), value: z.string().max(4096) }),
        z.object({ old: z.string().nullish(), new: z.string().max(4096) }),
      ]),
      documented: z.object({ old: z.string().nullish(), new: z.string().max(4096) }),
    },
    responses,
    async answer(call) {
      const next = stored(call);
      if ('index' in call.body) {
        if (call.body.index >= next.length) throw new ApiError(400, 'missing fields', { code: 'index_out_of_range' });
        next[call.body.index] = call.body.value;
      } else {
        const old = unmasked('api-keys', call.body.old, next);
        const at = next.indexOf(String(old));
        if (at < 0) next.push(call.body.new);
        else next[at] = call.body.new;
      }
      await store(call, next, call.query.force);
      return okAnswer;
    },
  }),
  route({
    ...common,
    method: 'DELETE',
    summary: 'Remove client keys',
    description: 'By `value`, or by `index` in its place.',
    scope: 'admin',
    query: force.extend({
      index: otherParam(intParam({ text: 'missing index or value' })),
      value: mainParam(),
    }),
    responses: { ...responses, 404: { description: 'No such key.' } },
    errors: { 400: 'Neither `index` nor `value`, or the index is out of range.' },
    async answer(call) {
      const before = stored(call);
      const { index, value } = call.query;
      if (index !== undefined) {
        if (index >= before.length) throw new ApiError(400, 'missing index or value');
        await store(call, before.toSpliced(index, 1), call.query.force);
        return okAnswer;
      }
      if (value === undefined || value.trim() === '') throw new ApiError(400, 'missing index or value');
      const wanted = String(unmasked('api-keys', value.trim(), before));
      const next = before.filter((key) => key.trim() !== wanted);
      if (next.length === before.length) throw new ApiError(404, 'item not found');
      await store(call, next, call.query.force);
      return okAnswer;
    },
  }),
];
