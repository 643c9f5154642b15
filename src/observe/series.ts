// Counters and distributions in plain numbers: counting costs a map look-up, the metrics library is needed for reading only.

export type Labels = Readonly<Record<string, string>>;

export interface Family {
  readonly name: string;
  readonly help: string;
}

/** Series of one family at most; a bug in a label must not grow memory without end. */
const maxSeries = 20_000;

/** A level of label values; the last one holds the figures. */
type Level<Figures> = Map<string, Level<Figures> | Figures>;

/**
 * The series of a family by their label values, one level of maps per label: looking them up makes no string, and the
 * values' hashes are known already (joined keys were a tenth of a request, docs/performance.md).
 */
class SeriesTable<Figures extends object> {
  readonly #labelNames: readonly string[];
  readonly #fresh: () => Figures;
  readonly #root: Level<Figures> = new Map();
  #size = 0;

  constructor(labelNames: readonly string[], fresh: () => Figures) {
    this.#labelNames = labelNames;
    this.#fresh = fresh;
  }

  /** The figures to change, new ones when there are none yet; undefined when there is no room. */
  at(values: readonly string[]): Figures | undefined {
    const last = this.#labelNames.length - 1;
    let level = this.#root;
    for (let index = 0; index < last; index++) {
      const value = values[index] as string;
      let next = level.get(value) as Level<Figures> | undefined;
      if (next === undefined) {
        next = new Map();
        level.set(value, next);
      }
      level = next;
    }
    const value = values[last] as string;
    const known = level.get(value) as Figures | undefined;
    if (known !== undefined || this.#size >= maxSeries) return known;
    this.#size++;
    const figures = this.#fresh();
    level.set(value, figures);
    return figures;
  }

  *read(
    level: Level<Figures> = this.#root,
    values: readonly string[] = [],
  ): Generator<{ labels: Labels; figures: Figures }> {
    for (const [value, inner] of level) {
      const path = [...values, value];
      if (path.length < this.#labelNames.length) yield* this.read(inner as Level<Figures>, path);
      else {
        const labels = Object.fromEntries(this.#labelNames.map((name, index) => [name, path[index] as string]));
        yield { labels, figures: inner as Figures };
      }
    }
  }
}

export class CounterFamily<Name extends string = string> implements Family {
  readonly name: string;
  readonly help: string;
  readonly #series: SeriesTable<{ value: number }>;

  constructor(name: string, help: string, labelNames: readonly Name[]) {
    this.name = name;
    this.help = help;
    this.#series = new SeriesTable(labelNames, () => ({ value: 0 }));
  }

  /** `values` in the order of the label names. */
  add(amount: number, ...values: string[]): void {
    if (!(amount > 0)) return;
    const counter = this.#series.at(values);
    if (counter !== undefined) counter.value += amount;
  }

  *read(): Generator<{ labels: Labels; value: number }> {
    for (const { labels, figures } of this.#series.read()) yield { labels, value: figures.value };
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
  readonly #series: SeriesTable<Distribution>;

  /** `bounds`: upper ends, ascending, in seconds. */
  constructor(name: string, help: string, labelNames: readonly Name[], bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.bounds = bounds;
    this.#series = new SeriesTable(labelNames, () => ({
      counts: new Array<number>(bounds.length + 1).fill(0),
      sum: 0,
      count: 0,
    }));
  }

  observe(seconds: number, ...values: string[]): void {
    const distribution = this.#series.at(values);
    if (distribution === undefined) return;
    let bucket = 0;
    while (bucket < this.bounds.length && seconds > (this.bounds[bucket] as number)) bucket++;
    distribution.counts[bucket] = (distribution.counts[bucket] ?? 0) + 1;
    distribution.sum += seconds;
    distribution.count++;
  }

  *read(): Generator<{ labels: Labels; counts: readonly number[]; sum: number; count: number }> {
    for (const { labels, figures } of this.#series.read()) yield { labels, ...figures };
  }
}
