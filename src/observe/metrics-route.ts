// `GET /metrics`: for who holds a client key, or for this machine alone when there are no keys.
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/index.ts';
import { isLoopback } from '../config/settings.ts';
import type { KeyRing } from '../server/access.ts';
import { isForeignSite } from '../server/origin.ts';
import type { Exposition } from './exposition.ts';

export interface MetricsRouteOptions {
  config(): Config;
  keys(): KeyRing;
  read(): Promise<Exposition>;
}

export function metricsRoute(app: FastifyInstance, { config, keys, read }: MetricsRouteOptions): void {
  app.get('/metrics', async (request, reply) => {
    if (!config().metrics.enable) return reply.code(404).type('text/plain').send('metrics are off (metrics.enable)\n');
    const refusal = refused(request.raw, keys());
    if (refusal !== undefined) {
      if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
      return reply.code(refusal.status).type('text/plain').send(`${refusal.message}\n`);
    }
    const { contentType, text } = await read();
    return reply.header('content-type', contentType).header('cache-control', 'no-store').send(text);
  });
}

/** The socket's own address counts; a forwarded one can be invented. */
function refused(request: IncomingMessage, keys: KeyRing): { status: 401 | 403; message: string } | undefined {
  if (!keys.open) {
    return keys.check(request) === undefined
      ? { status: 401, message: 'send a client key as bearer token' }
      : undefined;
  }
  // A name of another site that points here (DNS rebinding) shows in `Host`.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const local = isLoopback(request.socket.remoteAddress ?? '') && isLoopback(host) && !isForeignSite(request);
  return local ? undefined : { status: 403, message: 'metrics are for this machine only while there are no api-keys' };
}
