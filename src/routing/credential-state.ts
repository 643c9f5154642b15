// What routing knows about one credential beyond its file: windows, load, counters, quota. Survives reloads and restarts.
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
const bucketCount = 20;

export class CredentialState {
  readonly id: string;
  readonly cooldowns = new Cooldowns();
  /** Requests under way now. */
  inFlight = 0;
  success = 0;
  failed = 0;
  recent: RecentBucket[] = [];
  quota: QuotaReport | undefined;
  /** Last failure text for management, cleared by a success. */
  lastError: { message: string; status: number; at: number } | undefined;

  constructor(id: string) {
    this.id = id;
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
    const from = now - (now % bucketMs);
    let bucket = this.recent.at(-1);
    if (bucket?.from !== from) {
      bucket = { from, success: 0, failed: 0 };
      this.recent.push(bucket);
      if (this.recent.length > bucketCount) this.recent.shift();
    }
    if (ok) bucket.success++;
    else bucket.failed++;
  }

  save(): SavedState | undefined {
    const windows = this.cooldowns.toJSON();
    if (this.success === 0 && this.failed === 0 && Object.keys(windows).length === 0) return undefined;
    return { windows, success: this.success, failed: this.failed, quota: this.quota };
  }

  load(saved: SavedState): void {
    if (saved.windows) this.cooldowns.load(saved.windows);
    this.success = saved.success ?? 0;
    this.failed = saved.failed ?? 0;
    this.quota = saved.quota;
  }
}
