// `-password`: a parent program runs the server and must go on saying that it is alive (spec/config.md §8).
import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** ms without a call after which the process ends. */
const silenceMs = 10_000;

/** Adds `GET /keep-alive`; `silent` is called once when nobody called for ten seconds. Returns what stops the watch. */
export function watchOwner(app: FastifyInstance, password: string, silent: () => void): () => void {
  const expected = hash('sha256', password, 'buffer');
  let timer = setTimeout(silent, silenceMs);
  app.get('/keep-alive', (request, reply) => {
    const bearer = /^bearer\s+(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const given = bearer ?? request.headers['x-local-password'];
    const fits = typeof given === 'string' && timingSafeEqual(hash('sha256', given, 'buffer'), expected);
    if (!fits) return reply.code(401).send({ error: 'invalid password' });
    clearTimeout(timer);
    timer = setTimeout(silent, silenceMs);
    return reply.send({ status: 'ok' });
  });
  return () => clearTimeout(timer);
}
