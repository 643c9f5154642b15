// Keeps tokens alive: renews them ahead of time, and at once when a request meets a dead one (auth.md §4.3).
import type { Config } from '../config/index.ts';
import type { HttpClient } from '../net/http.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { loginAdvice } from '../providers/login-command.ts';
import { type Provider, RefreshError, type RefreshPolicy } from '../providers/provider.ts';
import { Secret } from '../secret.ts';
import type { Credential, CredentialStore, ProviderId } from './credential.ts';
import { DueQueue } from './due-queue.ts';
import { type Exchange, ExchangedTokens, type ExchangeRequest, exchangeToken } from './exchange.ts';
import { fileOf } from './folder-snapshot.ts';
import { expiredMessage } from './parse.ts';
import { backoff, maxBackoffMs, minGapMs, planRefresh } from './refresh-plan.ts';
import { type Clock, systemClock } from './watch.ts';

export interface RefresherOptions {
  store: CredentialStore;
  providers: ReadonlyMap<ProviderId, Provider>;
  http: HttpClient;
  config(): Config;
  log: { info(line: string): void; warn(line: string): void };
  /** Counts token calls. */
  onRefresh?(providerKey: string, ok: boolean): void;
  clock?: Clock;
  /** 0..1 */
  random?: () => number;
}

export interface Refresher {
  /** Begins to renew ahead of time. Without it only `ensureFresh` renews. */
  start(): void;
  /** True when `ensureFresh` would give the credential back as it is: the hot path asks this first. */
  isFresh(credential: Credential): boolean;
  /**
   * The credential with a token that can be sent now. `force`: the upstream said 401 to `credential.token`: renews it
   * unless that has happened meanwhile. All callers for one credential share one token call; `signal` ends the waiting,
   * never the call.
   *
   * @throws RefreshError when there is no usable token; `permanent`: only a new login heals it
   */
  ensureFresh(credential: Credential, options?: { force?: boolean; signal?: AbortSignal }): Promise<Credential>;
  /** Unix ms of the next planned renewal, for management. */
  nextRefreshAt(id: string): number | undefined;
  /** Waits for token calls under way: a rotated token must reach the disk. */
  stop(): Promise<void>;
}

/** What is known of one file beyond its content. */
interface Track {
  /** Identity of the content this is about. */
  fields: Secret<JsonObject>;
  failures: number;
  /** Unix ms; no token call before. */
  notBefore: number;
  lastError?: RefreshError;
  /** Refused for good: until the content changes. */
  dead: boolean;
  running?: Promise<void>;
  /** New tokens that could not be written yet. */
  unsaved?: JsonObject;
}

/** A clock that jumps, or a machine that slept, is noticed this soon. */
const maxTimerMs = 30_000;
/** A request waits for a renewal when less than this is left; with more it goes on with the old token meanwhile. */
const blockingLeadMs = 30_000;

export function createRefresher(options: RefresherOptions): Refresher {
  const { store, providers, log, clock = systemClock, random = Math.random } = options;
  const tracks = new Map<string, Track>();
  const due = new DueQueue();
  const waiting = new Set<string>();
  const exchanged = new ExchangedTokens();
  const stopping = new AbortController();
  const warnedOfClock = new Set<string>();
  let running = 0;
  let started = false;
  let cancelTimer: () => void = () => {};
  let unsubscribe: () => void = () => {};

  const workers = () => Math.max(1, Number(options.config()['auth-auto-refresh-workers']) || 16);
  // A renewal may be switched off in the configuration (`iflow.cookie-auto-renew`).
  const policies = new Map(
    [...providers.values()].flatMap(({ id, refresh }): [ProviderId, RefreshPolicy][] =>
      refresh ? [[id, { ...refresh, canRefresh: (fields) => refresh.canRefresh(fields, options.config()) }]] : [],
    ),
  );
  const policyOf = (credential: Credential): RefreshPolicy | undefined =>
    credential.source === 'file' ? policies.get(credential.provider) : undefined;
  const isUsable = ({ token, expiresAt }: Credential) =>
    token !== undefined && (expiresAt === undefined || expiresAt > clock.now());

  const trackOf = (credential: Credential): Track => {
    const name = fileOf(credential.id);
    const known = tracks.get(name);
    if (known === undefined) {
      const track: Track = { fields: credential.fields, failures: 0, notBefore: 0, dead: false };
      tracks.set(name, track);
      return track;
    }
    if (known.fields === credential.fields || store.get(credential.id)?.fields !== credential.fields) return known;
    known.fields = credential.fields;
    // Our own write is no news. Other new content: a refusal of the old one says nothing about it.
    if (known.running === undefined) {
      known.dead = false;
      known.failures = 0;
      delete known.lastError;
      delete known.unsaved;
    }
    return known;
  };

  /** All credentials of the same file: the projects of a Gemini login. */
  const siblings = (id: string) => store.list().filter((other) => fileOf(other.id) === fileOf(id));

  const plan = (credential: Credential) => {
    const name = fileOf(credential.id);
    const track = trackOf(credential);
    if (credential.source !== 'file' || track.dead || track.running !== undefined) {
      due.delete(name);
      return;
    }
    const next = planRefresh(credential, policyOf(credential), clock.now(), random());
    const earliest = mustWait(track) ? track.notBefore : 0;
    if (next.kind === 'due') due.set(name, Math.max(next.at, earliest));
    else if (next.kind === 'static' && next.expiresAt !== undefined && credential.status === 'active') {
      due.set(name, Math.max(next.expiresAt, clock.now()));
    } else due.delete(name);
  };

  const arm = () => {
    cancelTimer();
    const at = due.next();
    if (!started || at === undefined) return;
    cancelTimer = clock.after(Math.min(Math.max(at - clock.now(), 0), maxTimerMs), () => {
      for (const name of due.take(clock.now())) waiting.add(name);
      work();
      arm();
    });
  };

  const work = () => {
    for (const name of waiting) {
      if (running >= workers()) return;
      waiting.delete(name);
      const credential = store.get(name) ?? store.list().find((one) => fileOf(one.id) === name);
      if (credential === undefined) continue;
      const policy = policyOf(credential);
      if (policy === undefined || !policy.canRefresh(credential.fields.reveal())) expire(credential);
      // The error is kept in the track and logged there.
      else renew(credential, policy, false).catch(() => {});
    }
  };

  const expire = (credential: Credential) => {
    const provider = providers.get(credential.provider);
    if (provider === undefined || isUsable(credential)) return;
    for (const { id, status } of siblings(credential.id)) {
      if (status === 'active') store.setStatus(id, 'expired', expiredMessage(provider, credential.kind));
    }
    log.warn(`credential ${credential.id}: ${expiredMessage(provider, credential.kind)}`);
  };

  /** Joins the renewal under way for this file, or begins one. Rejects with the RefreshError. */
  const renew = (seen: Credential, policy: RefreshPolicy, force: boolean): Promise<void> => {
    const track = trackOf(seen);
    track.running ??= (async () => {
      running += 1;
      try {
        await renewNow(seen, policy, force, track);
      } finally {
        running -= 1;
        delete track.running;
        const current = store.get(seen.id);
        if (current !== undefined) plan(current);
        work();
        arm();
      }
    })();
    return track.running;
  };

  const renewNow = async (seen: Credential, policy: RefreshPolicy, force: boolean, track: Track) => {
    const provider = providers.get(seen.provider) as Provider;
    let outcome: Exchange;
    try {
      const request: ExchangeRequest = { seen, provider, policy, force, unsaved: track.unsaved };
      outcome = await exchangeToken(request, exchanged, {
        store,
        http: options.http,
        config: options.config,
        now: clock.now,
        signal: stopping.signal,
        wait: (ms) => new Promise((resolve) => clock.after(ms, resolve)),
        clockDiffers: (offset) => warnOfClock(provider, offset),
        mayCall() {
          if (mustWait(track)) return false;
          track.notBefore = clock.now() + minGapMs;
          return true;
        },
      });
    } catch (error) {
      throw failed(seen, provider, track, error);
    }
    if (outcome.kind === 'too-soon') throw tooSoon(track);
    track.failures = 0;
    delete track.lastError;
    delete track.unsaved;
    if (outcome.kind === 'unsaved') {
      track.unsaved = outcome.fields;
      track.notBefore = clock.now() + minGapMs;
      log.warn(`credential ${seen.id}: its new tokens cannot be saved yet: ${outcome.error.message}`);
    } else if (outcome.kind === 'refreshed') {
      options.onRefresh?.(seen.providerKey, true);
      log.info(`credential ${seen.id}: token refreshed`);
    } else if (store.get(seen.id)?.fields === seen.fields) {
      // Nothing to do and nothing new: asking again at once would go round for ever.
      track.notBefore = clock.now() + minGapMs;
    }
  };

  /** A clock that was set back must not stop renewals for longer than the longest wait. */
  const mustWait = ({ notBefore }: Track) => {
    const left = notBefore - clock.now();
    return left > 0 && left <= maxBackoffMs;
  };

  const tooSoon = (track: Track) =>
    track.lastError ??
    new RefreshError('the token was refreshed less than 30 s ago', {
      permanent: false,
      retryAfterMs: Math.max(track.notBefore - clock.now(), 0),
    });

  const failed = (seen: Credential, provider: Provider, track: Track, cause: unknown) => {
    const error =
      cause instanceof RefreshError
        ? cause
        : new RefreshError(`token refresh failed: ${(cause as Error).message}`, { permanent: false, cause });
    track.lastError = error;
    options.onRefresh?.(seen.providerKey, false);
    // A new login may have come in between: then it was the old one that was refused.
    const same = store.get(seen.id)?.refreshToken?.reveal() === seen.refreshToken?.reveal();
    if (error.permanent && same) {
      const how = loginAdvice(provider, seen.kind);
      track.dead = true;
      for (const { id } of siblings(seen.id)) store.setStatus(id, 'reauth_required', `${error.message}${how}`);
      log.warn(`credential ${seen.id} needs a new login: ${error.message}${how}`);
    } else {
      track.failures += 1;
      const wait = backoff(track.failures, error.retryAfterMs);
      track.notBefore = clock.now() + wait;
      log.warn(`credential ${seen.id}: ${error.message}; next try in ${Math.round(wait / 1000)} s`);
    }
    return error;
  };

  const warnOfClock = (provider: Provider, offset: number) => {
    if (warnedOfClock.has(provider.id)) return;
    warnedOfClock.add(provider.id);
    const minutes = Math.round(Math.abs(offset) / 60_000);
    log.warn(`the clock here is ${minutes} min ${offset > 0 ? 'behind' : 'ahead of'} ${provider.displayName}'s`);
  };

  /** The credential with the tokens that wait to be written. */
  const withUnsaved = (credential: Credential): Credential => {
    const fields = tracks.get(fileOf(credential.id))?.unsaved;
    const provider = providers.get(credential.provider);
    if (fields === undefined || provider === undefined) return credential;
    const facts = [provider.readCredential(fields)].flat();
    const own = facts.find(({ child }) => child === undefined || credential.id.endsWith(`::${child}`)) ?? facts[0];
    if (own?.token === undefined) return credential;
    const { expiresAt = Number.POSITIVE_INFINITY } = own;
    return { ...credential, token: new Secret(own.token), expiresAt, fields: new Secret(fields) };
  };

  const remaining = ({ token, expiresAt }: Credential) =>
    token === undefined ? 0 : (expiresAt ?? Number.POSITIVE_INFINITY) - clock.now();

  const isFresh = (credential: Credential) => {
    const policy = policyOf(credential);
    return policy === undefined || remaining(credential) > (policy.requestLeadMs ?? 0);
  };

  return {
    start() {
      started = true;
      unsubscribe = store.onChange(({ added, changed, removed }) => {
        for (const credential of added) plan(credential);
        for (const { after } of changed) plan(after);
        for (const { id } of removed) {
          if (id.includes('::') && siblings(id).length > 0) continue;
          due.delete(fileOf(id));
          tracks.delete(fileOf(id));
        }
        arm();
      });
      for (const credential of store.list()) plan(credential);
      arm();
    },

    isFresh,

    async ensureFresh(given, { force = false, signal } = {}) {
      signal?.throwIfAborted();
      const stored = store.get(given.id) ?? given;
      const current = withUnsaved(stored);
      const policy = policyOf(stored);
      const renewed = force && current.token?.reveal() !== given.token?.reveal() && isUsable(current);
      if (policy === undefined || renewed || (!force && isFresh(current))) return current;

      const track = trackOf(stored);
      const fallback = (error: RefreshError) => {
        if (!force && isUsable(current)) return current;
        throw error;
      };
      if (track.dead && track.lastError) return fallback(track.lastError);
      if (!policy.canRefresh(stored.fields.reveal())) {
        return fallback(
          new RefreshError(expiredMessage(providers.get(stored.provider), stored.kind), { permanent: true }),
        );
      }
      if (track.running === undefined && mustWait(track)) {
        // After a success, a forced caller still looks whether another process has newer tokens on disk.
        if (!force || track.lastError) return fallback(tooSoon(track));
      }
      const renewal = renew(stored, policy, force);
      if (!force && remaining(current) > blockingLeadMs) {
        renewal.catch(() => {});
        return current;
      }
      try {
        await untilAborted(renewal, signal);
      } catch (error) {
        if (error instanceof RefreshError) return fallback(error);
        throw error;
      }
      const after = withUnsaved(store.get(given.id) ?? stored);
      const replaced = after.token?.reveal() !== current.token?.reveal();
      if (force ? replaced : isUsable(after)) return after;
      throw new RefreshError('the token could not be refreshed', { permanent: false });
    },

    nextRefreshAt: (id) => due.get(fileOf(id)),

    async stop() {
      started = false;
      cancelTimer();
      unsubscribe();
      waiting.clear();
      await Promise.allSettled([...tracks.values()].map((track) => track.running));
      stopping.abort();
    },
  };
}

/** Rejects with the signal's reason when it aborts first; `work` goes on. */
function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
