// Keeps what V8 would forget. Optimised code refers weakly to the shapes of the objects it works on; those of a request
// live as long as requests do. A collection while nobody asks finds no such object, drops the shapes and with them the
// code of 160 functions, and the next thousands of requests pay for compiling it again (docs/performance.md). One finished
// request of each kind, kept whole, is enough to prevent that.

/** Request and answer together. Examples hold what was said: only small ones are kept. */
export const largestExampleBytes = 16 * 1024;

export class Examples {
  readonly #kept = new Map<unknown, object>();
  #fresh = new Set<unknown>();

  /** Takes `example` when its kind has none of late. Cheap enough to be asked for every request. */
  offer(kind: unknown, example: object): void {
    if (this.#fresh.has(kind)) return;
    this.#fresh.add(kind);
    this.#kept.set(kind, example);
  }

  /** From now on the next of each kind takes the place of the one that is kept: shapes change while code warms up. */
  renew(): void {
    this.#fresh = new Set();
  }

  get kept(): ReadonlyMap<unknown, object> {
    return this.#kept;
  }
}

/** Of finished requests to upstreams, by the class of their answer's pipe. */
export const finishedRequests = new Examples();
