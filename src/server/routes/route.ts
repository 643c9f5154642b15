// What a client protocol's route file declares.
import type { Config } from '../../config/index.ts';
import type { Failure } from '../../failure.ts';
import type { RouteFacts } from '../client-route.ts';

export interface ClientRoute {
  method: 'POST';
  /** Fastify pattern. */
  url: string;
  /** `path`: the URL's path as sent. A `Failure` is answered as it is. */
  facts(path: string): RouteFacts | Failure;
  /** Why this caller may not use the route at all. */
  refused?(config: Config, remoteAddress: string | undefined): Failure | undefined;
}
