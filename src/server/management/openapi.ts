// OpenAPI 3.1 document of the management API, made from the routes themselves (R1).
import * as z from 'zod';
import { version } from '../../version.ts';
import { errorBody } from './errors.ts';
import type { ResponseSpec, Route } from './route.ts';

type Json = Record<string, unknown>;

/** Answers that every route can give, before it is asked anything. */
const common: Readonly<Record<number, string>> = {
  401: 'No management key, or a wrong one.',
  403: 'Refused: remote access is off, the address is banned, or the key, Host or Origin may not do this.',
  404: 'Management is switched off, or there is no such thing.',
  500: 'Something went wrong here.',
};
const commonWrite: Readonly<Record<number, string>> = {
  ...common,
  429: 'More than 50 writes per second; see Retry-After.',
};

/** A schema as JSON Schema 2020-12. `wire` metadata says what a query value looks like before it is parsed. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const json = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    reused: 'inline',
    override({ zodSchema, jsonSchema: made }) {
      const target = made as Json;
      const wire = target.wire as Json | undefined;
      if (wire) {
        for (const key of Object.keys(target)) delete target[key];
        Object.assign(target, wire);
        return;
      }
      const { def } = zodSchema._zod as { def: { type: string; catchall?: unknown } };
      // Unknown members are ignored unless a schema is strict: the document must not promise a refusal.
      if (def.type === 'object' && def.catchall === undefined) delete target.additionalProperties;
    },
  }) as Json;
  delete json.$schema;
  return json;
}

function parameters(route: Route): Json[] {
  const list: Json[] = [];
  for (const [, name] of route.path.matchAll(/:(\w+)/g)) {
    const shape = (route.params as z.ZodObject | undefined)?.shape ?? {};
    const schema = shape[name as string] as z.ZodType | undefined;
    list.push({
      name,
      in: 'path',
      required: true,
      schema: { minLength: 1, ...(schema ? jsonSchema(schema, 'input') : { type: 'string' }) },
    });
  }
  if (route.query) {
    const schema = jsonSchema(route.query, 'output');
    const required = (schema.required as string[] | undefined) ?? [];
    for (const [name, found] of Object.entries((schema.properties as Json | undefined) ?? {})) {
      const { way, ...of } = found as Json;
      // Of several ways to say the same OpenAPI can only require one: the others are in the description.
      if (way === 'other') continue;
      list.push({
        name,
        in: 'query',
        required: way === 'main' || required.includes(name),
        schema: of,
        ...(of.type === 'array' ? { style: 'form', explode: true } : {}),
      });
    }
  }
  return list;
}

function requestBody(route: Route): Json | undefined {
  const { body } = route;
  if (!body) return undefined;
  const text = body.description ? { description: body.description } : {};
  if (body.kind === 'yaml') {
    return { ...text, required: true, content: { 'application/yaml': { schema: { type: 'object' } } } };
  }
  const form = {
    schema: {
      type: 'object',
      properties: { file: { type: 'string', format: 'binary' }, location: { type: 'string' } },
      required: ['file'],
    },
  };
  if (body.kind === 'multipart') return { ...text, required: true, content: { 'multipart/form-data': form } };
  if (body.kind === 'upload') {
    const file = { schema: body.documented ? jsonSchema(body.documented, 'input') : { type: 'object' } };
    return { ...text, required: true, content: { 'application/json': file } };
  }
  const schema = body.documented ?? body.schema;
  const json = schema ? jsonSchema(schema, 'input') : {};
  const required = body.documented !== undefined || !body.optional;
  return { ...text, required, content: { 'application/json': { schema: json } } };
}

const textHeader = (description: string): Json => ({ description, schema: { type: 'string' } });

function response(spec: ResponseSpec, status: number, route: Route): Json {
  const failure = status >= 400;
  const headers: Json = { 'X-Request-Id': textHeader('Id of this request, also in the audit log.') };
  if (!failure && route.config) headers.ETag = textHeader('Revision of the configuration.');
  if (status === 429) headers['Retry-After'] = textHeader('Seconds.');
  const schema = failure ? { $ref: '#/components/schemas/Error' } : spec.schema && jsonSchema(spec.schema, 'output');
  const type = failure ? 'application/json' : (spec.contentType ?? 'application/json');
  return {
    description: spec.description,
    headers,
    ...(schema ? { content: { [type]: { schema } } } : {}),
  };
}

function responses(route: Route): Json {
  const merged: Record<number, ResponseSpec> = {};
  const basic = route.method === 'GET' ? common : commonWrite;
  for (const [status, description] of Object.entries(basic)) merged[Number(status)] = { description };
  if (route.query || route.body) merged[400] = { description: 'The query or the body is not as described.' };
  if (route.body) merged[413] = { description: 'The body is too large.' };
  if (route.config && route.method !== 'GET') {
    merged[412] = { description: 'The configuration has changed since `If-Match` was read.' };
    merged[422] = { description: 'The configuration would not be valid.' };
  }
  for (const [status, description] of Object.entries(route.errors ?? {})) merged[Number(status)] = { description };
  Object.assign(merged, route.responses);
  const made: Json = {};
  for (const [status, spec] of Object.entries(merged)) made[status] = response(spec, Number(status), route);
  if (route.config && route.method === 'GET')
    made[304] = { description: 'Not changed since `If-None-Match` was read.' };
  return made;
}

const operationId = (route: Route): string =>
  `${route.method.toLowerCase()}_${route.path.replace(/[^A-Za-z0-9]+/g, '_')}`;

export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = `/v0/management/${route.path.replace(/:(\w+)/g, '{$1}')}`;
    const body = requestBody(route);
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: {
        operationId: operationId(route),
        summary: route.summary,
        ...(route.description ? { description: route.description } : {}),
        tags: [route.tag],
        'x-scope': route.scope,
        parameters: parameters(route),
        ...(body ? { requestBody: body } : {}),
        responses: responses(route),
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'cliproxy management API',
      version,
      description:
        'How people and programs run the proxy. Every call needs a management key. Reads of the configuration carry a ' +
        'strong ETag; a write with If-Match of an older one is 412 and changes nothing.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { header: [] }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        header: { type: 'apiKey', in: 'header', name: 'X-Management-Key' },
      },
      schemas: { Error: jsonSchema(errorBody, 'output') },
    },
  };
}
