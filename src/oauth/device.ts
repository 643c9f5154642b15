// Device authorization, RFC 8628 §3.4, §3.5: asking the token endpoint until the user has decided.
import { setTimeout as delay } from 'node:timers/promises';
import { HttpError } from '../net/http.ts';
import { loginError } from './errors.ts';
import type { LoginError } from './flow.ts';

export type PollAnswer<T> =
  | { kind: 'done'; value: T }
  | { kind: 'pending' }
  /** RFC 8628 §3.5: 5 s more between polls, from now on. */
  | { kind: 'slow-down' }
  /** Nothing to do with the user's decision: 5xx, 429, garbage. Tolerated until the code expires. */
  | { kind: 'transient'; message: string }
  | { kind: 'failed'; error: LoginError };

export interface DevicePolling<T> {
  /** One call; may reject with `HttpError`, which counts as transient. */
  poll(): Promise<PollAnswer<T>>;
  /** ms between polls; RFC 8628 §3.2: 5 s when the provider names none. */
  intervalMs: number;
  /** Unix ms when the device code ends. */
  expiresAt: number;
  /** The first poll at once instead of after one interval. */
  immediately?: boolean;
  /** What the timeout error says. */
  timeoutMessage: string;
  now(): number;
  signal: AbortSignal;
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Called before each wait with the ms left. */
  onWait?: (leftMs: number) => void;
}

export const defaultIntervalMs = 5_000;
const slowDownMs = 5_000;

/** Rejects with `LoginError`: denied, expired, aborted. */
export async function pollDevice<T>(polling: DevicePolling<T>): Promise<T> {
  const sleep = polling.sleep ?? sleepFor;
  let { intervalMs } = polling;
  let trouble: string | undefined;
  for (let first = true; ; first = false) {
    if (!first || !polling.immediately) {
      const left = polling.expiresAt - polling.now();
      if (left <= 0) throw timedOut(polling, trouble);
      polling.onWait?.(left);
      await sleep(Math.min(intervalMs, left), polling.signal);
    }
    if (polling.signal.aborted) throw loginError('aborted', 'cancelled');
    if (polling.now() >= polling.expiresAt) throw timedOut(polling, trouble);
    const answer = await attempt(polling);
    trouble = answer.kind === 'transient' ? answer.message : undefined;
    if (answer.kind === 'done') return answer.value;
    if (answer.kind === 'failed') throw answer.error;
    if (answer.kind === 'slow-down') intervalMs += slowDownMs;
  }
}

async function attempt<T>(polling: DevicePolling<T>): Promise<PollAnswer<T>> {
  try {
    return await polling.poll();
  } catch (error) {
    if (polling.signal.aborted) throw loginError('aborted', 'cancelled', error);
    if (error instanceof HttpError) return { kind: 'transient', message: error.message };
    throw error;
  }
}

function timedOut<T>(polling: DevicePolling<T>, trouble: string | undefined): LoginError {
  const suffix = trouble === undefined ? '' : ` (the last answer: ${trouble})`;
  return loginError('callback_timeout', `${polling.timeoutMessage}${suffix}`);
}

/** ms; resolves early, without an error, when `signal` aborts. */
export async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** ms of the provider's `interval`: seconds as a number or as text, 5 s when it names none. */
export function intervalOf(value: unknown, minimumMs = 1_000): number {
  const seconds = typeof value === 'string' ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return defaultIntervalMs;
  return Math.max(seconds * 1_000, minimumMs);
}

/** ms until the device code ends; `fallback` when the provider names nothing. */
export function lifetimeOf(value: unknown, fallbackMs: number): number {
  const seconds = typeof value === 'string' ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : fallbackMs;
}
