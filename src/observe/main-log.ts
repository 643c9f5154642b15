// `main.log`: appended, rotated at 10 MiB, the folder kept under its cap (spec/config.md §11.1).
import { appendFileSync, chmodSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync } from 'node:fs';
import path from 'node:path';

const rotateBytes = 10 * 1024 * 1024;

export interface MainLog {
  readonly folder: string;
  maxTotalBytes: number;
  write(line: string): void;
  close(): void;
}

export function openMainLog(folder: string, now: () => Date = () => new Date()): MainLog {
  const file = path.join(folder, 'main.log');
  let size = 0;
  let pending = '';
  let timer: NodeJS.Timeout | undefined;
  let opened = false;
  const open = (): void => {
    if (opened) return;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    appendFileSync(file, '', { mode: 0o600 });
    chmodSync(file, 0o600);
    opened = true;
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const text = pending;
    pending = '';
    if (text === '') return;
    try {
      open();
      // Asked anew: management may have emptied or removed the file.
      size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (size + text.length > rotateBytes && size > 0) rotate();
      appendFileSync(file, text, { mode: 0o600 });
    } catch {
      // A full disk must not stop the proxy; the lines of this moment are lost.
      opened = false;
    }
  };
  const rotate = (): void => {
    const stamp = now().toISOString().replace('Z', '').replaceAll(':', '-');
    renameSync(file, path.join(folder, `main-${stamp}.log`));
    enforceCap(folder, log.maxTotalBytes);
  };
  const log: MainLog = {
    folder,
    maxTotalBytes: 0,
    write(line) {
      pending += `${line}\n`;
      // Lines of one moment go out together; a reader of the log sees them within a tenth of a second.
      if (pending.length > 64 * 1024) flush();
      else timer ??= setTimeout(flush, 50);
    },
    close() {
      flush();
      clearInterval(capTimer);
      process.off('exit', flush);
    },
  };
  process.once('exit', flush);
  const capTimer = setInterval(() => enforceCap(folder, log.maxTotalBytes), 60_000);
  capTimer.unref();
  return log;
}

/** Deletes the oldest logs until the folder is under `maxBytes`; the active file stays. */
export function enforceCap(folder: string, maxBytes: number): void {
  if (maxBytes <= 0) return;
  try {
    const logs = readdirSync(folder)
      .filter((name) => /\.log(\.gz)?$/.test(name))
      .map((name) => ({ name, stat: statSync(path.join(folder, name), { throwIfNoEntry: false }) }))
      .flatMap(({ name, stat }) => (stat?.isFile() ? [{ name, size: stat.size, mtimeMs: stat.mtimeMs }] : []))
      .sort((a, b) => a.mtimeMs - b.mtimeMs);
    let total = logs.reduce((sum, log) => sum + log.size, 0);
    for (const log of logs) {
      if (total <= maxBytes) return;
      if (log.name === 'main.log') continue;
      unlinkSync(path.join(folder, log.name));
      total -= log.size;
    }
  } catch {
    // The folder is gone or not ours: nothing to keep under a cap.
  }
}
