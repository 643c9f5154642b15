// The management API: one fastify plugin for `/v0/management` and the OAuth callback pages.
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { buildDate, commit, version } from '../../version.ts';
import { Access } from './access.ts';
import { callbackPages } from './callback-pages.ts';
import type { ManagementDeps } from './deps.ts';
import { ApiError } from './errors.ts';
import { corsHeaders, preflightHeaders } from './origin.ts';
import { Pipeline } from './pipeline.ts';
import { allowedMethods, RouteTable } from './route-table.ts';
import { allRoutes } from './routes/index.ts';

export type { ManagementDeps } from './deps.ts';
export const prefix = '/v0/management';

const servedMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];

export function managementRoutes(deps: ManagementDeps): FastifyPluginCallback {
  return (app, _options, done) => {
    const access = new Access({
      config: () => deps.config.current(),
      envPassword: deps.envPassword,
      localPassword: deps.localPassword,
      bindHost: () => deps.bindHost(),
      now: () => deps.now(),
    });
    const table = new RouteTable(allRoutes);
    const pipeline = new Pipeline(deps, access);
    acceptAnyBody(app);
    const serve = (request: FastifyRequest, reply: FastifyReply) =>
      answer(deps, access, table, pipeline, request, reply);
    for (const url of [prefix, `${prefix}/*`]) {
      app.route({
        method: servedMethods,
        url,
        exposeHeadRoute: false,
        handler: serve,
        logLevel: 'silent',
        // Refused before anything looks at the body that such a method may need.
        onRequest: (request, reply, next) => {
          if (request.method === 'QUERY') void serve(request, reply);
          else next();
        },
      });
    }
    callbackPages(app, deps);
    done();
  };
}

/** Bodies arrive as streams, whatever type they claim (recording 070); routes read and bound them. */
function acceptAnyBody(app: FastifyInstance): void {
  for (const method of ['TRACE', 'QUERY']) if (!app.supportedMethods.includes(method)) app.addHttpMethod(method);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
}

async function answer(
  deps: ManagementDeps,
  access: Access,
  table: RouteTable,
  pipeline: Pipeline,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const requestId = deps.newId();
  const url = request.raw.url ?? '';
  const path = url.split('?', 1)[0]?.slice(prefix.length + 1) ?? '';
  const verdict = access.origin(request.headers);
  reply.headers({
    ...corsHeaders(verdict, request.headers.origin),
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  const asked = {
    method: request.method,
    socketAddress: request.raw.socket.remoteAddress ?? '',
    headers: request.headers,
  };
  try {
    const who = access.surroundings(asked, verdict);
    reply.headers({ 'x-cpa-version': version, 'x-cpa-commit': commit, 'x-cpa-build-date': buildDate });
    const match = table.find(path) ?? (path.endsWith('/') ? undefined : notFound());
    if (!match) return redirect(table, url, path, request.method, reply);
    const allowed = allowedMethods(match.routes);
    if (request.method === 'OPTIONS') {
      if (verdict === 'allowed') reply.headers(preflightHeaders(allowed));
      return reply.code(204).header('allow', allowed.join(', ')).send();
    }
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = [...match.routes.values()].find((candidate) => candidate.method === method);
    if (!route) {
      throw new ApiError(405, 'method not allowed', { headers: { allow: allowed.join(', ') } });
    }
    return await pipeline.run({ route, params: match.params, who, asked, requestId, request, reply });
  } catch (error) {
    return sendError(error, requestId, request, reply);
  }
}

function notFound(): never {
  throw new ApiError(404, '404 page not found', { code: 'not_found' });
}

/** A trailing slash leads to the bare path, as in the reference (recordings 023, 500). */
function redirect(table: RouteTable, url: string, path: string, method: string, reply: FastifyReply): FastifyReply {
  const bare = path.replace(/\/+$/, '');
  if (bare === '' || !table.find(bare)) notFound();
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  return reply
    .code(method === 'GET' || method === 'HEAD' ? 301 : 307)
    .header('location', `${prefix}/${bare}${query}`)
    .send();
}

export function sendError(
  error: unknown,
  requestId: string,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const known =
    error instanceof ApiError
      ? error
      : new ApiError(500, 'internal error', { message: 'Something went wrong here; the log has the cause.' });
  if (known !== error) request.log.error({ err: error, requestId }, 'management request failed');
  return reply
    .code(known.status)
    .headers(known.headers ?? {})
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(known.body(requestId)));
}
