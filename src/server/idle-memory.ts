// Gives memory back when the load is over. V8 collects when something is allocated: after a burst nothing is, and the
// process would keep the size of its busiest moment for hours.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { returnFreePages } from './free-pages.ts';

export interface IdleMemoryOptions {
  /** Requests so far, and under way. */
  load(): { served: number; running: number };
  /** Bytes. */
  rss?: () => number;
  collect?: (kind: Collection) => void;
  /** Called at the look after a collection: other threads free for a while what it found dead. */
  returnPages?: () => void;
  /** Called now and then while there are requests. */
  busy?: () => void;
}

/** `full`: everything that is dead; `thorough`: and the collector's spare pages, so that the next burst begins small. */
export type Collection = 'full' | 'thorough';

/** ms between two looks. */
const intervalMs = 1_500;

/**
 * By the number of looks without a request: a collection, worth it when the process has grown over its start by the factor
 * and over what the last one left by `bytes`; what that could not give back, this cannot either. At once only what large
 * bodies leave behind: a collection costs 50 ms and compiled code, and who pauses between two bursts should not pay for
 * it. Later, when nobody seems to come, what is left of any burst; each collection lets the one after it give back more.
 */
const worthwhile: Readonly<Record<number, { factor: number; bytes?: number; kind: Collection }>> = {
  1: { factor: 1.75, bytes: 32 * 1024 * 1024, kind: 'full' },
  8: { factor: 1.15, kind: 'thorough' },
  10: { factor: 1.15, kind: 'thorough' },
  12: { factor: 1.15, kind: 'thorough' },
};

/** `look` is called by a timer that keeps no process alive. */
export function idleMemory({
  load,
  rss = process.memoryUsage.rss,
  collect = collector(),
  returnPages = returnFreePages,
  busy,
}: IdleMemoryOptions) {
  const floor = rss();
  /** Bytes resident after the last collection; pages that go back a moment later are seen at the next look. */
  let left = floor;
  let seen = load().served;
  // Before the first request there is nothing to give back.
  let idleLooks = Number.POSITIVE_INFINITY;
  let collected = false;
  const look = (): void => {
    const { served, running } = load();
    const resident = rss();
    left = Math.min(left, resident);
    if (served !== seen || running > 0) {
      seen = served;
      idleLooks = 0;
      collected = false;
      busy?.();
      return;
    }
    idleLooks += 1;
    if (collected) {
      collected = false;
      returnPages();
    }
    const collection = worthwhile[idleLooks];
    if (collection === undefined) return;
    const { factor, bytes = 0, kind } = collection;
    if (resident <= floor * factor || resident < left + bytes) return;
    collect(kind);
    collected = true;
    left = rss();
  };
  const timer = setInterval(look, intervalMs);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}

function collector(): (kind: Collection) => void {
  let gc: ((options: object) => void) | undefined;
  return (kind) => {
    if (gc === undefined) {
      // A context of its own costs time and memory: not before it is needed.
      setFlagsFromString('--expose-gc');
      gc = runInNewContext('gc') as (options: object) => void;
    }
    gc({ type: 'major', execution: 'sync', ...(kind === 'thorough' ? { flavor: 'last-resort' } : {}) });
  };
}
