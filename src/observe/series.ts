// Counters and distributions in plain numbers: counting costs a map look-up, the metrics library is needed for reading only.

export type Labels = Readonly<Record<string, string>>;

export interface Family {
  readonly name: string;
  readonly help: string;
}

/** Series of one family at most; a bug in a label must not grow memory without end. */
const maxSeries = 20_000;

/** Joins label values into a key; a control character cannot be part of a label (see `metric-labels.ts`). */
const separator = '\u0001';

export class CounterFamily<Name extends string = string> implements Family {
  readonly name: string;
  readonly help: string;
  readonly #labelNames: readonly Name[];
  readonly #values = new Map<string, number>();

  constructor(name: string, help: string, labelNames: readonly Name[]) {
    this.name = name;
    this.help = help;
    this.#labelNames = labelNames;
  }

  /** `values` in the order of the label names. */
  add(amount: number, ...values: string[]): void {
    if (!(amount > 0)) return;
    const key = values.join(separator);
    const known = this.#values.get(key);
    if (known === undefined && this.#values.size >= maxSeries) return;
    this.#values.set(key, (known ?? 0) + amount);
  }

  *read(): Generator<{ labels: Labels; value: number }> {
    for (const [key, value] of this.#values) yield { labels: labelsOf(this.#labelNames, key), value };
  }
}

interface Distribution {
  /** Observations per bound, not cumulative; the last one is above all bounds. */
  readonly counts: number[];
  sum: number;
  count: number;
}

export class HistogramFamily<Name extends string = string> implements Family {
  readonly name: string;
  readonly help: string;
  readonly bounds: readonly number[];
  readonly #labelNames: readonly Name[];
  readonly #values = new Map<string, Distribution>();

  /** `bounds`: upper ends, ascending, in seconds. */
  constructor(name: string, help: string, labelNames: readonly Name[], bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.bounds = bounds;
    this.#labelNames = labelNames;
  }

  observe(seconds: number, ...values: string[]): void {
    const key = values.join(separator);
    let distribution = this.#values.get(key);
    if (distribution === undefined) {
      if (this.#values.size >= maxSeries) return;
      distribution = { counts: new Array<number>(this.bounds.length + 1).fill(0), sum: 0, count: 0 };
      this.#values.set(key, distribution);
    }
    let bucket = 0;
    while (bucket < this.bounds.length && seconds > (this.bounds[bucket] as number)) bucket++;
    distribution.counts[bucket] = (distribution.counts[bucket] ?? 0) + 1;
    distribution.sum += seconds;
    distribution.count++;
  }

  *read(): Generator<{ labels: Labels; counts: readonly number[]; sum: number; count: number }> {
    for (const [key, value] of this.#values) yield { labels: labelsOf(this.#labelNames, key), ...value };
  }
}

function labelsOf(names: readonly string[], key: string): Labels {
  const values = key.split(separator);
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}
