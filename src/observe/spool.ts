// Text that grows while a request is served: in memory while it is short, in a temporary file from then on.
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { finished } from 'node:stream/promises';

/** Bytes on their way to the disk, over all spools; shared by those of one log. */
export interface SpoolBudget {
  pending: number;
  /** What more comes is left out. */
  limit: number;
}

/** Kept in memory up to this many bytes. */
const inMemoryBytes = 64 * 1024;

export class Spool {
  readonly #file: string;
  readonly #budget: SpoolBudget;
  #chunks: (string | Buffer)[] = [];
  #held = 0;
  #stream: WriteStream | undefined;
  #broken: Error | undefined;
  /** Bytes left out because the disk could not follow. */
  #lost = 0;

  constructor(file: string, budget: SpoolBudget) {
    this.#file = file;
    this.#budget = budget;
  }

  write(bytes: string | Buffer): void {
    const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
    if (size === 0) return;
    if (this.#broken !== undefined || this.#budget.pending + size > this.#budget.limit) {
      this.#lost += size;
      return;
    }
    this.#budget.pending += size;
    if (this.#stream !== undefined) {
      this.#send(bytes, size);
      return;
    }
    this.#chunks.push(bytes);
    this.#held += size;
    if (this.#held > inMemoryBytes) this.#open();
  }

  /** Everything of `other`, which is spent afterwards. */
  async append(other: Spool): Promise<void> {
    await other.#settle();
    if (other.#stream === undefined) {
      for (const chunk of other.#takeHeld()) this.write(chunk);
    } else {
      try {
        for await (const chunk of createReadStream(other.#file) as AsyncIterable<Buffer>) {
          this.write(chunk);
          if (this.#stream?.writableNeedDrain) await drained(this.#stream);
        }
      } catch (error) {
        this.#broken ??= error as Error;
      }
      await rm(other.#file, { force: true });
    }
    this.#lost += other.#lost;
    this.#broken ??= other.#broken;
  }

  /** Writes all of it to `target`, 0600. Rejects when the disk refuses; nothing is left behind then. */
  async finish(target: string): Promise<void> {
    if (this.#lost > 0) {
      const note = `\n[${this.#lost} bytes left out: the disk could not follow]\n`;
      this.#lost = 0;
      this.write(note);
    }
    await this.#settle();
    try {
      if (this.#broken) throw this.#broken;
      if (this.#stream === undefined) {
        const parts = this.#takeHeld().map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
        await writeFile(target, Buffer.concat(parts), { flag: 'wx', mode: 0o600 });
      } else await rename(this.#file, target);
    } catch (error) {
      await rm(this.#file, { force: true });
      throw error;
    }
  }

  #open(): void {
    const stream = createWriteStream(this.#file, { flags: 'wx', mode: 0o600 });
    stream.on('error', (error) => {
      this.#broken ??= error;
    });
    this.#stream = stream;
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#held = 0;
    for (const chunk of chunks) this.#send(chunk, typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length);
  }

  #send(bytes: string | Buffer, size: number): void {
    this.#stream?.write(bytes, () => {
      this.#budget.pending -= size;
    });
  }

  #takeHeld(): (string | Buffer)[] {
    const chunks = this.#chunks;
    this.#budget.pending -= this.#held;
    this.#chunks = [];
    this.#held = 0;
    return chunks;
  }

  async #settle(): Promise<void> {
    if (this.#stream === undefined || this.#stream.destroyed) return;
    this.#stream.end();
    try {
      await finished(this.#stream);
    } catch (error) {
      this.#broken ??= error as Error;
    }
  }
}

/** Also resolves when the stream breaks: the next write finds out. */
function drained(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}
