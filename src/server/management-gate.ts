// The door to the management API and the OAuth callback pages: their code is loaded with the first request for them, so
// that starting the server does not pay for it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { ManagementParts, WiredManagement } from './management/wiring.ts';

/** Callback routes of the main port (spec/auth.md §5.4). */
const callbackPaths = [
  '/anthropic/callback',
  '/codex/callback',
  '/google/callback',
  '/iflow/callback',
  '/antigravity/callback',
];

export interface ManagementGate {
  register(app: FastifyInstance): void;
  close(): Promise<void>;
}

interface Opened {
  wired: WiredManagement;
  app: FastifyInstance;
}

export function managementGate(parts: ManagementParts): ManagementGate {
  let opened: Promise<Opened> | undefined;
  const open = (): Promise<Opened> => {
    opened ??= load(parts);
    return opened;
  };
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { app } = await open();
    app.routing(request, response);
  };
  return {
    register(app) {
      for (const method of ['TRACE', 'QUERY']) if (!app.supportedMethods.includes(method)) app.addHttpMethod(method);
      for (const url of ['/v0/management', '/v0/management/*', ...callbackPaths]) {
        app.route({
          // All of them: what is not possible is answered there, in the envelope of that API.
          method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'],
          url,
          exposeHeadRoute: false,
          // Before fastify looks at the body.
          onRequest: (request, reply) => {
            reply.hijack();
            pass(request.raw, reply.raw).catch((error: Error) => {
              parts.warn(`management cannot be loaded: ${error.message}`);
              reply.raw.destroy();
            });
          },
          handler: () => undefined,
        });
      }
    },
    async close() {
      if (opened === undefined) return;
      const { wired, app } = await opened;
      await wired.close();
      await app.close();
    },
  };
}

async function load(parts: ManagementParts): Promise<Opened> {
  const [{ default: fastify }, { managementRoutes }, { wireManagement }] = await Promise.all([
    import('fastify'),
    import('./management/index.ts'),
    import('./management/wiring.ts'),
  ]);
  const wired = wireManagement(parts);
  const app = fastify({ logger: false, bodyLimit: Number.MAX_SAFE_INTEGER, exposeHeadRoutes: false });
  app.register(managementRoutes(wired.deps));
  await app.ready();
  return { wired, app };
}
