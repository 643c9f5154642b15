// Who answers a request: model entries, turns, affinity, windows, limits. Knows nothing of HTTP.
// Source: spec/routing.md §3–§5, §17, §20.
import { type Config, milliseconds } from '../config/index.ts';
import type { Credential } from '../credentials/credential.ts';
import { Failure } from '../failure.ts';
import { providers } from '../providers/index.ts';
import { loginAdvice } from '../providers/login-command.ts';
import { type SavedAffinity, SessionBindings } from './affinity.ts';
import type { Candidate, Route } from './candidate.ts';
import { type CooldownPolicy, defaultPolicy, isSoft, type Window } from './cooldown.ts';
import { CredentialState, type SavedState } from './credential-state.ts';
import type { Strategy } from './queue.ts';
import { type ModelEntry, ModelRegistry, type ModelSource, routable } from './registry.ts';

export interface RouterOptions {
  source: ModelSource;
  config: () => Config;
  now?: () => number;
  random?: () => number;
  /** Something that must survive a restart changed. */
  onStateChange?: () => void;
}

export interface Picked {
  candidate: Candidate;
  credential: Credential;
  route: Route;
  /** A half-open window is being tested by this request. */
  probe: boolean;
}

export interface PickOptions {
  /** Candidate keys that failed in this round. */
  tried: ReadonlySet<string>;
  /** Affinity key; `undefined` = none. */
  session: string | undefined;
}

export class Router {
  readonly registry: ModelRegistry;
  readonly bindings = new SessionBindings();
  readonly #source: ModelSource;
  readonly #config: () => Config;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #onStateChange: () => void;
  readonly #states = new Map<string, CredentialState>();
  #policy: { config: Config; policy: CooldownPolicy } | undefined;
  /** Woken when a request ends and a place may be free. */
  readonly #waiters = new Set<() => void>();

  constructor(options: RouterOptions) {
    this.#source = options.source;
    this.#config = options.config;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#onStateChange = options.onStateChange ?? (() => {});
    this.registry = new ModelRegistry(options.source, options.config, (id) => this.stateOf(id), this.#random);
  }

  stateOf(id: string): CredentialState {
    let state = this.#states.get(id);
    if (state === undefined) {
      state = new CredentialState(id, this.#source.get(id));
      this.#states.set(id, state);
    }
    return state;
  }

  /** Credentials came, went or changed. Windows stay (D8), except that new content heals 401 and 403 (D6). */
  credentialsChanged(change: {
    added: readonly Credential[];
    changed: readonly { before: Credential; after: Credential }[];
    removed: readonly Credential[];
  }): void {
    let routes = change.added.length > 0 || change.removed.length > 0;
    for (const { id } of change.removed) {
      this.#follow(id, undefined);
      this.#states.delete(id);
    }
    for (const credential of change.added) this.#follow(credential.id, credential);
    for (const { before, after } of change.changed) {
      this.#follow(after.id, after);
      if (!this.registry.routesAlike(before, after)) routes = true;
      const newLogin = before.token?.reveal() !== after.token?.reveal() || before.status !== after.status;
      if (newLogin && this.stateOf(after.id).cooldowns.credentialChanged()) {
        this.#recheckAll();
        this.#onStateChange();
      }
    }
    if (routes) this.registry.credentialsChanged();
  }

  /** A state leads to its credential: so a request in flight sees a removal, and needs no look-up. */
  #follow(id: string, credential: Credential | undefined): void {
    const state = this.#states.get(id);
    if (state !== undefined) state.credential = credential;
  }

  configChanged(): void {
    this.registry.configChanged();
  }

  /** The entry for a client's model name without suffix. Throws 404, or 503 when its only logins are dead. */
  entry(model: string): ModelEntry {
    const entry = this.registry.find(model);
    if (entry) return entry;
    const dead = this.#source
      .list()
      .find((credential) => !credential.disabled && this.registry.routes(credential).has(model.toLowerCase()));
    if (dead === undefined) {
      throw new Failure({
        kind: 'not-found',
        status: 404,
        code: 'model_not_found',
        message: `unknown model ${JSON.stringify(model)}: GET /v1/models lists the models of your credentials`,
        scope: 'request',
      });
    }
    const advice = loginAdvice(providers.get(dead.provider), dead.kind);
    throw new Failure({
      kind: 'unavailable',
      status: 503,
      code: 'auth_unavailable',
      message: `no usable credential for model ${JSON.stringify(model)}: ${dead.statusMessage ?? `the login ${dead.label} has ended`}${dead.statusMessage?.includes('log in again') ? '' : advice}`,
      details: { reason: 'unauthorized' },
      scope: 'request',
    });
  }

  /** The next credential for this model, or undefined when none is ready for this request. */
  pick(entry: ModelEntry, options: PickOptions): Picked | undefined {
    const now = this.#now();
    const config = this.#config();
    const { tried } = options;
    const limit = config['max-concurrency'];
    const fits = (candidate: Candidate): boolean => {
      if (tried.size > 0 && tried.has(candidate.key)) return false;
      const { credential } = candidate.state;
      // The entry is as old as the request: the credential may be gone since, or switched off.
      if (credential === undefined || !routable(credential)) return false;
      const own = credential.maxConcurrency ?? limit;
      return own <= 0 || candidate.state.inFlight < own;
    };
    const bound = this.#boundTo(entry, options.session, now, fits);
    if (bound) return bound;
    const strategy = config.routing.strategy as Strategy;
    for (const tier of entry.tiers) {
      const candidate = tier.queue.pick(strategy, now, fits);
      if (candidate) return this.#chosen(entry, candidate, options.session, now);
    }
    return this.#pickBlocked(entry, fits, options.session, now);
  }

  /** Nobody is ready: a credential that only had a blip, else a probe of a long window (D5; upstreams.md §8 row 15). */
  #pickBlocked(
    entry: ModelEntry,
    fits: (candidate: Candidate) => boolean,
    session: string | undefined,
    now: number,
  ): Picked | undefined {
    for (const tier of entry.tiers) {
      const candidate = tier.queue.pickSoft(now, fits);
      if (candidate) return this.#chosen(entry, candidate, session, now);
    }
    const policy = this.policy();
    for (const tier of entry.tiers) {
      for (const [candidate, window] of tier.queue.blocked(now)) {
        if (!candidate.state.cooldowns.mayProbe(window, now, policy) || !fits(candidate)) continue;
        candidate.state.cooldowns.probe(window, now);
        return this.#chosen(entry, candidate, session, now, true);
      }
    }
    return undefined;
  }

  #boundTo(
    entry: ModelEntry,
    session: string | undefined,
    now: number,
    fits: (candidate: Candidate) => boolean,
  ): Picked | undefined {
    if (session === undefined) return undefined;
    const key = bindingKey(entry, session);
    const id = this.bindings.get(key, now, this.#affinityTtl());
    if (id === undefined) return undefined;
    for (const tier of entry.tiers) {
      const candidate = tier.queue.pickCredential(id, now, fits);
      if (candidate) return this.#chosen(entry, candidate, undefined, now);
    }
    return undefined;
  }

  /** `candidate` fits, so its credential is there. */
  #chosen(entry: ModelEntry, candidate: Candidate, session: string | undefined, now: number, probe = false): Picked {
    if (session !== undefined) {
      this.bindings.set(bindingKey(entry, session), candidate.state.id, now);
      this.#onStateChange();
    }
    return { candidate, credential: candidate.state.credential as Credential, route: candidate.route, probe };
  }

  /** True when some candidate is only held back by its concurrency limit: waiting for a place makes sense. */
  isBusy(entry: ModelEntry, tried: ReadonlySet<string>): boolean {
    const now = this.#now();
    const limit = this.#config()['max-concurrency'];
    for (const tier of entry.tiers) {
      for (const member of tier.queue.members) {
        const { credential } = member.state;
        if (credential === undefined || !routable(credential)) continue;
        const own = credential.maxConcurrency ?? limit;
        const ready = member.state.cooldowns.blocking(member.upstreamModel, now) === undefined;
        if (ready && !tried.has(member.key) && own > 0 && member.state.inFlight >= own) return true;
      }
    }
    return false;
  }

  /** Resolves when a request ended, at the latest after `ms`; false then. */
  placeFree(ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (free: boolean): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        signal.removeEventListener('abort', stop);
        resolve(free);
      };
      const wake = (): void => done(true);
      const stop = (): void => done(false);
      const timer = setTimeout(stop, ms);
      this.#waiters.add(wake);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  begin(picked: Picked): void {
    picked.candidate.state.inFlight++;
  }

  /** Gives the place back and wakes who waits for one. */
  ended(picked: Picked): void {
    picked.candidate.state.inFlight--;
    if (picked.probe) picked.candidate.state.cooldowns.probeEnded(picked.candidate.upstreamModel);
    // Who waits may wait for another model or credential: all look again, in the order of their coming.
    for (const wake of [...this.#waiters]) wake();
  }

  succeeded(picked: Picked, startedAt: number): void {
    const { state, upstreamModel } = picked.candidate;
    state.count(true, this.#now());
    state.lastError = undefined;
    if (state.cooldowns.succeeded(upstreamModel, startedAt)) this.#recheckAll();
    this.#onStateChange();
  }

  failed(entry: ModelEntry, picked: Picked, failure: Failure, startedAt: number, session: string | undefined): void {
    if (failure.kind === 'aborted') return;
    const now = this.#now();
    const { state, upstreamModel } = picked.candidate;
    state.count(false, now);
    this.#onStateChange();
    if (failure.scope === 'request') return;
    state.lastError = { message: failure.message, status: failure.status, at: now };
    if (session !== undefined) this.bindings.delete(bindingKey(entry, session));
    const policy = this.policy();
    const disabled = picked.credential.disableCooling ?? policy.disabled;
    state.cooldowns.failed(upstreamModel, failure, startedAt, now, { ...policy, disabled }, this.#random());
  }

  /** Time until the first blocked candidate of this model is ready again, in ms; undefined when none is blocked. */
  waitFor(entry: ModelEntry, eligible: (credential: Credential) => boolean): number | undefined {
    const now = this.#now();
    let least: number | undefined;
    for (const tier of entry.tiers) {
      for (const [candidate, window] of tier.queue.blocked(now)) {
        const { credential } = candidate.state;
        if (credential === undefined || !eligible(credential)) continue;
        const wait = window.until - now;
        if (least === undefined || wait < least) least = wait;
      }
    }
    return least;
  }

  /** Why nobody answers: 429 when every window is a quota, else 503, with the earliest end (spec/routing.md §8). */
  exhausted(entry: ModelEntry, shown: string): Failure {
    const now = this.#now();
    let earliest = Number.POSITIVE_INFINITY;
    const windows: Window[] = [];
    const keys = new Set<string>();
    for (const tier of entry.tiers) {
      for (const member of tier.queue.members) {
        const key = member.state.credential?.providerKey;
        if (key) keys.add(key);
      }
      for (const [, window] of tier.queue.blocked(now)) {
        windows.push(window);
        earliest = Math.min(earliest, window.until);
      }
    }
    const retryAfterMs = windows.length > 0 ? Math.max(0, earliest - now) : undefined;
    const seconds = retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1000));
    const providerKeys = [...keys].sort();
    const reset = seconds === undefined ? {} : { reset_seconds: seconds, reset_time: goDuration(seconds) };
    if (windows.length > 0 && windows.every((window) => window.kind === 'quota')) {
      const via = providerKeys.length === 1 ? ` via provider ${providerKeys[0]}` : '';
      return new Failure({
        kind: 'quota',
        status: 429,
        code: 'model_cooldown',
        message: `All credentials for model ${shown} are cooling down${via}`,
        retryAfterMs,
        scope: 'request',
        details: { model: shown, ...(providerKeys.length === 1 ? { provider: providerKeys[0] } : {}), ...reset },
      });
    }
    const reason = windows.length === 0 ? 'none_left' : reasonOf(windows);
    const last = windows.at(-1);
    return new Failure({
      kind: 'unavailable',
      status: 503,
      code: 'auth_unavailable',
      message: `auth_unavailable: no credential is ready for model ${shown} (providers=${providerKeys.join(',')})${last ? `; last upstream error: ${last.status} ${last.message.slice(0, 200)}` : ''}`,
      retryAfterMs,
      scope: 'request',
      details: { reason, ...reset },
    });
  }

  /** Manual reset. Returns the models that were cooling. */
  reset(id: string, model?: string): string[] {
    const cleared = this.stateOf(id).cooldowns.reset(model);
    this.#recheckAll();
    this.#onStateChange();
    return cleared;
  }

  policy(): CooldownPolicy {
    const config = this.#config();
    if (this.#policy?.config !== config) this.#policy = { config, policy: policyOf(config) };
    return this.#policy.policy;
  }

  save(): { credentials: Record<string, SavedState>; affinity: SavedAffinity } {
    const credentials: Record<string, SavedState> = {};
    for (const [id, state] of this.#states) {
      const saved = state.save();
      if (saved) credentials[id] = saved;
    }
    return { credentials, affinity: this.bindings.save() };
  }

  load(saved: { credentials?: Record<string, SavedState>; affinity?: SavedAffinity }): void {
    for (const [id, state] of Object.entries(saved.credentials ?? {})) {
      // What is known about credentials that were removed while nobody looked would stay for ever.
      if (this.#source.get(id) !== undefined) this.stateOf(id).load(state);
    }
    if (saved.affinity) this.bindings.load(saved.affinity);
  }

  #affinityTtl(): number {
    return milliseconds(this.#config().routing['session-affinity-ttl']) ?? 3_600_000;
  }

  #recheckAll(): void {
    this.registry.recheck();
  }
}

function bindingKey(entry: ModelEntry, session: string): string {
  return `${entry.id}\0${session}`;
}

function reasonOf(windows: readonly Window[]): string {
  const reasons = new Set(
    windows.map((window) => (isSoft(window) ? 'upstream_error' : window.kind === 'quota' ? 'quota' : 'unauthorized')),
  );
  return reasons.size === 1 ? ([...reasons][0] as string) : 'mixed';
}

function policyOf(config: Config): CooldownPolicy {
  const transient = config['transient-error-cooldown-seconds'];
  return {
    maxWindowMs: milliseconds(config['max-cooldown']) || undefined,
    probeAfterMs: milliseconds(config['cooldown-probe-after']) ?? defaultPolicy.probeAfterMs,
    probeIntervalMs: milliseconds(config['cooldown-probe-interval']) ?? defaultPolicy.probeIntervalMs,
    transientMs: transient === 0 ? undefined : transient * 1000,
    notFoundMs: config['not-found-cooldown-seconds'] * 1000,
    disabled: config['disable-cooling'],
  };
}

/** `1m17s`, `167h59m59s`: how the reference writes waits (spec/routing.md §8). */
export function goDuration(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}s`;
}
