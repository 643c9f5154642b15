// Gives memory back when the load is over. V8 collects when something is allocated: after a burst nothing is, and the
// process would keep the size of its busiest moment for hours.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface IdleMemoryOptions {
  /** Requests so far, and under way. */
  load(): { served: number; running: number };
  rss?: () => number;
  collect?: () => void;
}

/** ms between two looks; one whole interval without a request counts as idle. */
const intervalMs = 3_000;
/**
 * Growth over the size of the start, or over the last collection, that makes a collection worth its time: what 256 streams
 * or a thousand requests leave behind is not (collecting made the next streams a third dearer), large bodies are.
 */
const worthwhile = 1.5;

/** `look` is called by a timer that keeps no process alive. */
export function idleMemory({ load, rss = process.memoryUsage.rss, collect = collector() }: IdleMemoryOptions) {
  let floor = rss();
  let seen = load().served;
  let done = true;
  const look = (): void => {
    const { served, running } = load();
    if (served !== seen || running > 0) {
      seen = served;
      done = false;
      return;
    }
    if (done) return;
    done = true;
    if (rss() <= floor * worthwhile) return;
    collect();
    floor = Math.max(floor, Math.min(rss(), floor * 1.2));
  };
  const timer = setInterval(look, intervalMs);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}

function collector(): () => void {
  let gc: ((options?: object) => void) | undefined;
  // Not the last-resort flavour: it throws compiled code away, which the next requests pay for (docs/performance.md).
  return () => {
    if (gc === undefined) {
      // A context of its own costs time and memory: not before it is needed.
      setFlagsFromString('--expose-gc');
      gc = runInNewContext('gc') as (options?: object) => void;
    }
    gc({ type: 'major', execution: 'sync' });
  };
}
