// The figures as Prometheus text. The library is loaded at the first reading, so that starting up does not pay for it.
import type { Metric } from 'prom-client';
import type { Gauge } from './gauges.ts';
import type { Metrics } from './metrics.ts';
import type { CounterFamily, HistogramFamily, Labels } from './series.ts';

export interface Exposition {
  contentType: string;
  text: string;
}

interface Value {
  metricName: string;
  labels: Labels | Record<string, string | number>;
  value: number;
}

export async function expose(metrics: Metrics, gauges: readonly Gauge[]): Promise<Exposition> {
  const { Registry } = await import('prom-client');
  const registry = new Registry();
  const put = (type: string, family: { name: string; help: string }, values: readonly Value[]): void => {
    const { name, help } = family;
    const read = { name, help, type, aggregator: 'sum', values };
    // The registry asks its metrics for nothing but `name` and `get()`; our numbers are kept in our own tables.
    registry.registerMetric({ name, help, type, get: async () => read } as unknown as Metric);
  };
  for (const counter of metrics.counters) put('counter', counter, counterValues(counter));
  for (const histogram of metrics.histograms) put('histogram', histogram, histogramValues(histogram));
  for (const gauge of gauges) {
    put(
      'gauge',
      gauge,
      gauge.values.map(({ labels, value }) => ({ metricName: gauge.name, labels, value })),
    );
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function counterValues(counter: CounterFamily): Value[] {
  return [...counter.read()].map(({ labels, value }) => ({ metricName: counter.name, labels, value }));
}

/** Buckets are cumulative on the wire and end with `+Inf`. */
function histogramValues(histogram: HistogramFamily): Value[] {
  const values: Value[] = [];
  for (const { labels, counts, sum, count } of histogram.read()) {
    let below = 0;
    histogram.bounds.forEach((le, index) => {
      below += counts[index] ?? 0;
      values.push({ metricName: `${histogram.name}_bucket`, labels: { ...labels, le }, value: below });
    });
    values.push({ metricName: `${histogram.name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count });
    values.push({ metricName: `${histogram.name}_sum`, labels, value: sum });
    values.push({ metricName: `${histogram.name}_count`, labels, value: count });
  }
  return values;
}
