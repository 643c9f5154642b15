// Usage statistics: exact counters, bounded details, the reference's JSON shape (config.md §12, management-api.md §15).
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { addTo, type Bucket, clean, detailKey, emptyBucket, groupRecords, localDay, localHour } from './usage-shape.ts';
import type { ApiUsage, ModelUsage, UsageDetail, UsageGroup, UsageRecord, UsageSnapshot } from './usage-types.ts';

export type * from './usage-types.ts';

export interface UsageStore {
  record(record: UsageRecord): void;
  snapshot(): UsageSnapshot;
  /** Sums of the kept details in a span, by one property. Times in Unix ms. */
  group(by: UsageGroup, from?: number, to?: number): Record<string, Bucket>;
  /** Reads `apis.*.models.*.details` of an export; totals are counted anew. */
  import(exported: unknown): { added: number; skipped: number };
  /** Drops details older than the retention; counters stay. */
  prune(): void;
  /** Writes the state file when something changed. */
  flush(): Promise<void>;
}

export interface UsageOptions {
  now?: () => number;
  /** Kept per api and model; the oldest go first. */
  maxDetails?: number;
  /** Distinct api or model names; what comes later is counted under `other`. */
  maxNames?: number;
  /** Where totals survive a restart; absent: memory only. */
  file?: string;
  /** 0 = for ever. */
  retentionDays?: () => number;
}

const pruneEveryMs = 3_600_000;

const emptySnapshot = (): UsageSnapshot => ({
  total_requests: 0,
  success_count: 0,
  failure_count: 0,
  total_tokens: 0,
  apis: {},
  requests_by_day: {},
  requests_by_hour: {},
  tokens_by_day: {},
  tokens_by_hour: {},
});

export function createUsageStore(options: UsageOptions = {}): UsageStore {
  const { now = Date.now, maxDetails = 1_000, maxNames = 2_000, file, retentionDays = () => 0 } = options;
  const state = emptySnapshot();
  let changed = false;
  let prunedAt = now();
  let flushing: Promise<void> = Promise.resolve();

  const named = <T>(table: Record<string, T>, name: string, make: () => T): T => {
    const key = Object.hasOwn(table, name) || Object.keys(table).length < maxNames ? name : 'other';
    if (!Object.hasOwn(table, key))
      Object.defineProperty(table, key, { value: make(), enumerable: true, writable: true });
    return table[key] as T;
  };

  const add = (api: string, model: string, detail: UsageDetail): void => {
    const tokens = detail.tokens.total_tokens;
    const perApi = named<ApiUsage>(state.apis, api, () => ({ total_requests: 0, total_tokens: 0, models: {} }));
    const perModel = named<ModelUsage>(perApi.models, model, () => ({
      total_requests: 0,
      total_tokens: 0,
      details: [],
    }));
    for (const totals of [state, perApi, perModel]) {
      totals.total_requests += 1;
      totals.total_tokens += tokens;
    }
    perModel.details.push(detail);
    if (perModel.details.length > maxDetails) perModel.details.splice(0, perModel.details.length - maxDetails);
    if (detail.failed) state.failure_count += 1;
    else state.success_count += 1;
    const at = Date.parse(detail.timestamp);
    addTo(state.requests_by_day, localDay(at), 1);
    addTo(state.requests_by_hour, localHour(at), 1);
    addTo(state.tokens_by_day, localDay(at), tokens);
    addTo(state.tokens_by_hour, localHour(at), tokens);
    changed = true;
  };

  const prune = (): void => {
    const days = retentionDays();
    if (days <= 0) return;
    const oldest = now() - days * 86_400_000;
    for (const api of Object.values(state.apis)) {
      for (const model of Object.values(api.models)) {
        const first = model.details.findIndex((detail) => Date.parse(detail.timestamp) >= oldest);
        if (first === 0 || model.details.length === 0) continue;
        model.details = first < 0 ? [] : model.details.slice(first);
        changed = true;
      }
    }
  };

  return {
    record(record) {
      const detail = clean({ ...record, timestamp: new Date(record.at).toISOString() }, now());
      add(record.api, record.model, detail);
    },
    snapshot: () => state,
    group: (by, from, to) => groupRecords(state, by, from, to),
    import(exported) {
      const counts = { added: 0, skipped: 0 };
      for (const { api, model, detail } of detailsOf(exported, now())) {
        const known = Object.hasOwn(state.apis, api) ? state.apis[api]?.models : undefined;
        const kept: readonly UsageDetail[] =
          (known && Object.hasOwn(known, model) ? known[model]?.details : undefined) ?? [];
        const key = detailKey(detail);
        if (kept.some((old) => detailKey(old) === key)) {
          counts.skipped += 1;
          continue;
        }
        add(api, model, detail);
        counts.added += 1;
      }
      return counts;
    },
    prune,
    flush() {
      if (now() - prunedAt >= pruneEveryMs) {
        prunedAt = now();
        prune();
      }
      if (!file || !changed) return flushing;
      changed = false;
      const text = JSON.stringify({ version: 1, exported_at: new Date(now()).toISOString(), usage: state });
      flushing = flushing
        .then(() => writeAtomic(file, text))
        .catch(() => {
          changed = true;
        });
      return flushing;
    },
  };

  function* detailsOf(exported: unknown, at: number): Generator<{ api: string; model: string; detail: UsageDetail }> {
    const apis = member(member(exported, 'usage'), 'apis');
    for (const [api, perApi] of entriesOf(apis)) {
      for (const [model, perModel] of entriesOf(member(perApi, 'models'))) {
        const details = member(perModel, 'details');
        for (const detail of Array.isArray(details) ? (details as unknown[]) : []) {
          if (typeof detail === 'object' && detail !== null) yield { api, model, detail: clean(detail, at) };
        }
      }
    }
  }
}

/** A store that starts with what the file of an earlier process holds. An unreadable file is set aside, not lost. */
export async function openUsageStore(options: UsageOptions & { file: string }): Promise<UsageStore> {
  const store = createUsageStore(options);
  let text: string;
  try {
    text = await readFile(options.file, 'utf8');
  } catch {
    return store;
  }
  try {
    const saved = (JSON.parse(text) as { usage?: Partial<UsageSnapshot> }).usage;
    if (saved?.apis) Object.assign(store.snapshot(), emptySnapshot(), saved);
  } catch {
    await rename(options.file, `${options.file}.unreadable`).catch(() => undefined);
  }
  return store;
}

async function writeAtomic(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

export { emptyBucket };
