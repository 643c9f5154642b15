// Which entries of the auth folder are credential files, and reading one without being held up by what it is not:
// FIFOs, devices, folders, links that lead outside, huge and unreadable files (auth.md §6.1).
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import path from 'node:path';

/** A credential file has some kB; service-account keys and many Gemini projects stay far below this. */
export const maxFileBytes = 4 * 1024 * 1024;

/** Changes whenever a file is replaced or written: time, size, inode. */
export type Signature = string;

export interface Stat {
  readonly mtimeMs: number;
  readonly size: number;
  readonly ino: number;
}

export function signature({ mtimeMs, size, ino }: Stat): Signature {
  return `${mtimeMs}:${size}:${ino}`;
}

export function isCredentialName(name: string): boolean {
  return /\.json$/i.test(name) && !name.startsWith('.');
}

export type FolderFile =
  | { readonly ok: true; readonly text: string; readonly signature: Signature; readonly tightened: boolean }
  | { readonly ok: false; readonly reason: string; readonly signature: Signature };

/**
 * Reads `name`, or undefined when there is no such file. A mode that lets group or others read is set to 0600 when
 * `strict`. Synchronous: ten thousand small files take a fraction of the time that promises take.
 */
export function readFolderFile(folder: string, name: string, strict: boolean): FolderFile | undefined {
  const file = path.join(folder, name);
  let descriptor: number | undefined;
  let seen: Signature = '';
  try {
    // O_NONBLOCK: a FIFO without a writer would block here for ever.
    descriptor = open(folder, file);
    if (descriptor === undefined) return { ok: false, reason: 'a link that leads out of the folder', signature: '' };
    const stat = fstatSync(descriptor);
    seen = signature(stat);
    if (!stat.isFile()) return { ok: false, reason: 'not a regular file', signature: seen };
    if (stat.size > maxFileBytes) return { ok: false, reason: `larger than ${maxFileBytes} bytes`, signature: seen };
    const tightened = strict && process.platform !== 'win32' && (stat.mode & 0o077) !== 0 && tighten(descriptor);
    return { ok: true, text: readAll(descriptor, stat.size), signature: seen, tightened };
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !isLink(file)) return undefined;
    return { ok: false, reason: reasons[code] ?? `unreadable (${code})`, signature: seen };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'no permission to read it',
  EPERM: 'no permission to read it',
  ENOENT: 'a link to nothing',
  ELOOP: 'a link to itself',
  EISDIR: 'not a regular file',
  ENXIO: 'not a regular file',
};

/** Kubernetes mounts secrets as links into a sibling folder: links are followed, but only inside the folder. */
function open(folder: string, file: string): number | undefined {
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  try {
    return openSync(file, flags | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
    const target = realpathSync(file);
    const inside = path.relative(realpathSync(folder), target);
    if (inside.split(path.sep, 1)[0] === '..' || path.isAbsolute(inside)) return undefined;
    return openSync(target, flags | (constants.O_NOFOLLOW ?? 0));
  }
}

function isLink(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function tighten(descriptor: number): boolean {
  try {
    fchmodSync(descriptor, 0o600);
    return true;
  } catch {
    return false;
  }
}

function readAll(descriptor: number, size: number): string {
  const buffer = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const read = readSync(descriptor, buffer, length, size - length, null);
    if (read === 0) break;
    length += read;
  }
  return buffer.toString('utf8', 0, length);
}

/** Signatures of all credential files; undefined when the folder cannot be listed. Entries that cannot be looked at: ''. */
export function scanFolder(folder: string): Map<string, Signature> | undefined {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return undefined;
  }
  return new Map(names.filter(isCredentialName).map((name) => [name, signatureOf(path.join(folder, name))]));
}

function signatureOf(file: string): Signature {
  try {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat === undefined ? '' : signature(stat);
  } catch {
    // A link to itself.
    return '';
  }
}
