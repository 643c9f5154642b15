// What the attempt loop needs, and what it tells about a request.
import type { Dispatcher } from 'undici';
import type { Config } from '../config/index.ts';
import type { Credential } from '../credentials/credential.ts';
import type { Failure } from '../failure.ts';
import type { Thinking, Usage } from '../protocols/neutral.ts';
import type { Provider } from '../providers/provider.ts';
import type { ClientRequest } from './client-request.ts';
import type { ModelEntry } from './registry.ts';
import type { Router } from './router.ts';

/** Keeps tokens usable: the refresh scheduler, as the request path sees it. */
export interface TokenSource {
  /**
   * A credential whose token works. `force`: the upstream refused `credential.token`. One call for many callers.
   * Rejects when the login is dead.
   */
  ensureFresh(credential: Credential, options: { force?: boolean; signal?: AbortSignal }): Promise<Credential>;
  /** Token of a provider that mints its own (Vertex). */
  mint(provider: Provider, credential: Credential): Promise<string>;
}

export interface DispatchDeps {
  router: Router;
  config: () => Config;
  tokens: TokenSource;
  dispatcherFor(proxyUrl: string | undefined, origin: string): Dispatcher;
  now: () => number;
  random: () => number;
  /** False when the signal came first; a test gives a clock that jumps. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<boolean>;
  observe?: Observer;
}

/** One request to one upstream, when it is over. */
export interface AttemptRecord {
  credential: Credential;
  provider: string;
  upstreamModel: string;
  /** Unix ms */
  startedAt: number;
  /** ms */
  tookMs: number;
  /** ms until the first byte of the answer's body. */
  firstByteMs: number | undefined;
  status: number;
  failure: Failure | undefined;
  usage: Usage | undefined;
}

/** What the loop tells about a request while it runs; the server logs and counts from it. */
export interface RequestTrace {
  attempts: AttemptRecord[];
  /** Model that answered, when it is not the one asked for (D17). */
  answeredBy: string | undefined;
}

export interface Observer {
  attempt(client: ClientRequest, record: AttemptRecord): void;
}

/** What one model name of a request stands for. */
export interface Target {
  entry: ModelEntry;
  /** Name without suffix, as requested. */
  base: string;
  suffix: Thinking | undefined;
}
