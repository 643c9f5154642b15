// What is counted while requests are served: per client request, per upstream attempt, per token refresh.
import type { Failure } from '../failure.ts';
import type { AttemptRecord } from '../routing/dispatch.ts';
import type { RequestSummary } from '../server/client-route.ts';
import { boundedLabel, statusClass } from './metric-labels.ts';
import { CounterFamily, HistogramFamily } from './series.ts';

export interface Metrics {
  request(summary: RequestSummary): void;
  attempt(record: AttemptRecord): void;
  refresh(providerKey: string, ok: boolean): void;
  readonly counters: readonly CounterFamily[];
  readonly histograms: readonly HistogramFamily[];
}

export interface MetricsOptions {
  /** Whether a model name, as a client wrote it, is one that somebody serves. Its label is the name given back. */
  knownModel(name: string): string | undefined;
}

/** Distinct model names and providers at most. */
const maxModels = 200;
const maxProviders = 50;

/** s; from a cached token count to a long agent turn. */
const durationBounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];
const firstByteBounds = [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 25, 50, 100, 200];

export function createMetrics({ knownModel }: MetricsOptions): Metrics {
  const requests = new CounterFamily('cliproxy_requests_total', 'Client requests that are over, by the status sent.', [
    'protocol',
    'provider',
    'model',
    'status',
  ]);
  const durations = new HistogramFamily(
    'cliproxy_request_duration_seconds',
    'From the arrival of a client request to the end of its answer.',
    ['protocol', 'provider', 'model'],
    durationBounds,
  );
  const attempts = new CounterFamily(
    'cliproxy_upstream_attempts_total',
    'Requests sent to upstreams, by their status.',
    ['provider', 'model', 'status'],
  );
  const failures = new CounterFamily('cliproxy_upstream_failures_total', 'Upstream attempts that failed, by reason.', [
    'provider',
    'reason',
  ]);
  const firstBytes = new HistogramFamily(
    'cliproxy_upstream_first_byte_seconds',
    'From the sending of an upstream request to the first byte of its answer.',
    ['provider', 'model'],
    firstByteBounds,
  );
  const tokens = new CounterFamily('cliproxy_tokens_total', 'Tokens as told by the upstreams.', [
    'provider',
    'model',
    'kind',
  ]);
  const failovers = new CounterFamily(
    'cliproxy_failovers_total',
    'Attempts that failed and were followed by one with another credential.',
    ['provider'],
  );
  const fallbacks = new CounterFamily('cliproxy_fallbacks_total', 'Requests answered by a declared fallback model.', [
    'model',
  ]);
  const refreshes = new CounterFamily('cliproxy_refreshes_total', 'Token refreshes, by outcome.', [
    'provider',
    'result',
  ]);

  const clientModel = boundedLabel({ limit: maxModels });
  const upstreamModel = boundedLabel({ limit: maxModels });
  const provider = boundedLabel({ limit: maxProviders });
  /** Names outside the catalog are a client's own words: they never become labels. */
  const modelLabel = (name: string | undefined): string =>
    name === undefined ? '' : clientModel(knownModel(name) ?? 'other');

  return {
    counters: [requests, attempts, failures, tokens, failovers, fallbacks, refreshes],
    histograms: [durations, firstBytes],
    request({ protocol, model, status, tookMs, trace }) {
      const last = trace.attempts.at(-1);
      const by = provider(last?.provider);
      const named = modelLabel(model);
      requests.add(1, protocol, by, named, statusClass(status));
      durations.observe(tookMs / 1000, protocol, by, named);
      if (trace.answeredBy !== undefined) fallbacks.add(1, modelLabel(trace.answeredBy));
      for (let n = 1; n < trace.attempts.length; n++) {
        const before = trace.attempts[n - 1] as AttemptRecord;
        const after = trace.attempts[n] as AttemptRecord;
        if (before.credential.id !== after.credential.id) failovers.add(1, provider(before.provider));
      }
    },
    attempt(record) {
      const by = provider(record.provider);
      const named = upstreamModel(record.upstreamModel);
      attempts.add(1, by, named, statusClass(attemptStatus(record)));
      if (record.failure) failures.add(1, by, reasonOf(record.failure));
      if (record.firstByteMs !== undefined) firstBytes.observe(record.firstByteMs / 1000, by, named);
      const { usage } = record;
      if (usage === undefined) return;
      tokens.add(usage.input, by, named, 'input');
      tokens.add(usage.output, by, named, 'output');
      tokens.add(usage.cacheRead ?? 0, by, named, 'cached');
      tokens.add(usage.reasoning ?? 0, by, named, 'reasoning');
    },
    refresh(providerKey, ok) {
      refreshes.add(1, provider(providerKey), ok ? 'ok' : 'failed');
    },
  };
}

/** An attempt that the client ended is not the upstream's doing, whatever status had come by then. */
function attemptStatus({ failure, status }: AttemptRecord): number {
  return failure?.kind === 'aborted' ? 499 : status;
}

/** The closed list of kinds: a bounded label. */
function reasonOf(failure: Failure): string {
  return failure.kind;
}
