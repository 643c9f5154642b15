// Log lines to standard output: collected for a moment and written together, asynchronously, so that neither the number of
// lines nor a slow reader is felt by requests (measured: a write per line was 9 % of a request, docs/performance.md).
import fs from 'node:fs';

/** ms that a calm line may wait for others. */
const calmDelayMs = 25;

/** Characters kept for a reader that does not read; what comes after them is lost. */
const maxPending = 8 * 1024 * 1024;

/** ms until a full pipe is tried again. */
const retryMs = 50;

export interface StandardOutput {
  /** `urgent`: written at once, with what waits before it. */
  write(line: string, urgent: boolean): void;
  /** Before the process ends. */
  flush(): void;
}

export function standardOutput(descriptor = 1): StandardOutput {
  let pending = '';
  let writing = false;
  /** An urgent line came while others were being written. */
  let hurry = false;
  let timer: NodeJS.Timeout | undefined;

  const send = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (writing || pending === '') return;
    hurry = false;
    const bytes = Buffer.from(pending);
    pending = '';
    writing = true;
    put(bytes);
  };

  const put = (bytes: Buffer): void => {
    fs.write(descriptor, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') setTimeout(put, retryMs, bytes);
      else if (error === null && written < bytes.length) put(bytes.subarray(written));
      else {
        // Any other error: nobody is left to tell.
        writing = false;
        if (hurry) send();
        else if (pending !== '') timer ??= setTimeout(send, calmDelayMs);
      }
    });
  };

  const finish = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const text = pending;
    pending = '';
    try {
      if (text !== '') fs.writeSync(descriptor, text);
    } catch {
      // Gone, or its reader does not read: the process ends all the same.
    }
  };
  process.on('exit', finish);

  return {
    write(line, urgent) {
      if (pending.length < maxPending) pending += line;
      if (urgent) {
        hurry = true;
        send();
      } else if (!writing) timer ??= setTimeout(send, calmDelayMs);
    },
    // What is being written stays in front: the rest follows it, and the process lives until then.
    flush: () => (writing ? undefined : finish()),
  };
}
