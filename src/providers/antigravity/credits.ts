// Paid credits of an Antigravity account, used only where `quota-exceeded.antigravity-credits` allows it: they cost the
// account's owner money (upstreams.md §2.8).

/** After a failure, or when no reset is told, in ms. */
const pauseMs = 5 * 3_600_000;

interface CreditState {
  /** Unix ms until which requests go out with credits at once. */
  preferredUntil: number;
  /** Unix ms until which credits are not tried; infinite when the account has none. */
  offUntil: number;
}

/** Per credential, for this process; a restart asks the service again. */
export class CreditUse {
  readonly #states = new Map<string, CreditState>();

  prefers(id: string, now: number): boolean {
    const state = this.#states.get(id);
    return state !== undefined && now < state.preferredUntil && now >= state.offUntil;
  }

  mayTry(id: string, now: number): boolean {
    return now >= (this.#states.get(id)?.offUntil ?? 0);
  }

  /** The free quota is out for `delayMs`: until then credits come first, unless they fail too. */
  begin(id: string, now: number, delayMs: number | undefined): void {
    this.#states.set(id, { preferredUntil: now + (delayMs ?? pauseMs), offUntil: 0 });
  }

  failed(id: string, now: number, exhausted: boolean): void {
    this.#states.set(id, { preferredUntil: 0, offUntil: exhausted ? Number.POSITIVE_INFINITY : now + pauseMs });
  }
}
