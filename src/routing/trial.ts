// The request that credentials are tried for, one after the other.
import type { Config } from '../config/index.ts';
import type { AnswerSink } from './attempt.ts';
import type { ClientRequest } from './client-request.ts';
import type { RequestTrace, Target } from './dispatch-types.ts';

export interface Trial {
  target: Target;
  client: ClientRequest;
  sink: AnswerSink;
  trace: RequestTrace;
  config: Config;
  /** Affinity key. */
  session: string | undefined;
}
