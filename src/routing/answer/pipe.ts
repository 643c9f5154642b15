// How bytes of an upstream become bytes for the client. One pipe per attempt; synchronous, no promise per chunk.
import type { Failure } from '../../failure.ts';
import type { Usage } from '../../protocols/neutral.ts';

export type Bytes = Buffer | string;

export interface AnswerPipe {
  /** Bytes came from the upstream; returns what to send now, `''` for nothing. */
  push(chunk: Buffer): Bytes;
  /** The upstream's body ended cleanly; returns the rest. `failure` is set afterwards when it ended too early. */
  end(): Bytes;
  /** The client protocol's own error event, for a stream that has begun (protocols.md §3.5). */
  fail(failure: Failure): Bytes;
  /** Something worth sending came: from now on this attempt is the answer and no other credential is tried. */
  readonly committed: boolean;
  /** The upstream said that it failed, or stopped before its end. */
  readonly failure: Failure | undefined;
  readonly usage: Usage | undefined;
  /** `true`: one JSON body whose length is known at `end()`. `false`: an event stream. */
  readonly whole: boolean;
  /** Nothing more will be forwarded; the rest of the body may be ignored. */
  readonly done: boolean;
}

export const noBytes = '';
