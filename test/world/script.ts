// Scripted deviations: the first script that fits a request and has uses left is applied to it.
import type { Json } from '../../src/protocols/neutral.ts';
import type { Entry } from './journal.ts';
import type { CallKind, ErrorKind, FakeProviderId } from './types.ts';

export interface Match {
  provider?: FakeProviderId;
  kind?: CallKind;
  account?: string;
  model?: string;
  stream?: boolean;
  /** Part of the path. */
  path?: string;
}

export interface Action {
  /** How often it applies; default 1, `Infinity` for ever. */
  times?: number;
  /** Fitting requests that pass untouched first. */
  skip?: number;

  // before the answer
  /** The answer waits for `release()`. */
  hold?: boolean;
  /** The connection breaks instead of an answer. */
  drop?: 'reset' | 'close';

  // instead of the normal answer
  error?: ErrorKind;
  /** s; told in the provider's own way. */
  retryAfter?: number;
  status?: number;
  headers?: Record<string, string>;
  /** Text as it is; anything else as JSON. */
  body?: Json;
  /** 200 without a body. */
  empty?: boolean;

  // changes of the normal answer
  gzip?: boolean;
  /** Stream events are written in pieces of this many bytes. */
  splitBytes?: number;
  /** The stream pauses after this many events until `release()`. */
  holdAfter?: number;
  /** The stream breaks after this many events ... */
  cutAfter?: number;
  /** ... by `reset` (RST), `close` (no final chunk, default) or `end` (clean end of the body without the end mark). */
  cutMode?: 'reset' | 'close' | 'end';
  /** The protocol's own error event after this many events, then the end. */
  errorEventAfter?: number;
  reply?: ReplyChange;
}

export interface ReplyChange {
  text?: string;
  /** In how many pieces the text comes. */
  chunks?: number;
  reasoning?: string;
  toolCalls?: readonly { id: string; name: string; arguments: string }[];
  finish?: 'stop' | 'length' | 'tool-calls';
}

export class Script {
  readonly match: Match;
  readonly action: Action;
  /** Requests it was applied to. */
  hits = 0;
  #skip: number;
  readonly #gate = Promise.withResolvers<void>();

  constructor(match: Match, action: Action) {
    this.match = match;
    this.action = action;
    this.#skip = action.skip ?? 0;
  }

  /** Opens `hold` and `holdAfter`, for good. */
  release(): void {
    this.#gate.resolve();
  }

  get released(): Promise<void> {
    return this.#gate.promise;
  }

  fits(entry: Entry): boolean {
    const { provider, kind, account, model, stream, path } = this.match;
    return (
      this.hits < (this.action.times ?? 1) &&
      (provider === undefined || provider === entry.provider) &&
      (kind === undefined || kind === entry.kind) &&
      (account === undefined || account === entry.account) &&
      (model === undefined || model === entry.model) &&
      (stream === undefined || stream === entry.stream) &&
      (path === undefined || entry.path.includes(path))
    );
  }

  /** True when this use is to be applied; the skipped ones are counted down. */
  take(): boolean {
    if (this.#skip > 0) {
      this.#skip--;
      return false;
    }
    this.hits++;
    return true;
  }
}

/** The script for this request, if any. A script that skips lets the request pass untouched. */
export function takeScript(scripts: readonly Script[], entry: Entry): Script | undefined {
  const script = scripts.find((candidate) => candidate.fits(entry));
  return script?.take() ? script : undefined;
}
