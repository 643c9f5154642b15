// The audit log: one JSON line per write and per refused access, appended to `audit.log`, 0600 (management-api.md R15).
// It makes no log folder where nobody asked for log files: until there is one, the lines are kept in memory.
import { chmod, lstat, mkdir, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { mask } from '../secret.ts';

export interface AuditEntry {
  /** RFC 3339 */
  time: string;
  address: string;
  /** First 8 hex of the key's SHA-256; '' when no key was accepted. */
  key: string;
  method: string;
  path: string;
  changed: string[];
  /** Hash prefixes of the old and the new value. */
  before?: string;
  after?: string;
  status: number;
  result: 'ok' | 'refused';
  request_id: string;
}

export interface AuditQuery {
  /** Only entries later than this, Unix ms. */
  after?: number;
  limit: number;
}

export interface AuditLog {
  /** Never throws and never blocks the answer. */
  write(entry: AuditEntry): void;
  /** Oldest first, the newest `limit` of them. */
  read(query: AuditQuery): Promise<AuditEntry[]>;
  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void>;
}

/** Read from the end of the file; older lines are there for people with a shell. */
const readBytes = 4 * 1024 * 1024;
/** Lines in memory while there is no folder for them. */
const maxKept = 1000;

export interface AuditOptions {
  warn?: (message: string) => void;
  /** Whether the log folder may be made for it. Default: yes. */
  mayCreate?: () => boolean;
}

export function createAuditLog(
  file: string,
  { warn = () => undefined, mayCreate = () => true }: AuditOptions = {},
): AuditLog {
  let queue: Promise<void> = Promise.resolve();
  let ready = false;
  let kept: string[] = [];
  const append = async (newest: string): Promise<void> => {
    kept.push(newest);
    if (!ready) {
      const there = await lstat(path.dirname(file)).catch(() => undefined);
      if (there === undefined && !mayCreate()) {
        kept = kept.slice(-maxKept);
        return;
      }
      await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
    }
    const line = kept.join('');
    kept = [];
    const handle = await open(file, 'a', 0o600);
    try {
      if (!ready) await chmod(file, 0o600);
      ready = true;
      await handle.appendFile(line);
    } finally {
      await handle.close();
    }
  };
  return {
    write(entry) {
      const line = `${JSON.stringify({ ...entry, path: withoutSecrets(entry.path) })}\n`;
      queue = queue.then(() => append(line)).catch((error: unknown) => warn(`audit log: ${(error as Error).message}`));
    },
    async read({ after = 0, limit }) {
      await queue;
      const entries = [...(await tail(file)), ...kept.flatMap(entryOf)].filter(
        (entry) => Date.parse(entry.time) > after,
      );
      return entries.slice(-limit);
    },
    flush: () => queue,
  };
}

/** A path may be long and strange; key-like segments are masked. */
function withoutSecrets(text: string): string {
  return text.replace(/[A-Za-z0-9_-]{32,}/g, (segment) => mask(segment));
}

async function tail(file: string): Promise<AuditEntry[]> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0) return [];
  const start = Math.max(0, size - readBytes);
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    const lines = buffer.subarray(0, bytesRead).toString('utf8').split('\n');
    if (start > 0) lines.shift();
    return lines.flatMap(entryOf);
  } finally {
    await handle.close();
  }
}

function entryOf(line: string): AuditEntry[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as AuditEntry];
  } catch {
    return [];
  }
}
