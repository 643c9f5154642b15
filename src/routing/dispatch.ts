// The attempt loop: rounds over credentials, waits, fallback chains. Source: spec/routing.md §6, §7, §20 D10, D15–D17.
import type { Config } from '../config/index.ts';
import type { Failure } from '../failure.ts';
import type { ProtocolId } from '../protocols/neutral.ts';
import { splitSuffix } from '../protocols/thinking/index.ts';
import { providers } from '../providers/index.ts';
import { sessionFromBody, sessionFromHeaders } from './affinity.ts';
import type { AnswerSink } from './attempt.ts';
import { type ClientRequest, clientLeft } from './client-request.ts';
import { CredentialTry } from './credential-try.ts';
import type { DispatchDeps, RequestTrace, Target } from './dispatch-types.ts';
import type { ModelEntry } from './registry.ts';
import { busy, fallbacksFor, isTransient, mayBootstrap, retriesOf, sleep, withRetryAfter } from './retry-rules.ts';

export type { AttemptRecord, DispatchDeps, Observer, RequestTrace, TokenSource } from './dispatch-types.ts';

export class DispatchLoop {
  readonly #deps: DispatchDeps;
  readonly #sleep: NonNullable<DispatchDeps['sleep']>;

  constructor(deps: DispatchDeps) {
    this.#deps = deps;
    this.#sleep = deps.sleep ?? sleep;
  }

  /** Resolves when the client has its answer; rejects with `Failure` while nothing was sent. */
  async run(client: ClientRequest, sink: AnswerSink, trace: RequestTrace): Promise<void> {
    const config = this.#deps.config();
    const primary = this.#target(client.model);
    let failure = await this.#serve(primary, client, sink, trace, config);
    if (failure === undefined) return;
    for (const name of fallbacksFor(config, primary.base, failure)) {
      if (sink.begun || client.presence.left) break;
      let target: Target;
      try {
        target = this.#target(name);
      } catch {
        continue;
      }
      target.suffix ??= primary.suffix;
      trace.answeredBy = target.entry.id;
      const next = await this.#serve(target, client, sink, trace, config);
      if (next === undefined) return;
      trace.answeredBy = undefined;
      if (next.kind === 'aborted') failure = next;
    }
    throw failure;
  }

  /**
   * Whether a request of this protocol for `model` has to be translated for the first credential that offers it: a hint,
   * so that its body is parsed only.
   */
  parsesAnyway(client: ProtocolId, model: string): boolean {
    const { registry } = this.#deps.router;
    const entry = registry.find(model) ?? registry.find(splitSuffix(model).base);
    const credential = entry && registry.firstOffering(entry);
    if (credential === undefined) return false;
    return providers.get(credential.provider)?.upstream.native(client, credential, 'generate') !== client;
  }

  #target(model: string): Target {
    const { registry } = this.#deps.router;
    const whole = model === 'auto' ? undefined : registry.find(model);
    if (whole) return { entry: whole, base: whole.id, suffix: undefined };
    const split = splitSuffix(model);
    const base = split.base === 'auto' ? (registry.newest() ?? split.base) : split.base;
    const entry = this.#deps.router.entry(base);
    return { entry, base, suffix: split.thinking };
  }

  /** Undefined when the request was answered (well, or broken inside its stream); else why not. */
  async #serve(
    target: Target,
    client: ClientRequest,
    sink: AnswerSink,
    trace: RequestTrace,
    config: Config,
  ): Promise<Failure | undefined> {
    const { router } = this.#deps;
    const session = sessionOf(client, config);
    const trial = { target, client, sink, trace, config, session };
    const started = this.#deps.now();
    let last: Failure | undefined;
    let bootstraps = 0;
    for (let round = 0; ; ) {
      const tried = new Set<string>();
      let executed = 0;
      while (config['max-retry-credentials'] === 0 || executed < config['max-retry-credentials']) {
        if (client.presence.left) return clientLeft();
        const picked = router.pick(target.entry, { tried, session });
        if (picked === undefined) {
          if (router.isBusy(target.entry, tried)) {
            const left = config['queue-timeout-seconds'] * 1000 - (this.#deps.now() - started);
            if (left > 0 && (await router.placeFree(left, client.presence.signal))) continue;
            if (client.presence.left) return clientLeft();
            last ??= busy(client.model);
          }
          break;
        }
        // In later rounds only credentials that allow that many retries take part (spec/routing.md §17).
        if (round > 0 && retriesOf(picked.credential, config) < round) {
          tried.add(picked.candidate.key);
          continue;
        }
        executed++;
        const failure = await new CredentialTry(this.#deps, trial, picked).run();
        if (failure === undefined) return undefined;
        tried.add(picked.candidate.key);
        last = failure;
        if (
          sink.begun ||
          failure.kind === 'aborted' ||
          failure.kind === 'invalid-request' ||
          failure.scope === 'request'
        )
          return failure;
      }
      if (
        last !== undefined &&
        client.stream &&
        bootstraps < config.streaming['bootstrap-retries'] &&
        mayBootstrap(last)
      ) {
        bootstraps++;
        continue;
      }
      const wait = this.#waitBeforeRound(target.entry, round, last, config);
      if (wait === undefined) break;
      if (!(await this.#sleep(wait, client.presence.signal))) return clientLeft();
      round++;
    }
    return this.#final(target.entry, client, last);
  }

  /** ms to wait before another round, or undefined for no further round. */
  #waitBeforeRound(entry: ModelEntry, round: number, last: Failure | undefined, config: Config): number | undefined {
    const limit = config['max-retry-interval'] * 1000;
    if (limit <= 0) return undefined;
    const { router } = this.#deps;
    let wait = router.waitFor(entry, (credential) => retriesOf(credential, config) > round);
    if (wait === undefined && last !== undefined && config['request-retry'] > round) {
      wait = last.kind === 'quota' ? last.retryAfterMs : isTransient(last) ? 1000 * 2 ** round : undefined;
    }
    if (wait === undefined || wait > limit) return undefined;
    // Jitter, so that all who wait do not wake together; never past the limit.
    return Math.min(limit, wait + this.#deps.random() * Math.min(wait * 0.25, 2000)) + 1;
  }

  #final(entry: ModelEntry, client: ClientRequest, last: Failure | undefined): Failure {
    if (last === undefined) return this.#deps.router.exhausted(entry, client.model);
    if ((last.status === 429 || last.status === 503) && last.retryAfterMs === undefined) {
      const retryAfterMs = this.#deps.router.waitFor(entry, () => true);
      if (retryAfterMs !== undefined) return withRetryAfter(last, retryAfterMs);
    }
    return last;
  }
}

function sessionOf(client: ClientRequest, config: Config): string | undefined {
  if (!config.routing['session-affinity']) return undefined;
  const id =
    sessionFromHeaders(client.headers) ?? sessionFromBody(client.json(), config.routing['session-affinity-hash']);
  // Two clients with equal ids are two sessions.
  return id === undefined ? undefined : `${client.clientKey}\0${id}`;
}
