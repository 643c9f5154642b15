// Who watches a request on its way, when full request logs are on. Without them there is no recorder, and nothing is paid.
import type { Credential } from '../credentials/credential.ts';
import type { Failure } from '../failure.ts';
import type { UpstreamRequest, UpstreamResponse } from '../providers/provider.ts';
import type { AnswerPipe } from './answer/pipe.ts';

export interface RequestRecorder {
  /** A request to an upstream is about to be sent. */
  exchange(credential: Credential, request: UpstreamRequest): ExchangeRecorder;
}

/** One request to one upstream and its answer. */
export interface ExchangeRecorder {
  head(status: number, headers: UpstreamResponse['headers']): void;
  /** The whole body of an error, decoded. */
  body(text: string): void;
  /** The same pipe, watched. */
  tap(pipe: AnswerPipe): AnswerPipe;
  end(failure: Failure | undefined): void;
}
