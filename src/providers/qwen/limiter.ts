// Qwen's free tier allows 60 requests a minute; asking more only earns refusals (upstreams.md §2.9).

/** Counts the requests of each key in a sliding window. Time comes in as unix ms. */
export class SlidingWindow {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #starts = new Map<string, number[]>();

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** 0 when the request may go out (it is counted then); else the ms until the next one may, at least 1,000. */
  take(key: string, now: number): number {
    const starts = this.#starts.get(key) ?? [];
    const oldest = now - this.#windowMs;
    // A clock set back must not lock the key for longer than one window.
    const recent = starts.filter((start) => start > oldest && start <= now);
    if (recent.length >= this.#limit) {
      this.#starts.set(key, recent);
      return Math.max(1_000, (recent[recent.length - this.#limit] as number) + this.#windowMs - now);
    }
    recent.push(now);
    this.#starts.set(key, recent);
    return 0;
  }
}
