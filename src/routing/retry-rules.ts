// When a failed request is tried again, and where: pure rules of the attempt loop (spec/routing.md §6, D10, D17).
import type { Config } from '../config/index.ts';
import type { Credential } from '../credentials/credential.ts';
import { Failure } from '../failure.ts';

/** Retry rounds that a credential takes part in. */
export function retriesOf(credential: Credential, config: Config): number {
  return Math.max(0, credential.requestRetry ?? config['request-retry']);
}

export function isTransient(failure: Failure): boolean {
  return failure.kind === 'transient' || failure.kind === 'overloaded' || failure.kind === 'timeout';
}

export function mayBootstrap(failure: Failure): boolean {
  return failure.status >= 500 || [401, 402, 403, 408, 429].includes(failure.status);
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

export function busy(model: string): Failure {
  return new Failure({
    kind: 'quota',
    status: 429,
    code: 'too_many_requests',
    message: `all credentials for model ${model} are at their limit of parallel requests`,
    retryAfterMs: 1000,
    scope: 'request',
  });
}

export function withRetryAfter(failure: Failure, retryAfterMs: number): Failure {
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

/** False when the signal came first. */
export function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
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
