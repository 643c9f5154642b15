// One way to answer a model, as the queues hold it.
import type { Credential, ModelInfo } from '../credentials/credential.ts';
import type { CredentialState } from './credential-state.ts';

/** How one credential serves one listed model. */
export interface Route {
  /** Name as listed to clients. */
  id: string;
  /** Name for the upstream, without suffix. */
  upstream: string;
  info: ModelInfo;
}

/**
 * A credential and the upstream's name for the model. It leads to all that a request needs without a look-up: with
 * thousands of credentials each one is a cache miss or three (docs/performance.md).
 */
export interface Candidate {
  /** Unique in its queue: credential id and upstream name. */
  readonly key: string;
  readonly upstreamModel: string;
  readonly state: CredentialState;
  readonly weight: number;
  /** As of the last `sync` of its queue. */
  route: Route;
  /** Smooth weighted round-robin counter. */
  current: number;
  /** Neighbours in the ring of those that are ready; itself when it is not in it. */
  next: Candidate;
  previous: Candidate;
  /** Where it is now. */
  place: 'ready' | 'cooling' | 'out';
  /** Unix ms; key of the heap. */
  wakeAt: number;
}

export function candidateOf(credential: Credential, route: Route, state: CredentialState): Candidate {
  const candidate = {
    key: `${credential.id}\0${route.upstream}`,
    upstreamModel: route.upstream,
    state,
    weight: credential.weight,
    route,
    current: 0,
    next: undefined as unknown as Candidate,
    previous: undefined as unknown as Candidate,
    place: 'out',
    wakeAt: 0,
  } satisfies Candidate as Candidate;
  candidate.next = candidate;
  candidate.previous = candidate;
  return candidate;
}
