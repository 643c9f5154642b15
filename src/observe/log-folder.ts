// Reads the log folder for management: `main.log` and its rotations, request and error logs (management-api.md §16).
import { createReadStream } from 'node:fs';
import { lstat, readdir, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

export interface LogLine {
  text: string;
  /** Unix s of its stamp; continuation lines have that of the line before. */
  at: number;
}

export interface LogCursor {
  /** Inode of `main.log` and byte offset in it. */
  file: string;
  offset: number;
}

export interface LogPage {
  lines: LogLine[];
  /** Of all lines of all files. */
  count: number;
  latest: number;
  cursor: string;
  /** The cursor that was sent belongs to a file that is gone. */
  reset: boolean;
}

export interface LogFilter {
  limit: number;
  /** Unix s; only later lines. */
  after?: number;
  cursor?: string;
  level?: string;
  requestId?: string;
}

export interface RequestLogFile {
  name: string;
  size: number;
  /** Unix s */
  modified: number;
}

export interface LogFolder {
  /** Absolute path, and whether it exists. */
  exists(): Promise<boolean>;
  read(filter: LogFilter): Promise<LogPage>;
  /** Empties `main.log`, removes its rotations. Gives how many went. */
  clear(): Promise<number>;
  errorLogs(): Promise<RequestLogFile[]>;
  /** Absolute path of a request or error log by name or request id, undefined when there is none. */
  find(wanted: { name: string } | { id: string }): Promise<string | undefined>;
}

const rotated = /^main-(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d{3})?)\.log$/;
const numbered = /^main\.log\.(\d{1,6})$/;
const stamp = /^\[(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})\] \[([^\]]*)\] \[([a-z]+) *\]/;
const errorLog = /^error-[\w.-]+\.log$/;

/** Folder: a function, because a change of the configuration may move it. */
export function createLogFolder(folder: () => string): LogFolder {
  const mainFiles = async (): Promise<string[]> => {
    const names = await readdir(folder()).catch(() => [] as string[]);
    // Numbered files are older the higher their number; dated ones carry their age in the name.
    const byNumber = names.filter((name) => numbered.test(name)).sort((a, b) => numberOf(b) - numberOf(a));
    const byDate = names.filter((name) => rotated.test(name)).sort();
    return [...byNumber, ...byDate, ...names.filter((name) => name === 'main.log')];
  };
  return {
    exists: async () => (await lstat(folder()).catch(() => undefined))?.isDirectory() ?? false,
    async read(filter) {
      const files = await mainFiles();
      return readLines(folder(), files, filter);
    },
    async clear() {
      let removed = 0;
      for (const name of await mainFiles()) {
        if (name === 'main.log') {
          await truncate(path.join(folder(), name), 0);
          continue;
        }
        await rm(path.join(folder(), name), { force: true });
        removed += 1;
      }
      return removed;
    },
    async errorLogs() {
      const names = (await readdir(folder()).catch(() => [] as string[])).filter((name) => errorLog.test(name));
      const files = await Promise.all(names.map((name) => fileFacts(path.join(folder(), name), name)));
      return files
        .filter((file) => file !== undefined)
        .sort((a, b) => b.modified - a.modified || (a.name < b.name ? 1 : -1));
    },
    async find(wanted) {
      const names = await readdir(folder()).catch(() => [] as string[]);
      const name =
        'name' in wanted
          ? names.find((candidate) => candidate === wanted.name && errorLog.test(candidate))
          : names.find((candidate) => candidate.endsWith(`-${wanted.id}.log`) && !candidate.startsWith('main'));
      if (name === undefined) return undefined;
      const file = path.join(folder(), name);
      return (await fileFacts(file, name)) ? file : undefined;
    },
  };
}

const numberOf = (name: string): number => Number(numbered.exec(name)?.[1] ?? 0);

/** Regular files only: a link in the folder must not lead elsewhere. */
async function fileFacts(file: string, name: string): Promise<RequestLogFile | undefined> {
  const found = await lstat(file).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  return { name, size: found.size, modified: Math.floor(found.mtimeMs / 1000) };
}

async function readLines(folder: string, files: readonly string[], filter: LogFilter): Promise<LogPage> {
  const from = parseCursor(filter.cursor);
  const state = { lines: [] as LogLine[], count: 0, latest: filter.after ?? 0, at: 0, shown: false };
  const main = path.join(folder, 'main.log');
  const facts = await lstat(main).catch(() => undefined);
  const size = facts?.size ?? 0;
  const id = facts ? String(facts.ino) : '';
  const reset = from !== undefined && (from.file !== id || from.offset > size);
  const resume = from !== undefined && !reset;
  for (const name of resume ? files.filter((file) => file === 'main.log') : files) {
    const isMain = name === 'main.log';
    const start = resume && isMain ? (from?.offset ?? 0) : 0;
    // `main.log` is read to the size seen above: what is written meanwhile belongs to the next cursor.
    if (isMain && start >= size) continue;
    const range = isMain ? { start, end: size - 1 } : {};
    const stream = createReadStream(path.join(folder, name), { encoding: 'utf8', ...range });
    stream.on('error', () => undefined);
    for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      take(text.replace(/^\0+/, ''), state, filter);
    }
  }
  return {
    lines: state.lines.slice(-filter.limit),
    count: state.count,
    latest: state.latest,
    cursor: `${id}:${size}`,
    reset,
  };
}

interface ReadState {
  lines: LogLine[];
  count: number;
  latest: number;
  at: number;
  shown: boolean;
}

function take(text: string, state: ReadState, filter: LogFilter): void {
  if (text === '') return;
  state.count += 1;
  const head = stamp.exec(text);
  if (head) {
    state.at = localSeconds(head);
    state.shown = wanted(head, state.at, filter);
  } else if (state.at === 0) {
    state.shown = filter.after === undefined && !filter.level && !filter.requestId;
  }
  if (state.at > state.latest) state.latest = state.at;
  if (!state.shown) return;
  state.lines.push({ text, at: state.at });
  if (state.lines.length > filter.limit * 2 + 64) state.lines.splice(0, state.lines.length - filter.limit);
}

function wanted(head: RegExpExecArray, at: number, filter: LogFilter): boolean {
  if (filter.after !== undefined && at <= filter.after) return false;
  if (filter.requestId && head[7] !== filter.requestId) return false;
  return !filter.level || head[8] === filter.level;
}

function localSeconds(head: RegExpExecArray): number {
  const [, year, month, day, hour, minute, second] = head.map(Number);
  return Math.floor(
    new Date(year as number, (month as number) - 1, day, hour, minute, second as number).getTime() / 1000,
  );
}

function parseCursor(cursor: string | undefined): LogCursor | undefined {
  const match = /^(\d{0,20}):(\d{1,15})$/.exec(cursor ?? '');
  return match ? { file: match[1] as string, offset: Number(match[2]) } : undefined;
}
