// OAuth sessions of the management API: who is logging in where, until when, and how it ended (auth.md §5.6).
import { isValidState } from './state.ts';

export type SessionStatus = 'wait' | 'ok' | 'error';

export interface OAuthSession {
  readonly state: string;
  /** Canonical provider name: `anthropic`, `codex`, `gemini`, … */
  readonly provider: string;
  readonly kind: 'callback' | 'device';
  readonly status: SessionStatus;
  /** With status `error`. */
  readonly error?: string;
  /** With status `ok`: name of the credential file. */
  readonly file?: string;
  readonly path?: string;
  readonly email?: string;
  /** A callback was accepted and is being exchanged: a second one is refused. */
  readonly claimed: boolean;
  /** Unix ms. */
  readonly createdAt: number;
  /** Unix ms. Deadline of the flow, and how long its outcome can be asked for. */
  readonly expiresAt: number;
}

/** Why a callback was not taken; the management API has a status for each (auth.md §5.3). */
export type Refusal =
  | 'invalid-state'
  | 'unknown'
  | 'provider-mismatch'
  | 'device-flow'
  | 'not-pending'
  | 'already-completed';

export interface SessionsOptions {
  /** ms; wall clock, for the times that are shown. */
  now?: () => number;
  /** ms; never jumps, for the deadlines (R16). */
  monotonic?: () => number;
  /** ms */
  ttlMs?: number;
  /** ms between purges; 0 = only on access. */
  purgeEveryMs?: number;
}

export interface OAuthSessions {
  readonly ttlMs: number;
  /** Registers a pending session. `expiresAt` (Unix ms) can only shorten the lifetime. */
  open(session: { state: string; provider: string; kind: 'callback' | 'device'; expiresAt?: number }): OAuthSession;
  /** Shortens the deadline once a device flow has told its own. */
  limit(state: string, expiresAt: number): OAuthSession | undefined;
  /** Undefined when unknown or expired. Finished sessions stay, as tombstones, until `expiresAt`. */
  get(state: string): OAuthSession | undefined;
  list(provider?: string): OAuthSession[];
  /** Takes the one callback of a session: first wins (R14). `provider` absent: whatever the session's is. */
  claim(state: string, provider?: string): { session: OAuthSession } | { refusal: Refusal };
  /** Gives a claim back when the callback could not be kept. */
  release(state: string): void;
  complete(state: string, result: { file: string; path: string; email?: string }): void;
  fail(state: string, error: string): void;
  /** Aborts when the session ends: completed, failed, expired, or closed. */
  signal(state: string): AbortSignal;
  purge(): void;
  close(): void;
}

interface Entry {
  session: OAuthSession;
  /** On the monotonic clock. */
  deadline: number;
  ended: AbortController;
}

/** Lifetime of a session in ms: 10 minutes, or `CLIPROXY_OAUTH_SESSION_TTL` in s. */
export function sessionTtlMs(env: NodeJS.ProcessEnv = process.env): number {
  const seconds = Number(env.CLIPROXY_OAUTH_SESSION_TTL?.trim() || Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 86_400) * 1_000 : 600_000;
}

export function createOAuthSessions(options: SessionsOptions = {}): OAuthSessions {
  const now = options.now ?? Date.now;
  const monotonic = options.monotonic ?? (() => performance.now());
  const ttlMs = options.ttlMs ?? sessionTtlMs();
  const entries = new Map<string, Entry>();

  const expire = (state: string, entry: Entry): void => {
    entries.delete(state);
    entry.ended.abort(new Error('Timeout waiting for OAuth callback'));
  };
  const live = (state: string): Entry | undefined => {
    const entry = entries.get(state);
    if (entry === undefined || monotonic() < entry.deadline) return entry;
    expire(state, entry);
    return undefined;
  };
  const change = (state: string, members: Partial<OAuthSession>): void => {
    const entry = live(state);
    // A flow that has ended stays as it ended.
    if (entry === undefined || entry.session.status !== 'wait') return;
    entry.session = { ...entry.session, ...members };
    if (entry.session.status !== 'wait') entry.ended.abort(new Error('the login has ended'));
  };
  const purge = (): void => {
    for (const [state, entry] of entries) if (monotonic() >= entry.deadline) expire(state, entry);
  };

  const purgeEveryMs = options.purgeEveryMs ?? Math.min(30_000, Math.max(ttlMs / 4, 250));
  const timer = purgeEveryMs > 0 ? setInterval(purge, purgeEveryMs) : undefined;
  timer?.unref();

  return {
    ttlMs,
    open({ state, provider, kind, expiresAt }) {
      if (!isValidState(state)) throw new TypeError('invalid state');
      const createdAt = now();
      const end = Math.min(createdAt + ttlMs, expiresAt ?? Number.POSITIVE_INFINITY);
      const session: OAuthSession = {
        state,
        provider,
        kind,
        status: 'wait',
        claimed: false,
        createdAt,
        expiresAt: end,
      };
      entries.set(state, { session, deadline: monotonic() + (end - createdAt), ended: new AbortController() });
      return session;
    },
    limit(state, expiresAt) {
      const entry = live(state);
      if (entry === undefined || expiresAt >= entry.session.expiresAt) return entry?.session;
      entry.deadline -= entry.session.expiresAt - expiresAt;
      entry.session = { ...entry.session, expiresAt };
      return entry.session;
    },
    get: (state) => live(state)?.session,
    list(provider) {
      purge();
      const all = [...entries.values()].map((entry) => entry.session);
      return provider === undefined ? all : all.filter((session) => session.provider === provider);
    },
    claim(state, provider) {
      if (!isValidState(state)) return { refusal: 'invalid-state' };
      const entry = live(state);
      if (entry === undefined) return { refusal: 'unknown' };
      const { session } = entry;
      if (provider !== undefined && provider !== session.provider) return { refusal: 'provider-mismatch' };
      if (session.status === 'ok') return { refusal: 'already-completed' };
      if (session.status === 'error') return { refusal: 'not-pending' };
      if (session.kind === 'device') return { refusal: 'device-flow' };
      if (session.claimed) return { refusal: 'not-pending' };
      entry.session = { ...session, claimed: true };
      return { session: entry.session };
    },
    release: (state) => change(state, { claimed: false }),
    complete: (state, result) => change(state, { status: 'ok', ...result }),
    fail: (state, error) => change(state, { status: 'error', error }),
    signal: (state) => live(state)?.ended.signal ?? AbortSignal.abort(),
    purge,
    close() {
      clearInterval(timer);
      for (const [state, entry] of entries) expire(state, entry);
    },
  };
}
