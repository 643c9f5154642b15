// The fastify application: routes, envelopes for what has no route, limits of the listener. Source: spec/config.md §10.
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import fastify, { type FastifyInstance } from 'fastify';
import type { Config } from '../config/index.ts';
import { Failure, failureOf } from '../failure.ts';
import { protocols } from '../protocols/index.ts';
import type { Protocol } from '../protocols/protocol.ts';
import type { ModelRegistry } from '../routing/registry.ts';
import { writeFailure, writeJson } from './answer.ts';
import { allowKeyedPages, answerPreflight } from './client-cors.ts';
import { pathOf, requestId, serveClient, unauthorized } from './client-route.ts';
import { createListener, type TlsFiles } from './listener.ts';
import { isForeignSite } from './origin.ts';
import { isResponsesSocket, type ResponsesSocketDeps, serveResponsesSocket } from './responses-socket.ts';
import { routes as anthropicRoutes } from './routes/anthropic.ts';
import { routes as geminiRoutes } from './routes/gemini.ts';
import { routes as geminiCliRoutes } from './routes/gemini-cli.ts';
import {
  anthropicList,
  anthropicModel,
  findModel,
  geminiList,
  geminiModel,
  openaiList,
  openaiModel,
  wantsAnthropicList,
  wantsGeminiList,
} from './routes/models.ts';
import { routes as openaiRoutes } from './routes/openai-chat.ts';
import { routes as responsesRoutes } from './routes/openai-responses.ts';
import type { ClientRoute } from './routes/route.ts';

export interface AppDeps extends ResponsesSocketDeps {
  config: () => Config;
  registry: ModelRegistry;
  /** What `/readyz` says: undefined = ready. */
  notReady(): string | undefined;
  /** HTTPS instead of HTTP. */
  tls?: TlsFiles | undefined;
  warn?(line: string): void;
  /** More routes: management, callbacks, metrics. */
  register?(app: FastifyInstance): void | Promise<void>;
}

const clientRoutes: readonly ClientRoute[] = [
  ...openaiRoutes,
  ...responsesRoutes,
  ...anthropicRoutes,
  ...geminiRoutes,
  ...geminiCliRoutes,
];

/** Asked for by nothing but their URL: they need no router, no request object and no reply object (docs/performance.md). */
const plainRoutes = new Map(
  clientRoutes.filter(({ url }) => !/[:*]/.test(url)).map((route) => [route.url, route] as const),
);

export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: true,
    // Bodies are read by the routes themselves, with their own limits and envelopes.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
    forceCloseConnections: false,
    // Routes check what they get themselves (zod): fastify's own two schema compilers need not be loaded.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    frameworkErrors: (error, request, reply) => {
      reply.hijack();
      refuse(request.raw, reply.raw, new Failure({ kind: 'invalid-request', status: 400, message: badUrl(error) }));
    },
    serverFactory: (handler) => {
      const server = createListener(
        (request, response) => {
          const fault = framingFault(request);
          if (fault !== undefined) {
            refuseFraming(request, response, fault);
            return;
          }
          const route = request.method === 'POST' ? plainRoutes.get(request.url ?? '') : undefined;
          if (route === undefined) handler(request, response);
          else answerRoute(deps, route, request, response);
        },
        { shouldUpgradeCallback: isResponsesSocket, tls: deps.tls, warn: deps.warn ?? (() => {}) },
      );
      server.maxRequestsPerSocket = 0;
      server.on('clientError', refuseBadRequest);
      server.on('upgrade', (request, socket, head) => {
        socket.on('error', () => socket.destroy());
        if (framingFault(request) === undefined) serveResponsesSocket(deps, request, socket, head);
        else socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      });
      return server;
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  for (const route of clientRoutes) {
    app.route({
      method: route.method,
      url: route.url,
      handler: (request, reply) => {
        reply.hijack();
        answerRoute(deps, route, request.raw, reply.raw);
      },
    });
  }
  for (const url of ['/v1/*', '/v1beta/*']) {
    app.options(url, (request, reply) => {
      reply.hijack();
      answerPreflight(request.raw, reply.raw, deps.keys().open);
    });
  }
  modelRoutes(app, deps);
  systemRoutes(app, deps);
  await deps.register?.(app);
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    notFound(app, request.raw, reply.raw);
  });
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    const kind = status < 500 ? 'invalid-request' : 'internal';
    const message = status < 500 ? (error as Error).message : 'internal error; the log has the details';
    refuse(request.raw, reply.raw, new Failure({ kind, status, message, scope: 'request', cause: error }));
  });
  return app;
}

function answerRoute(deps: AppDeps, route: ClientRoute, request: IncomingMessage, response: ServerResponse): void {
  const { open } = deps.keys();
  allowKeyedPages(request, response, open);
  if (open && isForeignSite(request)) {
    refuse(request, response, foreignSite());
    return;
  }
  const facts = route.refused?.(deps.config(), request.socket.remoteAddress) ?? route.facts(pathOf(request));
  if (facts instanceof Failure) {
    // Who has no key learns nothing about routes.
    refuse(request, response, deps.keys().check(request) === undefined ? unauthorized(request) : facts);
  } else void serveClient(deps, facts, request, response);
}

function modelRoutes(app: FastifyInstance, deps: AppDeps): void {
  const get = (url: string, answer: (request: IncomingMessage, rest: string) => unknown): void => {
    app.get(url, (request, reply) => {
      reply.hijack();
      const { raw } = request;
      allowKeyedPages(raw, reply.raw, deps.keys().open);
      try {
        if (deps.keys().check(raw) === undefined) throw unauthorized(raw);
        writeJson(reply.raw, 200, JSON.stringify(answer(raw, (request.params as { '*'?: string })['*'] ?? '')));
      } catch (error) {
        refuse(raw, reply.raw, failureOf(error));
      }
    });
  };
  const list = () => deps.registry.listing();
  get('/v1/models', (request) => modelDialects[callerOf(request)].list(list()));
  get('/v1/models/*', (request, rest) => modelDialects[callerOf(request)].one(findModel(list(), rest)));
  get('/v1beta/models', () => geminiList(list()));
  get('/v1beta/models/*', (_, rest) => geminiModel(findModel(list(), rest)));
}

const modelDialects = {
  anthropic: { list: anthropicList, one: anthropicModel },
  gemini: { list: geminiList, one: geminiModel },
  'openai-chat': { list: openaiList, one: openaiModel },
};

/** Who calls a path that all share, by its headers. */
function callerOf(request: IncomingMessage): keyof typeof modelDialects {
  if (wantsAnthropicList(request)) return 'anthropic';
  return wantsGeminiList(request) ? 'gemini' : 'openai-chat';
}

function systemRoutes(app: FastifyInstance, deps: AppDeps): void {
  app.get('/healthz', (_, reply) => reply.type('application/json').send('{"status":"ok"}'));
  app.get('/readyz', (_, reply) => {
    const reason = deps.draining() ? 'shutting down' : deps.notReady();
    return reply
      .code(reason === undefined ? 200 : 503)
      .type('application/json')
      .send(JSON.stringify(reason === undefined ? { status: 'ok' } : { status: 'not ready', reason }));
  });
  app.get('/', (_, reply) =>
    reply.type('application/json').send(
      JSON.stringify({
        endpoints: [
          'POST /v1/chat/completions',
          'POST /v1/completions',
          'GET /v1/models',
          'POST /v1/responses',
          'POST /v1/messages',
          'POST /v1beta/models/{model}:generateContent',
        ],
        message: 'CLI Proxy API Server',
      }),
    ),
  );
}

function noSchemas(): never {
  throw new Error('routes have no fastify schemas here');
}

/** The envelope a request belongs to: errors reach callers in their own protocol even where there is no route. */
function protocolFor(request: IncomingMessage): Protocol {
  const path = pathOf(request);
  if (path.startsWith('/v1/messages')) return protocols.anthropic;
  if (path.startsWith('/v1beta') || path.startsWith('/v1internal') || /^\/v1\/models\/.*:/.test(path))
    return protocols.gemini;
  // Model lists and unknown paths are shared: there the caller says by its headers who it is.
  const shared = !/^\/v1\/(?:chat\/|completions|responses)/.test(path);
  return protocols[shared ? callerOf(request) : 'openai-chat'];
}

function refuse(request: IncomingMessage, response: ServerResponse, failure: Failure): void {
  request.resume();
  writeFailure(response, protocolFor(request), failure, requestId());
}

function notFound(app: FastifyInstance, request: IncomingMessage, response: ServerResponse): void {
  const path = pathOf(request);
  const allowed = (['GET', 'POST'] as const).filter(
    (method) => method !== request.method && hasRoute(app, method, path),
  );
  if (allowed.length > 0) response.setHeader('allow', allowed.join(', '));
  refuse(
    request,
    response,
    allowed.length > 0
      ? new Failure({
          kind: 'invalid-request',
          status: 405,
          message: `${request.method} is not possible here: use ${allowed.join(' or ')}`,
        })
      : new Failure({
          kind: 'not-found',
          status: 404,
          message: '404 page not found',
          code: 'not_found',
          scope: 'request',
        }),
  );
}

function hasRoute(app: FastifyInstance, method: 'GET' | 'POST', path: string): boolean {
  try {
    return (
      app.findRoute({ method, url: path }) !== null ||
      clientRoutes.some((route) => route.method === method && route.url === path)
    );
  } catch {
    return false;
  }
}

function badUrl(error: Error): string {
  return error.message.length < 100 && !error.message.includes('/') ? error.message : 'the URL is not valid';
}

function foreignSite(): Failure {
  return new Failure({
    kind: 'forbidden',
    status: 403,
    code: 'foreign_origin',
    message: 'requests from other web sites are refused while no api-keys are configured: set api-keys and send one',
    scope: 'request',
  });
}

/** Connections on which a faulty message came: the parser may have read more of them already (pipelining). */
const faulty = new WeakSet<object>();

/** Nearly all requests name the same one. */
let goodHost = '';

/** What the parser lets pass although it leaves open what is asked of whom, or where the message ends. */
function framingFault(request: IncomingMessage): string | undefined {
  const { headers, rawHeaders, url = '' } = request;
  if (faulty.has(request.socket)) return 'the message before this one was not valid';
  // RFC 9112 §6.1: an HTTP/1.0 message with a transfer coding ends anywhere.
  if (headers['transfer-encoding'] !== undefined && request.httpVersionMinor === 0) {
    return 'HTTP/1.0 knows no Transfer-Encoding';
  }
  // RFC 9112 §3.2: one Host, and a name or address in it.
  const { host } = headers;
  if (host !== undefined && host !== goodHost) {
    if (!/^[\w.~-]*(:\d*)?$|^\[[\da-f:.%]+\](:\d*)?$/i.test(host)) return 'the Host header is not valid';
    goodHost = host;
  }
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) return 'there is more than one Host header';
  }
  // RFC 9112 §3.2: origin form, absolute form, or `*` for OPTIONS.
  const target =
    url.charCodeAt(0) === 0x2f || /^https?:\/\//i.test(url) || (url === '*' && request.method === 'OPTIONS');
  return target ? undefined : 'the request target is not valid';
}

function refuseFraming(request: IncomingMessage, response: ServerResponse, message: string): void {
  response.setHeader('connection', 'close');
  // What follows on this connection must not be read as another request.
  faulty.add(request.socket);
  response.on('finish', () => request.socket.destroySoon());
  refuse(request, response, new Failure({ kind: 'invalid-request', status: 400, message }));
}

const parserStatus: Record<string, [number, string]> = {
  HPE_HEADER_OVERFLOW: [431, 'the request head is larger than 64 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request head took too long'],
};

/** Bytes that are no HTTP: one clear answer, then the connection is closed (RFC 9112 §2.2, §6.3). */
function refuseBadRequest(error: NodeJS.ErrnoException, socket: import('node:stream').Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = parserStatus[error.code ?? ''] ?? [400, 'the request is not valid HTTP'];
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error' } });
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
