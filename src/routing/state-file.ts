// Windows, counters and bindings on disk, so that a restart or kill -9 sends nothing to a banned account (routing.md D20).
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomically } from '../credentials/atomic-write.ts';
import type { Router } from './router.ts';

export interface StateFile {
  /** Something changed: written within five seconds. */
  touch(): void;
  /** Writes what is waiting, for the end of the process. */
  flush(): Promise<void>;
}

/** ms between a change and its write. */
const delayMs = 3_000;

export interface StateFileOptions {
  file: string;
  router: Router;
  warn: (line: string) => void;
  now?: () => number;
}

/** Loads what is there; an unreadable file is told once and replaced at the next write. */
export function openStateFile({ file, router, warn, now = Date.now }: StateFileOptions): StateFile {
  try {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as { version?: number } & Parameters<Router['load']>[0];
    if (saved.version === 1) router.load(saved);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      warn(`the state file ${path.basename(file)} cannot be read and starts anew`);
  }
  let timer: NodeJS.Timeout | undefined;
  let writing = false;
  let told = false;
  const text = (): string => JSON.stringify({ version: 1, savedAt: now(), ...router.save() });
  const complain = (error: unknown): void => {
    if (!told)
      warn(
        `the state file cannot be written (${(error as NodeJS.ErrnoException).code ?? 'error'}): cooldowns will not survive a restart`,
      );
    told = true;
  };
  const write = async (): Promise<void> => {
    timer = undefined;
    if (writing) {
      touch();
      return;
    }
    writing = true;
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      await writeAtomically(file, text());
      told = false;
    } catch (error) {
      complain(error);
    } finally {
      writing = false;
    }
  };
  const touch = (): void => {
    if (timer !== undefined) return;
    timer = setTimeout(() => void write(), delayMs);
    timer.unref();
  };
  return {
    touch,
    async flush() {
      if (timer === undefined) return;
      clearTimeout(timer);
      await write();
    },
  };
}
