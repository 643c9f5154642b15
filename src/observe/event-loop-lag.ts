// How late the event loop is: what a busy process adds to every answer.
import type { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LagReport {
  /** s */
  mean: number;
  p50: number;
  p99: number;
  max: number;
}

export interface LagMeter {
  /** Since the last reading; starts a new span. */
  read(): LagReport;
  stop(): void;
}

const resolutionMs = 20;

export function startLagMeter(histogram = newHistogram()): LagMeter {
  histogram.enable();
  // What is recorded is the time between two looks; on an idle loop that is the resolution itself.
  const late = (nanoseconds: number): number =>
    Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000) : 0;
  return {
    read() {
      const report = {
        mean: late(histogram.mean),
        p50: late(histogram.percentile(50)),
        p99: late(histogram.percentile(99)),
        max: late(histogram.max),
      };
      histogram.reset();
      return report;
    },
    stop: () => void histogram.disable(),
  };
}

function newHistogram(): ReturnType<typeof monitorEventLoopDelay> {
  return process.getBuiltinModule('node:perf_hooks').monitorEventLoopDelay({ resolution: resolutionMs });
}
