// Tells which files of a folder changed: events of the file system within milliseconds, and a scan every 10 s where events
// do not come (bind mounts, network file systems; auth.md §6.3).
import { type FSWatcher, statSync, watch } from 'node:fs';
import type { Signature } from './folder-files.ts';

export interface Clock {
  now(): number;
  /** Returns the cancellation. Must not keep the process alive. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: Date.now,
  after(ms, run) {
    // Timers above 2^31-1 ms fire at once.
    const timer = setTimeout(run, Math.min(ms, 2 ** 31 - 1));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export interface FolderWatchOptions {
  folder: string;
  clock: Clock;
  /** Of all files that count; undefined when the folder cannot be listed. */
  scan(): Map<string, Signature> | undefined;
  /** What the owner knows of a file. */
  known(): ReadonlyMap<string, Signature>;
  /** Names that were touched, appeared or vanished. */
  changed(names: ReadonlySet<string>): void;
  accepts(name: string): boolean;
}

/** Several events come for one change: a write, an attribute, a rename. */
const settleMs = 25;
const scanEveryMs = 10_000;

export interface FolderWatch {
  /** Compares the folder with what is known, now. */
  rescan(): void;
  close(): void;
}

export function watchFolder(options: FolderWatchOptions): FolderWatch {
  const { folder, clock, accepts } = options;
  const touched = new Set<string>();
  let watcher: FSWatcher | undefined;
  let cancelSettle: (() => void) | undefined;
  let cancelScan: () => void = () => {};
  let closed = false;
  let watched: number | undefined;

  const report = () => {
    cancelSettle = undefined;
    const names = new Set(touched);
    touched.clear();
    if (!closed && names.size > 0) options.changed(names);
  };

  const start = () => {
    watched = inode(folder);
    try {
      watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null) rescan();
        else if (accepts(name)) touched.add(name);
        if (touched.size > 0) cancelSettle ??= clock.after(settleMs, report);
      });
      // The folder was removed or the system's watches ran out: the scan goes on and tries again.
      watcher.on('error', stop);
    } catch {
      watcher = undefined;
    }
  };
  const stop = () => {
    watcher?.close();
    watcher = undefined;
  };

  const rescan = () => {
    const found = options.scan();
    if (found === undefined) return;
    const known = options.known();
    for (const [name, signature] of found) if (known.get(name) !== signature) touched.add(name);
    for (const name of known.keys()) if (!found.has(name)) touched.add(name);
    cancelSettle?.();
    report();
  };

  const repeat = () => {
    cancelScan = clock.after(scanEveryMs, () => {
      if (closed) return;
      // A folder that was removed and made again is another one: the old watch is deaf.
      if (watcher === undefined || inode(folder) !== watched) {
        stop();
        start();
      }
      rescan();
      repeat();
    });
  };

  start();
  repeat();
  return {
    rescan,
    close() {
      closed = true;
      stop();
      cancelSettle?.();
      cancelScan();
    },
  };
}

function inode(folder: string): number | undefined {
  try {
    return statSync(folder).ino;
  } catch {
    return undefined;
  }
}
