// Everything that watches the server, put together: metrics, usage, request and error logs.
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/index.ts';
import type { CredentialStore } from '../credentials/credential.ts';
import { splitSuffix } from '../protocols/thinking/index.ts';
import type { Observer } from '../routing/dispatch.ts';
import type { Router } from '../routing/router.ts';
import { type KeyRing, keyDigest, presentedKeys } from '../server/access.ts';
import type { RequestSummary } from '../server/client-route.ts';
import { type LagMeter, startLagMeter } from './event-loop-lag.ts';
import { expose } from './exposition.ts';
import { readGauges } from './gauges.ts';
import { createMetrics } from './metrics.ts';
import { metricsRoute } from './metrics-route.ts';
import { processListener } from './process-listener.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import type { UsageStore } from './usage.ts';
import { usageObserver } from './usage-observer.ts';

/** Usage details past their retention go this often. */
const pruneEveryMs = 60 * 60_000;

/** ms after the start at which the lag of the event loop is measured; a reading begins it at once. */
const lagAfterMs = 1_000;

export interface ObservationParts {
  config(): Config;
  store: CredentialStore;
  router: Router;
  usage: UsageStore;
  logDir(): string;
  keys(): KeyRing;
  /** Client requests under way. */
  requestsInFlight(): number;
  warn(line: string): void;
  now?: () => number;
}

export interface Observation {
  /** For the attempt loop. */
  observer: Observer;
  /** A client request is over. */
  finished(summary: RequestSummary): void;
  /** For the refresher. */
  refreshed(providerKey: string, ok: boolean): void;
  requestLog: RequestLog;
  register(app: FastifyInstance): void;
  /** Starts, moves or stops the listener of `pprof`, as the configuration says now. */
  followConfig(): void;
  /** Logs that are still being written reach the disk. */
  close(): Promise<void>;
}

export function observe(parts: ObservationParts): Observation {
  const { config, router, store } = parts;
  const now = parts.now ?? Date.now;
  const metrics = createMetrics({ knownModel });
  const usage = usageObserver({ store: parts.usage, config, digestOf: keyDigest });
  const requestLog = createRequestLog({
    config,
    folder: parts.logDir,
    warn: parts.warn,
    presentedKeys,
  });
  const pruning = setInterval(() => parts.usage.prune(), pruneEveryMs);
  pruning.unref();
  let lag: LagMeter | undefined;
  let lagSoon: NodeJS.Timeout | undefined;

  function knownModel(name: string): string | undefined {
    const { registry } = router;
    return (registry.find(name) ?? registry.find(splitSuffix(name).base))?.id;
  }

  const lagMeter = (): LagMeter => {
    lag ??= startLagMeter();
    return lag;
  };
  const gauges = () =>
    readGauges({
      credentials: () => store.list(),
      view: (credential) => {
        const state = router.stateOf(credential.id);
        const at = now();
        const openWindows: string[] = [];
        for (const window of state.cooldowns.windows.values()) if (window.until > at) openWindows.push(window.kind);
        return { openWindows, inFlight: state.inFlight };
      },
      requestsInFlight: parts.requestsInFlight,
      lag: lagMeter(),
    });

  const figures = processListener(() => {
    const ofProcess = gauges().filter(({ name }) => /^(?:process|nodejs)_/.test(name));
    return expose({ ...metrics, counters: [], histograms: [] }, ofProcess);
  }, parts.warn);

  return {
    observer: {
      attempt(client, record) {
        metrics.attempt(record);
        usage.attempt(client, record);
      },
    },
    finished: (summary) => metrics.request(summary),
    refreshed: metrics.refresh,
    requestLog,
    register: (app) => metricsRoute(app, { config, keys: parts.keys, read: () => expose(metrics, gauges()) }),
    followConfig() {
      // Its module is not worth waiting for at the start.
      if (config().metrics.enable) lagSoon ??= setTimeout(lagMeter, lagAfterMs).unref();
      figures.follow(config().pprof);
    },
    async close() {
      figures.close();
      clearTimeout(lagSoon);
      lag?.stop();
      clearInterval(pruning);
      await requestLog.flush();
    },
  };
}
