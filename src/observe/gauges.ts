// Figures that are looked up when they are asked for: credentials, cooldowns, requests under way, the process itself.
import type { Credential } from '../credentials/credential.ts';
import { version } from '../version.ts';
import type { LagMeter } from './event-loop-lag.ts';
import { boundedLabel } from './metric-labels.ts';
import type { Labels } from './series.ts';

export interface CredentialView {
  /** Kinds of the cooldown windows that are open now, one per window. */
  openWindows: readonly string[];
  /** Upstream requests under way. */
  inFlight: number;
}

export interface GaugeSources {
  credentials(): readonly Credential[];
  view(credential: Credential): CredentialView;
  /** Client requests under way. */
  requestsInFlight(): number;
  lag: LagMeter;
  memory?: () => { rss: number; heapUsed: number; heapTotal: number; external: number };
  cpuSeconds?: () => number;
}

export interface Gauge {
  /** Default: gauge. */
  type?: 'counter';
  name: string;
  help: string;
  values: { labels: Labels; value: number }[];
}

export function readGauges(sources: GaugeSources): Gauge[] {
  const memory = (sources.memory ?? process.memoryUsage)();
  const cpu = sources.cpuSeconds ?? cpuSeconds;
  const lag = sources.lag.read();
  const gauges: Gauge[] = [
    ...credentialGauges(sources),
    single('cliproxy_requests_in_flight', 'Client requests under way.', sources.requestsInFlight()),
    single('nodejs_eventloop_lag_seconds', 'Mean lateness of the event loop since the last reading.', lag.mean),
    single('nodejs_eventloop_lag_p50_seconds', 'Median of the same.', lag.p50),
    single('nodejs_eventloop_lag_p99_seconds', '99th percentile of the same.', lag.p99),
    single('nodejs_eventloop_lag_max_seconds', 'Longest of the same.', lag.max),
    single('process_resident_memory_bytes', 'Resident memory.', memory.rss),
    single('nodejs_heap_size_used_bytes', 'Heap in use.', memory.heapUsed),
    single('nodejs_heap_size_total_bytes', 'Heap reserved.', memory.heapTotal),
    single('nodejs_external_memory_bytes', 'Memory of buffers outside the heap.', memory.external),
    { ...single('process_cpu_seconds_total', 'Processor time used since the start.', cpu()), type: 'counter' as const },
    single('process_start_time_seconds', 'Unix time of the start.', startTime()),
  ];
  gauges.push({ name: 'cliproxy_build_info', help: 'Always 1.', values: [{ labels: { version }, value: 1 }] });
  return gauges;
}

let startedAt: number | undefined;

/** Unix s. Worked out once: the clock may be set later. */
function startTime(): number {
  startedAt ??= Date.now() / 1000 - process.uptime();
  return startedAt;
}

function single(name: string, help: string, value: number): Gauge {
  return { name, help, values: [{ labels: {}, value }] };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function credentialGauges(sources: GaugeSources): Gauge[] {
  const provider = boundedLabel({ limit: 50 });
  const credentials = tally('cliproxy_credentials', 'Known credentials, by status.', ['provider', 'status']);
  const cooldowns = tally('cliproxy_cooldowns_open', 'Cooldown windows that are open, by reason.', [
    'provider',
    'kind',
  ]);
  const inFlight = tally('cliproxy_upstream_requests_in_flight', 'Upstream requests under way.', ['provider']);
  for (const credential of sources.credentials()) {
    const by = provider(credential.providerKey);
    credentials.add(1, by, credential.disabled ? 'disabled' : credential.status);
    const view = sources.view(credential);
    inFlight.add(view.inFlight, by);
    for (const kind of view.openWindows) cooldowns.add(1, by, kind);
  }
  return [credentials.gauge(), cooldowns.gauge(), inFlight.gauge()];
}

function tally(name: string, help: string, labelNames: readonly string[]) {
  const sums = new Map<string, number>();
  return {
    add(amount: number, ...values: string[]): void {
      const key = values.join('\u0001');
      sums.set(key, (sums.get(key) ?? 0) + amount);
    },
    gauge: (): Gauge => ({
      name,
      help,
      values: [...sums].map(([key, value]) => {
        const values = key.split('\u0001');
        return { labels: Object.fromEntries(labelNames.map((label, n) => [label, values[n] ?? ''])), value };
      }),
    }),
  };
}
