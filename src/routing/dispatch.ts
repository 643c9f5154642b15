// The attempt loop: rounds over credentials, waits, fallback chains. Source: spec/routing.md §6, §7, §20 D10, D11, D15–D17.
import type { Dispatcher } from 'undici';
import type { Config } from '../config/index.ts';
import type { Credential } from '../credentials/credential.ts';
import { Failure } from '../failure.ts';
import type { ProtocolId, Thinking, Usage } from '../protocols/neutral.ts';
import { splitSuffix } from '../protocols/thinking/index.ts';
import { providers } from '../providers/index.ts';
import type { Operation, Provider, UpstreamCall, UpstreamResponse } from '../providers/provider.ts';
import { sessionFromBody, sessionFromHeaders } from './affinity.ts';
import { buildPipe } from './answer/build.ts';
import { type AnswerSink, attempt, networkFailure, splitUrl } from './attempt.ts';
import { type ClientRequest, clientLeft } from './client-request.ts';
import { prepare } from './prepare.ts';
import type { ExchangeRecorder } from './recorder.ts';
import type { ModelEntry } from './registry.ts';
import type { Picked, Router } from './router.ts';

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

interface Target {
  entry: ModelEntry;
  /** Name without suffix, as requested. */
  base: string;
  suffix: Thinking | undefined;
}

/** Longest stay with one credential while its provider asks for another try (spec/upstreams.md §2.8). */
const maxVariants = 8;

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
      if (sink.begun || client.signal.aborted) break;
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
    const started = this.#deps.now();
    let last: Failure | undefined;
    let bootstraps = 0;
    for (let round = 0; ; ) {
      const tried = new Set<string>();
      let executed = 0;
      while (config['max-retry-credentials'] === 0 || executed < config['max-retry-credentials']) {
        if (client.signal.aborted) return clientLeft();
        const picked = router.pick(target.entry, { tried, session });
        if (picked === undefined) {
          if (router.isBusy(target.entry, tried)) {
            const left = config['queue-timeout-seconds'] * 1000 - (this.#deps.now() - started);
            if (left > 0 && (await router.placeFree(left, client.signal))) continue;
            last ??= busy(client.model);
          }
          break;
        }
        // In later rounds only credentials that allow that many retries take part (spec/routing.md §17).
        tried.add(picked.candidate.key);
        if (round > 0 && retriesOf(picked.credential, config) < round) continue;
        executed++;
        const failure = await this.#try(picked, target, client, sink, trace, config, session);
        if (failure === undefined) return undefined;
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
      if (!(await this.#sleep(wait, client.signal))) return clientLeft();
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

  /** One credential: token, request, the provider's own retries, one refresh on 401 (D11). */
  async #try(
    picked: Picked,
    target: Target,
    client: ClientRequest,
    sink: AnswerSink,
    trace: RequestTrace,
    config: Config,
    session: string | undefined,
  ): Promise<Failure | undefined> {
    const { router, tokens } = this.#deps;
    const provider = providers.get(picked.credential.provider) as Provider;
    let credential = picked.credential;
    let variant: Record<string, unknown> = {};
    let refreshed = false;
    router.begin(picked);
    const startedAt = this.#deps.now();
    try {
      for (let n = 0; ; n++) {
        let failure: Failure | undefined;
        try {
          const token = await this.#token(provider, credential, client.signal);
          if (typeof token !== 'string') {
            credential = token.credential;
            failure = await this.#send({
              picked,
              target,
              client,
              sink,
              trace,
              config,
              provider,
              credential,
              token: token.token,
              variant,
            });
          } else
            failure = await this.#send({
              picked,
              target,
              client,
              sink,
              trace,
              config,
              provider,
              credential,
              token,
              variant,
            });
        } catch (error) {
          failure = error instanceof Failure ? error : internal(error);
        }
        if (failure === undefined) {
          router.succeeded(picked, startedAt);
          return undefined;
        }
        if (sink.begun || failure.kind === 'aborted') {
          router.failed(target.entry, picked, failure, startedAt, session);
          return sink.begun ? undefined : failure;
        }
        if (
          failure.kind === 'unauthorized' &&
          failure.code !== 'reauth_required' &&
          !refreshed &&
          provider.refresh?.canRefresh(credential.fields.reveal())
        ) {
          refreshed = true;
          try {
            credential = await tokens.ensureFresh(credential, { force: true, signal: client.signal });
            continue;
          } catch {
            // The refresh failed: the 401 stands.
          }
        }
        const again =
          n < maxVariants
            ? provider.upstream.retry?.(failure, this.#call(picked, target, client, config, credential, '', variant))
            : undefined;
        if (again && (again.waitMs <= 0 || (await this.#sleep(again.waitMs, client.signal)))) {
          variant = again.variant;
          continue;
        }
        router.failed(target.entry, picked, failure, startedAt, session);
        return failure;
      }
    } finally {
      router.ended(picked);
    }
  }

  /** The token, at once when it is good; refreshed first when it ends within the provider's request lead. */
  #token(
    provider: Provider,
    credential: Credential,
    signal: AbortSignal,
  ): string | Promise<string | { credential: Credential; token: string }> {
    if (provider.upstream.token) return this.#deps.tokens.mint(provider, credential);
    const lead = provider.refresh?.requestLeadMs ?? 0;
    const expired = credential.expiresAt !== undefined && credential.expiresAt - this.#deps.now() <= lead;
    if (!expired || !provider.refresh?.canRefresh(credential.fields.reveal())) return credential.token?.reveal() ?? '';
    return this.#freshToken(credential, signal);
  }

  async #freshToken(
    credential: Credential,
    signal: AbortSignal,
  ): Promise<string | { credential: Credential; token: string }> {
    const usable = credential.expiresAt !== undefined && credential.expiresAt > this.#deps.now();
    try {
      const fresh = await this.#deps.tokens.ensureFresh(credential, { signal });
      return { credential: fresh, token: fresh.token?.reveal() ?? '' };
    } catch (error) {
      if (signal.aborted) throw clientLeft();
      // A refresh that failed for a moment does not spoil a token that still works.
      if (usable) return credential.token?.reveal() ?? '';
      throw new Failure({
        kind: 'unauthorized',
        status: 503,
        code: 'reauth_required',
        message: `the token of ${credential.label} has expired and could not be refreshed: ${error instanceof Error ? error.message : 'unknown reason'}`,
        retryAfterMs: 30_000,
        scope: 'credential',
        cause: error,
      });
    }
  }

  #call(
    picked: Picked,
    target: Target,
    client: ClientRequest,
    config: Config,
    credential: Credential,
    token: string,
    variant: Record<string, unknown>,
  ): UpstreamCall {
    const upstream = splitSuffix(picked.route.upstream);
    return {
      operation: client.operation,
      client: client.protocolId,
      stream: client.stream,
      model: upstream.base,
      info: picked.route.info ?? target.entry.info,
      headers: client.headers,
      clientKey: client.clientKey,
      credential,
      token,
      config,
      now: this.#deps.now,
      variant,
    };
  }

  async #send(options: {
    picked: Picked;
    target: Target;
    client: ClientRequest;
    sink: AnswerSink;
    trace: RequestTrace;
    config: Config;
    provider: Provider;
    credential: Credential;
    token: string;
    variant: Record<string, unknown>;
  }): Promise<Failure | undefined> {
    const { picked, target, client, sink, trace, config, provider, credential, token, variant } = options;
    const { now } = this.#deps;
    const call = this.#call(picked, target, client, config, credential, token, variant);
    const suffix = splitSuffix(picked.route.upstream).thinking ?? target.suffix;
    const startedAt = now();
    const record: AttemptRecord = {
      credential,
      provider: credential.providerKey,
      upstreamModel: call.model,
      startedAt,
      tookMs: 0,
      firstByteMs: undefined,
      status: 0,
      failure: undefined,
      usage: undefined,
    };
    trace.attempts.push(record);
    let exchange: ExchangeRecorder | undefined;
    // A request that cannot be written for this upstream is no attempt.
    let written = false;
    const finish = (failure: Failure | undefined, usage: Usage | undefined): void => {
      record.tookMs = now() - startedAt;
      record.failure = failure;
      record.usage = usage;
      if (record.status === 0) record.status = failure?.status ?? 0;
      exchange?.end(failure);
      if (written) this.#deps.observe?.attempt(client, record);
    };
    try {
      const prepared = prepare({ client, call, provider, route: picked.route, base: target.base, suffix });
      written = true;
      const dispatcher = this.#dispatcher(credential, prepared.request.url);
      exchange = client.recorder?.exchange(credential, prepared.request);
      const result = await attempt({
        request: prepared.request,
        dispatcher,
        sink,
        signal: client.signal,
        firstByteMs: config['first-byte-timeout-seconds'] * 1000,
        idleMs: config['idle-timeout-seconds'] * 1000,
        classify: (response) => {
          exchange?.body(response.body);
          return provider.upstream.classify(response, call);
        },
        pipe: (_, headers) => {
          const pipe = buildPipe(
            {
              client,
              call,
              provider,
              native: prepared.native,
              same: prepared.same,
              expectStream: prepared.request.stream,
              fallback: trace.answeredBy !== undefined,
            },
            headers,
          );
          return exchange === undefined ? pipe : exchange.tap(pipe);
        },
        onHeaders: (status, headers) => {
          record.status = status;
          exchange?.head(status, headers);
          this.#readQuota(provider, picked, headers, now());
        },
        onFirstByte: () => {
          record.firstByteMs = now() - startedAt;
        },
      });
      finish(result.failure, result.usage);
      return result.failure;
    } catch (error) {
      const failure = error instanceof Failure ? error : internal(error);
      finish(failure, undefined);
      throw failure;
    }
  }

  #dispatcher(credential: Credential, url: string): Dispatcher {
    try {
      return this.#deps.dispatcherFor(credential.proxyUrl, splitUrl(url).origin);
    } catch (error) {
      throw networkFailure(error);
    }
  }

  #readQuota(provider: Provider, picked: Picked, headers: UpstreamResponse['headers'], now: number): void {
    const report = provider.upstream.quota?.(headers, now);
    if (report) picked.candidate.state.quota = report;
  }
}

function retriesOf(credential: Credential, config: Config): number {
  return Math.max(0, credential.requestRetry ?? config['request-retry']);
}

function isTransient(failure: Failure): boolean {
  return failure.kind === 'transient' || failure.kind === 'overloaded' || failure.kind === 'timeout';
}

function mayBootstrap(failure: Failure): boolean {
  return failure.status >= 500 || [401, 402, 403, 408, 429].includes(failure.status);
}

function sessionOf(client: ClientRequest, config: Config): string | undefined {
  if (!config.routing['session-affinity']) return undefined;
  const id =
    sessionFromHeaders(client.headers) ?? sessionFromBody(client.json(), config.routing['session-affinity-hash']);
  // Two clients with equal ids are two sessions.
  return id === undefined ? undefined : `${client.clientKey}\0${id}`;
}

const fallbackKinds: Record<string, readonly Failure['kind'][]> = {
  quota: ['quota'],
  unavailable: ['unavailable', 'transient', 'timeout', 'internal'],
  overloaded: ['overloaded'],
  auth: ['unauthorized', 'forbidden'],
  'not-found': ['not-found', 'model-unsupported'],
};

/** Models declared to try after `model` failed this way, in order (D17). */
export function fallbacksFor(config: Config, model: string, failure: Failure): string[] {
  const names: string[] = [];
  for (const rule of config['model-fallback']) {
    const matches = rule.from === '*' || rule.from.toLowerCase() === model.toLowerCase();
    if (!matches || !rule.on.some((kind) => fallbackKinds[kind]?.includes(failure.kind))) continue;
    for (const name of rule.to)
      if (name.toLowerCase() !== model.toLowerCase() && !names.includes(name)) names.push(name);
  }
  return names;
}

function busy(model: string): Failure {
  return new Failure({
    kind: 'quota',
    status: 429,
    code: 'too_many_requests',
    message: `all credentials for model ${model} are at their limit of parallel requests`,
    retryAfterMs: 1000,
    scope: 'request',
  });
}

function withRetryAfter(failure: Failure, retryAfterMs: number): Failure {
  const { kind, status, message, code, scope, upstreamBody, upstreamProtocol, details } = failure;
  return new Failure({
    kind,
    status,
    message,
    code,
    scope,
    upstreamBody,
    upstreamProtocol,
    details,
    retryAfterMs,
    cause: failure,
  });
}

function internal(error: unknown): Failure {
  return new Failure({
    kind: 'internal',
    status: 500,
    message: 'internal error; the log has the details',
    scope: 'request',
    cause: error,
  });
}

/** False when the signal came first. */
function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const stop = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve(true);
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}

export type { Operation, ProtocolId };
