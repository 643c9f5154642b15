// Counts wrong keys per address and bans the address for a while (management-api.md R8).
export interface LockoutRule {
  failures: number;
  /** ms in which that many failures count. */
  windowMs: number;
  banMs: number;
}

export const remoteRule: LockoutRule = { failures: 5, windowMs: 600_000, banMs: 1_800_000 };
export const loopbackRule: LockoutRule = { failures: 10, windowMs: 600_000, banMs: 60_000 };

interface Entry {
  failures: number[];
  bannedUntil: number;
  /** When an uncached key was last compared during the ban. */
  comparedAt: number;
  seenAt: number;
}

const maxEntries = 10_000;
const idleMs = 7_200_000;

export class Lockout {
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** ms left of the ban of this address, 0 when there is none. */
  banned(address: string): number {
    const entry = this.#entries.get(address);
    return entry ? Math.max(0, entry.bannedUntil - this.#now()) : 0;
  }

  /** During a ban an expensive comparison is allowed once per second, so that the owner's key can still lift it. */
  mayCompare(address: string): boolean {
    const entry = this.#entries.get(address);
    if (!entry || this.banned(address) === 0) return true;
    if (this.#now() - entry.comparedAt < 1000) return false;
    entry.comparedAt = this.#now();
    return true;
  }

  failed(address: string, rule: LockoutRule): void {
    const now = this.#now();
    const entry = this.#entries.get(address) ?? { failures: [], bannedUntil: 0, comparedAt: 0, seenAt: now };
    entry.seenAt = now;
    if (entry.bannedUntil <= now) {
      entry.failures = [...entry.failures.filter((at) => now - at < rule.windowMs), now];
      if (entry.failures.length >= rule.failures) {
        entry.bannedUntil = now + rule.banMs;
        entry.failures = [];
      }
    }
    this.#entries.set(address, entry);
    if (this.#entries.size > maxEntries) this.#purge(now);
  }

  succeeded(address: string): void {
    this.#entries.delete(address);
  }

  #purge(now: number): void {
    for (const [address, entry] of this.#entries) {
      if (entry.bannedUntil <= now && now - entry.seenAt > idleMs) this.#entries.delete(address);
    }
    for (const address of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries) break;
      this.#entries.delete(address);
    }
  }
}

/** `30m0s`, `1m0s`, `45s`: as the reference prints durations. */
export function durationText(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
