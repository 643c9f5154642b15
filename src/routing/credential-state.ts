// What routing knows about one credential beyond its file: windows, load, counters, quota. Survives reloads and restarts.
import type { Credential } from '../credentials/credential.ts';
import type { QuotaReport } from '../providers/provider.ts';
import { Cooldowns, type Window } from './cooldown.ts';

export interface SavedState {
  windows?: Record<string, Omit<Window, 'probing'>>;
  success?: number;
  failed?: number;
  quota?: QuotaReport;
}

/** One 10-minute bucket of outcomes, for "recent requests". */
export interface RecentBucket {
  /** Unix ms of its start. */
  from: number;
  success: number;
  failed: number;
}

const bucketMs = 10 * 60_000;
/** Kept, the current one among them. */
const bucketCount = 20;

export class CredentialState {
  readonly id: string;
  /** As it is now; undefined when it is gone. */
  credential: Credential | undefined;
  readonly cooldowns = new Cooldowns();
  /** Requests under way now. */
  inFlight = 0;
  success = 0;
  failed = 0;
  /** The bucket that counts now, in small integers: a first use allocates nothing. Its start is `#bucket * bucketMs`. */
  #bucket = 0;
  #bucketSuccess = 0;
  #bucketFailed = 0;
  #past: RecentBucket[] | undefined;
  quota: QuotaReport | undefined;
  /** Last failure text for management, cleared by a success. */
  lastError: { message: string; status: number; at: number } | undefined;

  constructor(id: string, credential: Credential | undefined) {
    this.id = id;
    this.credential = credential;
  }

  /** Outcomes of the last hours, oldest first. */
  get recent(): RecentBucket[] {
    return [...(this.#past ?? []), ...this.#current()];
  }

  /** 0..1 of what is left; unknown counts as all. A window that was reset meanwhile counts as all again. */
  quotaLeft(now: number): number {
    if (this.quota?.remaining === undefined) return 1;
    if (this.quota.resetAt !== undefined && this.quota.resetAt <= now) return 1;
    return this.quota.remaining;
  }

  count(ok: boolean, now: number): void {
    if (ok) this.success++;
    else this.failed++;
    const bucket = Math.floor(now / bucketMs);
    if (bucket !== this.#bucket) this.#turn(bucket);
    if (ok) this.#bucketSuccess++;
    else this.#bucketFailed++;
  }

  #turn(bucket: number): void {
    const current = this.#current();
    if (current.length > 0) this.#past = [...(this.#past ?? []), ...current].slice(1 - bucketCount);
    this.#bucket = bucket;
    this.#bucketSuccess = 0;
    this.#bucketFailed = 0;
  }

  #current(): RecentBucket[] {
    if (this.#bucketSuccess + this.#bucketFailed === 0) return [];
    return [{ from: this.#bucket * bucketMs, success: this.#bucketSuccess, failed: this.#bucketFailed }];
  }

  save(): SavedState | undefined {
    const windows = this.cooldowns.windows.size === 0 ? undefined : this.cooldowns.toJSON();
    if (this.success === 0 && this.failed === 0 && windows === undefined) return undefined;
    return { windows, success: this.success, failed: this.failed, quota: this.quota };
  }

  load(saved: SavedState): void {
    if (saved.windows) this.cooldowns.load(saved.windows);
    this.success = saved.success ?? 0;
    this.failed = saved.failed ?? 0;
    this.quota = saved.quota;
  }
}
