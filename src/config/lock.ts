// One writer of the config file at a time, across processes (spec/config.md W4).

/** Folders in which no lock can be made: the write goes on without one, and says itself whether it may. */
const unlockable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT']);

/** Runs `work` under the lock of `file`. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const { default: lockfile } = await import('proper-lockfile');
  let release: (() => Promise<void>) | undefined;
  try {
    release = await lockfile.lock(file, {
      realpath: false,
      stale: 10_000,
      retries: { retries: 40, factor: 1.3, minTimeout: 10, maxTimeout: 250 },
      // The text is compared again before it is written; a lock lost to a stopped clock does no harm.
      onCompromised: () => undefined,
    });
  } catch (error) {
    if (!unlockable.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  try {
    return await work();
  } finally {
    await release?.().catch(() => undefined);
  }
}
