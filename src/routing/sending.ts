// One request to one upstream as the trace, the metrics and the request log see it. One object instead of a closure per
// callback: every request makes one.
import type { Dispatcher } from 'undici';
import type { Credential } from '../credentials/credential.ts';
import { type Failure, failureOf } from '../failure.ts';
import type { Usage } from '../protocols/neutral.ts';
import type { Provider, UpstreamCall, UpstreamResponse } from '../providers/provider.ts';
import { buildPipe } from './answer/build.ts';
import type { AnswerPipe } from './answer/pipe.ts';
import { type AttemptWatcher, attempt, networkFailure, splitUrl } from './attempt.ts';
import type { AttemptRecord, DispatchDeps } from './dispatch-types.ts';
import { finishedRequests, largestExampleBytes } from './examples.ts';
import { type Prepared, type PrepareOptions, prepare } from './prepare.ts';
import type { ExchangeRecorder } from './recorder.ts';
import type { Picked } from './router.ts';
import type { Trial } from './trial.ts';

/** Asks the upstream once. Resolves with why it did not answer, or how its answer broke; undefined when all went well. */
export function send(deps: DispatchDeps, trial: Trial, attempted: Attempted): Promise<Failure | undefined> {
  return new Promise((resolve) => {
    const sending = new Sending(deps, trial, attempted, resolve);
    try {
      sending.start();
    } catch (error) {
      sending.done(failureOf(error), undefined);
    }
  });
}

export interface Attempted {
  picked: Picked;
  provider: Provider;
  call: UpstreamCall;
  /** Who asks: kept with the request when it becomes an example. */
  by: object;
  /** Thinking from a suffix of the configured alias or of the client's model name. */
  suffix: PrepareOptions['suffix'];
}

class Sending implements AttemptWatcher {
  readonly #deps: DispatchDeps;
  readonly #trial: Trial;
  readonly #attempted: Attempted;
  readonly #resolve: (failure: Failure | undefined) => void;
  readonly #record: AttemptRecord;
  /** A request that cannot be written for this upstream is no attempt. */
  #prepared: Prepared | undefined;
  #exchange: ExchangeRecorder | undefined;
  #pipe: AnswerPipe | undefined;
  /** Held for `finishedRequests`. */
  #attempt: ReturnType<typeof attempt> | undefined;

  constructor(deps: DispatchDeps, trial: Trial, attempted: Attempted, resolve: (failure: Failure | undefined) => void) {
    this.#deps = deps;
    this.#trial = trial;
    this.#attempted = attempted;
    this.#resolve = resolve;
    const { credential, model } = attempted.call;
    this.#record = {
      credential,
      provider: credential.providerKey,
      upstreamModel: model,
      startedAt: deps.now(),
      tookMs: 0,
      firstByteMs: undefined,
      status: 0,
      failure: undefined,
      usage: undefined,
    };
    trial.trace.attempts.push(this.#record);
  }

  /** Throws what keeps the request from being sent. */
  start(): void {
    const { client, sink, config, target } = this.#trial;
    const { call, provider, picked, suffix } = this.#attempted;
    const prepared = prepare({ client, call, provider, route: picked.route, base: target.base, suffix });
    this.#prepared = prepared;
    const { request } = prepared;
    const dispatcher = this.#dispatcher(call.credential, request.url);
    this.#exchange = client.recorder?.exchange(call.credential, request);
    this.#attempt = attempt({
      request,
      dispatcher,
      sink,
      presence: client.presence,
      firstByteMs: config['first-byte-timeout-seconds'] * 1000,
      idleMs: config['idle-timeout-seconds'] * 1000,
      watcher: this,
    });
  }

  onHeaders(status: number, headers: UpstreamResponse['headers']): void {
    this.#record.status = status;
    this.#exchange?.head(status, headers);
    const { provider, picked } = this.#attempted;
    const report = provider.upstream.quota?.(headers, this.#deps.now());
    if (report) picked.candidate.state.quota = report;
  }

  onFirstByte(): void {
    this.#record.firstByteMs = this.#deps.now() - this.#record.startedAt;
  }

  pipe(headers: UpstreamResponse['headers']): AnswerPipe {
    const { client, trace } = this.#trial;
    const { call, provider } = this.#attempted;
    const { native, same, request } = this.#prepared as Prepared;
    const pipe = buildPipe(
      { client, call, provider, native, same, expectStream: request.stream, fallback: trace.answeredBy !== undefined },
      headers,
    );
    this.#pipe = pipe;
    return this.#exchange === undefined ? pipe : this.#exchange.tap(pipe);
  }

  classify(response: UpstreamResponse): Failure {
    this.#exchange?.body(response.body);
    return this.#attempted.provider.upstream.classify(response, this.#attempted.call);
  }

  done(failure: Failure | undefined, usage: Usage | undefined): void {
    const record = this.#record;
    record.tookMs = this.#deps.now() - record.startedAt;
    record.failure = failure;
    record.usage = usage;
    if (record.status === 0) record.status = failure?.status ?? 0;
    this.#exchange?.end(failure);
    if (this.#prepared !== undefined) this.#deps.observe?.attempt(this.#trial.client, record);
    this.#keepAsExample();
    this.#resolve(failure);
  }

  #keepAsExample(): void {
    const { bytes } = this.#trial.client;
    if (this.#pipe === undefined || this.#attempt === undefined) return;
    if (bytes.length + this.#attempt.received <= largestExampleBytes)
      finishedRequests.offer(this.#pipe.constructor, this);
  }

  #dispatcher(credential: Credential, url: string): Dispatcher {
    try {
      return this.#deps.dispatcherFor(credential.proxyUrl, splitUrl(url).origin);
    } catch (error) {
      throw networkFailure(error);
    }
  }
}
