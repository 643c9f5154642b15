// One writer at a time for a file, among all processes of the machine: `<file>.lock` (auth.md R9, routing.md S19).
import { promises as files } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** A holder touches its lock every 2 s; without a touch for this long it is dead (kill -9, power cut). */
const staleAfterMs = 8_000;
const touchEveryMs = 2_000;

export class LockError extends Error {
  readonly code: string;
  constructor(message: string, code: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LockError';
    this.code = code;
  }
}

export interface LockOptions {
  /** How long to wait for another holder, in ms. Default 90 s: longer than any token exchange takes. */
  waitMs?: number;
  signal?: AbortSignal;
}

/** The last in line per file, in this process: others of the same process need not poll. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Runs `work` while holding the lock of `file`, which need not exist; its folder must. Callers of this process get their
 * turn in order.
 * @throws LockError when the lock cannot be taken
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const turn = (queues.get(file) ?? Promise.resolve()).then(() => lockAndRun(file, work, options));
  const settled = turn.catch(() => {});
  queues.set(file, settled);
  void settled.then(() => {
    if (queues.get(file) === settled) queues.delete(file);
  });
  return turn;
}

async function lockAndRun<T>(file: string, work: () => Promise<T>, options: LockOptions): Promise<T> {
  const release = await acquire(file, options);
  try {
    return await work();
  } finally {
    await release().catch(() => {});
  }
}

async function acquire(file: string, { waitMs = 90_000, signal }: LockOptions): Promise<() => Promise<void>> {
  // Takes hold of signals when it is loaded.
  const { default: lockfile } = await import('proper-lockfile');
  const startedAt = performance.now();
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await lockfile.lock(file, {
        realpath: false,
        // Stale locks are taken over below: the library's own way may remove a lock that another one just took.
        stale: Number.POSITIVE_INFINITY,
        update: touchEveryMs,
        // Only a clock jump or someone deleting the lock gets here; the work goes on, its write is atomic anyway.
        onCompromised: () => {},
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ELOCKED') throw new LockError(`cannot lock ${file}: ${code}`, code ?? 'ELOCK', error);
    }
    if (await removeStale(`${file}.lock`)) continue;
    if (performance.now() - startedAt > waitMs) throw new LockError(`${file} stays locked`, 'ELOCKED');
    await pause(Math.min(10 * 2 ** attempt, 100) * (0.75 + Math.random() / 2), undefined, signal ? { signal } : {});
  }
}

/**
 * Takes a dead holder's lock away. Moving it aside first and looking at what was moved makes sure that of two who saw the
 * same stale lock the second does not remove the fresh lock of the first.
 */
async function removeStale(lock: string): Promise<boolean> {
  const aside = `${lock}.stale-${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    const seen = await files.stat(lock);
    // A time far in the future is a dead holder's before the clock was set back.
    if (Math.abs(Date.now() - seen.mtimeMs) < staleAfterMs) return false;
    await files.rename(lock, aside);
    const moved = await files.stat(aside);
    if (moved.mtimeMs !== seen.mtimeMs) {
      await files.rename(aside, lock);
      return false;
    }
    await files.rmdir(aside);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
