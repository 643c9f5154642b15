// When a credential may be asked again: windows per credential and upstream model, from the most specific hint.
// Pure arithmetic over a clock that is passed in. Source: spec/routing.md §5, §20 D3–D12; spec/upstreams.md §8 rows 12–16.
import type { Failure, FailureKind } from '../failure.ts';

/** Model name under which a window that covers the whole credential is kept. */
export const wholeCredential = '*';

export interface Window {
  /** Unix ms. */
  openedAt: number;
  /** Unix ms; the window is over from then on. */
  until: number;
  kind: FailureKind;
  /** Failures in a row, one per window: the next window without a hint is 2^level as long. */
  level: number;
  message: string;
  status: number;
  /** Unix ms of the last half-open probe; the opening time before the first one. */
  probedAt: number;
  /** A probe is under way. */
  probing?: boolean;
}

export interface CooldownPolicy {
  /** ms; caps every window, `undefined` = no cap (`max-cooldown`). */
  maxWindowMs?: number;
  /** ms; windows longer than this are half-open (`cooldown-probe-after`). */
  probeAfterMs: number;
  /** ms between probes of a half-open window (`cooldown-probe-interval`). */
  probeIntervalMs: number;
  /** Fixed length of transient windows in ms; `undefined` = the ladder 1, 2, 4 … 60 s; negative = none. */
  transientMs?: number;
  /** ms; 404 and unsupported models. */
  notFoundMs: number;
  disabled: boolean;
}

export const defaultPolicy: CooldownPolicy = {
  probeAfterMs: 15 * 60_000,
  probeIntervalMs: 15 * 60_000,
  notFoundMs: 15 * 60_000,
  disabled: false,
};

const secondMs = 1000;
const quotaCapMs = 30 * 60_000;
const transientCapMs = 60_000;
const credentialFaultMs = 30 * 60_000;

/** Kinds that say little about the credential: others are preferred, but it is used when nothing else is ready. */
const softKinds: ReadonlySet<FailureKind> = new Set(['transient', 'overloaded', 'timeout', 'internal']);

export function isSoft(window: Window): boolean {
  return softKinds.has(window.kind);
}

/** Length of the window that a failure opens, in ms; 0 = none. */
function windowLength(failure: Failure, level: number, policy: CooldownPolicy, jitter: number): number {
  const hint = failure.retryAfterMs;
  switch (failure.kind) {
    case 'quota':
      // A hint is the upstream's own word: taken exactly, but never below one second.
      if (hint !== undefined) return Math.max(hint, secondMs);
      return Math.min(secondMs * 2 ** level, quotaCapMs) * (1 + 0.2 * jitter);
    case 'unauthorized':
    case 'forbidden':
      return hint ?? credentialFaultMs;
    case 'not-found':
    case 'model-unsupported':
      return hint ?? policy.notFoundMs;
    case 'transient':
    case 'overloaded':
    case 'timeout':
    case 'internal': {
      if (hint !== undefined) return Math.max(hint, secondMs);
      if (policy.transientMs !== undefined) return Math.max(0, policy.transientMs);
      return Math.min(secondMs * 2 ** level, transientCapMs) * (1 + 0.2 * jitter);
    }
    default:
      return 0;
  }
}

const none: ReadonlyMap<string, Window> = new Map();

/** All windows of one credential. Survives changes of the credential itself (D8). */
export class Cooldowns {
  /** Made with the first window: most credentials never have one. */
  #windows: Map<string, Window> | undefined;

  /** By upstream model. */
  get windows(): ReadonlyMap<string, Window> {
    return this.#windows ?? none;
  }

  /** The window that blocks `model` now, the later one of its own and the whole credential's. */
  blocking(model: string, now: number): Window | undefined {
    const windows = this.#windows;
    if (windows === undefined || windows.size === 0) return undefined;
    const own = windows.get(model);
    const whole = windows.get(wholeCredential);
    const ownBlocks = own !== undefined && own.until > now;
    const wholeBlocks = whole !== undefined && whole.until > now;
    if (ownBlocks && wholeBlocks) return own.until >= whole.until ? own : whole;
    return ownBlocks ? own : wholeBlocks ? whole : undefined;
  }

  /**
   * Records a failed attempt that began at `startedAt`. Returns the window that is open afterwards.
   * An attempt that began before the current window opened belongs to it: it neither escalates nor shortens it (D3).
   */
  failed(
    model: string,
    failure: Failure,
    startedAt: number,
    now: number,
    policy: CooldownPolicy,
    jitter: number,
  ): Window | undefined {
    if (failure.scope === 'request' || failure.kind === 'aborted' || failure.kind === 'invalid-request')
      return undefined;
    if (policy.disabled && failure.kind !== 'model-unsupported') return undefined;
    const key = failure.scope === 'credential' ? wholeCredential : model;
    const previous = this.windows.get(key);
    if (previous) previous.probing = false;
    // A probe of a half-open window that failed keeps the old end, unless the upstream named a later one (D5).
    const sameWindow = previous !== undefined && (startedAt < previous.openedAt || previous.until > now);
    const level = previous === undefined ? 0 : sameWindow ? previous.level : previous.level + 1;
    let length = windowLength(failure, level, policy, jitter);
    if (policy.maxWindowMs !== undefined) length = Math.min(length, policy.maxWindowMs);
    if (length <= 0) return undefined;
    if (sameWindow) {
      const hinted = failure.retryAfterMs !== undefined && now + length > previous.until;
      if (hinted || (isSoft(previous) && !softKinds.has(failure.kind))) {
        previous.until = Math.max(previous.until, now + length);
        previous.kind = failure.kind;
        previous.message = failure.message;
        previous.status = failure.status;
      }
      return previous;
    }
    const window: Window = {
      openedAt: now,
      until: now + length,
      kind: failure.kind,
      level,
      message: failure.message,
      status: failure.status,
      probedAt: now,
    };
    this.#add(key, window);
    return window;
  }

  /** A success clears what was opened before the attempt began, levels included (D7). Returns whether anything changed. */
  succeeded(model: string, startedAt: number): boolean {
    if (this.windows.size === 0) return false;
    let changed = false;
    for (const key of [model, wholeCredential]) {
      const window = this.windows.get(key);
      if (window === undefined) continue;
      window.probing = false;
      // A half-open probe begins after the window opened, so it heals the window; so does any later attempt.
      if (window.openedAt <= startedAt) {
        this.#windows?.delete(key);
        changed = true;
      }
    }
    return changed;
  }

  /** Whether one real request may test this window now (D5). */
  mayProbe(window: Window, now: number, policy: CooldownPolicy): boolean {
    if (window.probing) return false;
    if (window.until - window.openedAt <= policy.probeAfterMs) return false;
    return now - window.probedAt >= policy.probeIntervalMs;
  }

  probe(window: Window, now: number): void {
    window.probing = true;
    window.probedAt = now;
  }

  /** The probe ended without a verdict (client left, request error): the next one may come after the interval. */
  probeEnded(model: string): void {
    for (const key of [model, wholeCredential]) {
      const window = this.windows.get(key);
      if (window) window.probing = false;
    }
  }

  /** Manual reset (`reset-quota`) of one model or all. Returns the models that were cooling. */
  reset(model?: string): string[] {
    const cleared = [...this.windows.keys()].filter(
      (key) => model === undefined || key === model || key === wholeCredential,
    );
    for (const key of cleared) this.#windows?.delete(key);
    return cleared;
  }

  /** A new login or file content heals 401 and 403, not quota (D6). */
  credentialChanged(): boolean {
    let changed = false;
    for (const [key, window] of this.windows) {
      if (window.kind === 'unauthorized' || window.kind === 'forbidden') {
        this.#windows?.delete(key);
        changed = true;
      }
    }
    return changed;
  }

  toJSON(): Record<string, Omit<Window, 'probing'>> {
    return Object.fromEntries([...this.windows].map(([model, { probing: _, ...window }]) => [model, window]));
  }

  load(saved: Record<string, Omit<Window, 'probing'>>): void {
    for (const [model, window] of Object.entries(saved)) this.#add(model, { ...window });
  }

  #add(key: string, window: Window): void {
    this.#windows ??= new Map();
    this.#windows.set(key, window);
  }
}
