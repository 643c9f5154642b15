// Tells when a file may have changed, however it was written: in place, by rename, through a swapped symbolic link, or
// deleted and made again. Watches folders, because a watch on a file dies with it, and polls as a safety net.
import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs';
import path from 'node:path';

export interface WatchOptions {
  /** ms of quiet after the last event. */
  debounce?: number;
  /** ms between two looks without events; 0 = none. */
  poll?: number;
}

/** Calls `changed` after events settle. Returns the function that stops it. */
export function watchFile(file: string, changed: () => void, options: WatchOptions = {}): () => void {
  const { debounce = 100, poll = 5000 } = options;
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let firstEvent = 0;
  let stopped = false;
  let seen = '';

  const settle = () => {
    const now = performance.now();
    if (timer === undefined) firstEvent = now;
    clearTimeout(timer);
    // A writer that never rests must not put the reload off for ever.
    const wait = Math.max(0, Math.min(debounce, firstEvent + 10 * debounce - now));
    timer = setTimeout(() => {
      timer = undefined;
      arm();
      changed();
    }, wait).unref();
  };

  const arm = () => {
    if (stopped) return;
    const folders = new Set([path.dirname(path.resolve(file)), path.dirname(realPath(file))]);
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) if (!watchers.has(folder)) observe(folder);
  };

  const observe = (folder: string) => {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        // Own temporary files and locks make no difference; a name that does not tell might be anything.
        if (name === null || !/\.lock$|\.tmp-/.test(name)) settle();
      });
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(folder);
      });
      watchers.set(folder, watcher);
    } catch {
      // No such folder, or no watches left: polling goes on.
    }
  };

  const look = () => {
    const now = signature(file);
    const different = now !== seen;
    seen = now;
    arm();
    if (different) changed();
  };

  seen = signature(file);
  arm();
  // What was written between the caller's read and now.
  settle();
  const interval = poll > 0 ? setInterval(look, poll).unref() : undefined;
  return () => {
    stopped = true;
    clearTimeout(timer);
    clearInterval(interval);
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}

/** Changes whenever the file does. */
function signature(file: string): string {
  try {
    const found = statSync(file, { bigint: true });
    return `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
  } catch {
    return '';
  }
}
