// Writes down one request as it is served: what came in, every upstream exchange, what went out (spec/config.md §11.2).
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Credential } from '../credentials/credential.ts';
import type { Failure } from '../failure.ts';
import type { Usage } from '../protocols/neutral.ts';
import type { UpstreamRequest, UpstreamResponse } from '../providers/provider.ts';
import type { AnswerPipe, Bytes } from '../routing/answer/pipe.ts';
import type { ExchangeRecorder, RequestRecorder } from '../routing/recorder.ts';
import { secretsOf } from './credential-secrets.ts';
import { type HeaderSet, scrub, scrubBytes } from './redact-headers.ts';
import {
  leftOut,
  requestBodyHead,
  requestSections,
  responseHead,
  sectionEnd,
  upstreamRequestHead,
  upstreamResponseHead,
} from './request-log-text.ts';
import type { Spool } from './spool.ts';

export interface RecorderOptions {
  request: IncomingMessage;
  response: ServerResponse;
  /** All sections but the last. */
  main: Spool;
  /** The body of the answer, which comes while upstream sections are still being written. */
  answer: Spool;
  bodies: boolean;
  /** Keys that the client presented. */
  clientSecrets: readonly string[];
  now(): Date;
}

export class TranscriptRecorder implements RequestRecorder {
  readonly #options: RecorderOptions;
  readonly #secrets: Set<string>;
  #exchanges = 0;
  #head: { status: number; headers: HeaderSet } | undefined;
  #answerBytes = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#secrets = new Set(options.clientSecrets);
    const { request, response, main, now } = options;
    main.write(
      requestSections({ url: request.url ?? '', method: request.method ?? '', headers: request.headers, at: now() }),
    );
    this.#watch(response);
  }

  /** The client's whole body, decoded. */
  body(bytes: Buffer): void {
    this.#options.main.write(requestBodyHead);
    this.#write(bytes, true);
  }

  exchange(credential: Credential, request: UpstreamRequest): ExchangeRecorder {
    const { main, now } = this.#options;
    this.#exchanges += 1;
    const n = this.#exchanges;
    for (const secret of secretsOf(credential)) this.#secrets.add(secret);
    main.write(upstreamRequestHead(n, { ...request, credential, at: now() }));
    this.#write(request.body, true);
    return this.#answerOf(n);
  }

  /** The last section, with everything that was sent. */
  async close(): Promise<void> {
    const { main, answer, response, bodies } = this.#options;
    const head = this.#head ?? { status: response.statusCode, headers: response.getHeaders() };
    main.write(responseHead(head.status, head.headers));
    if (!bodies) main.write(leftOut(this.#answerBytes, 'request-log-bodies is off'));
    await main.append(answer);
    main.write('\n');
  }

  #answerOf(n: number): ExchangeRecorder {
    const { main, now, bodies } = this.#options;
    let begun = false;
    let bytes = 0;
    const data = (chunk: Bytes): void => {
      bytes += chunk.length;
      if (bodies) main.write(this.#clean(chunk));
    };
    const head = (status: number, headers: UpstreamResponse['headers']): void => {
      begun = true;
      main.write(upstreamResponseHead(n, status, headers, now()));
    };
    return {
      head,
      body: data,
      tap: (pipe) => new WatchedPipe(pipe, data),
      end(failure) {
        if (!begun) head(0, {});
        if (!bodies) main.write(leftOut(bytes, 'request-log-bodies is off'));
        main.write(failure === undefined ? sectionEnd : `${failureLine(failure)}${sectionEnd}`);
      },
    };
  }

  #write(bytes: Bytes, ends: boolean): void {
    const { main, bodies } = this.#options;
    if (bodies) main.write(this.#clean(bytes));
    else main.write(leftOut(bytes.length, 'request-log-bodies is off'));
    if (ends) main.write(sectionEnd);
  }

  #clean(bytes: Bytes): Bytes {
    return typeof bytes === 'string' ? scrub(bytes, this.#secrets) : scrubBytes(bytes, this.#secrets);
  }

  /** Sees the answer where it leaves, whoever wrote it. */
  #watch(response: ServerResponse): void {
    const { writeHead, write, end } = response;
    const sent = (chunk: unknown): void => {
      if (typeof chunk !== 'string' && !Buffer.isBuffer(chunk)) return;
      this.#answerBytes += chunk.length;
      if (this.#options.bodies) this.#options.answer.write(this.#clean(chunk));
    };
    response.writeHead = ((status: number, ...rest: unknown[]) => {
      const given = rest.find((part) => typeof part === 'object' && part !== null) as OutgoingHttpHeaders | undefined;
      this.#head = { status, headers: { ...response.getHeaders(), ...given } };
      return Reflect.apply(writeHead, response, [status, ...rest]);
    }) as typeof writeHead;
    response.write = ((chunk: unknown, ...rest: unknown[]) => {
      sent(chunk);
      return Reflect.apply(write, response, [chunk, ...rest]);
    }) as typeof write;
    response.end = ((chunk: unknown, ...rest: unknown[]) => {
      sent(chunk);
      return Reflect.apply(end, response, [chunk, ...rest]);
    }) as typeof end;
  }
}

function failureLine(failure: Failure): string {
  return `\n[${failure.kind}: ${failure.code ?? failure.status}]`;
}

class WatchedPipe implements AnswerPipe {
  readonly #pipe: AnswerPipe;
  readonly #seen: (chunk: Buffer) => void;

  constructor(pipe: AnswerPipe, seen: (chunk: Buffer) => void) {
    this.#pipe = pipe;
    this.#seen = seen;
  }

  push(chunk: Buffer): Bytes {
    this.#seen(chunk);
    return this.#pipe.push(chunk);
  }

  end(): Bytes {
    return this.#pipe.end();
  }

  fail(failure: Failure): Bytes {
    return this.#pipe.fail(failure);
  }

  get committed(): boolean {
    return this.#pipe.committed;
  }

  get failure(): Failure | undefined {
    return this.#pipe.failure;
  }

  get usage(): Usage | undefined {
    return this.#pipe.usage;
  }

  get whole(): boolean {
    return this.#pipe.whole;
  }

  get done(): boolean {
    return this.#pipe.done;
  }
}
