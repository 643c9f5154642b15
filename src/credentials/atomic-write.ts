// Replaces a file so that a reader, a crash or a full disk sees the old content or the new one, never a part
// (auth.md §2.7): temporary file, fsync, rename, fsync of the folder.
import { hash, randomBytes } from 'node:crypto';
import { constants, promises as nodeFiles, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';

/** What is needed of `node:fs/promises`; tests put failures in between. */
export type WritableFiles = Pick<typeof nodeFiles, 'open' | 'rename' | 'link' | 'unlink'>;

export interface AtomicWriteOptions {
  /** Default 0600, also when the replaced file was looser. */
  mode?: number;
  /** Fails with EEXIST instead of replacing. */
  onlyNew?: boolean;
  files?: WritableFiles;
}

/**
 * `<name>.tmp-<pid>-<machine><random>`: the name says whose it is, so that leftovers of dead processes can be told; a
 * folder may be shared by machines and containers, whose process ids mean nothing here.
 */
const temporaryName = /\.tmp-(\d+)-([0-9a-f]{4})[0-9a-f]{8}$/;
let knownMachine: string | undefined;

function machine(): string {
  knownMachine ??= hash('sha256', `${hostname()} ${processNamespace()}`, 'hex').slice(0, 4);
  return knownMachine;
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/**
 * Writes `data` as the whole content of `file`, whose folder must exist. When it fails, the old content is untouched and
 * the temporary file is gone.
 * @throws the system's error (ENOSPC, EROFS, EACCES …)
 */
export async function writeAtomically(
  file: string,
  data: string | Buffer,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const { mode = 0o600, onlyNew = false, files = nodeFiles } = options;
  const temporary = `${file}.tmp-${process.pid}-${machine()}${randomBytes(4).toString('hex')}`;
  const exclusive = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  let handle: nodeFiles.FileHandle | undefined;
  try {
    handle = await files.open(temporary, exclusive, mode);
    // The mode given to open is cut by the umask.
    await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.sync();
    await handle.close();
    handle = undefined;
    if (onlyNew) {
      await publishNew(temporary, file, files);
    } else {
      await files.rename(temporary, file);
    }
  } catch (error) {
    await handle?.close().catch(() => {});
    await files.unlink(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(path.dirname(file), files);
}

/** A hard link is the one way to take a name that must be free, with the content complete. */
async function publishNew(temporary: string, file: string, files: WritableFiles): Promise<void> {
  try {
    await files.link(temporary, file);
  } catch (error) {
    if (!withoutLinks.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    // FAT and some network file systems: reserve the name, then put the content in its place.
    await (await files.open(file, 'wx', 0o600)).close();
    await files.rename(temporary, file);
    return;
  }
  await files.unlink(temporary);
}

const withoutLinks = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP']);

/** Makes a rename or removal in `folder` survive a power cut. Windows cannot open folders: nothing to do there. */
export async function syncFolder(folder: string, files: Pick<WritableFiles, 'open'> = nodeFiles): Promise<void> {
  if (process.platform === 'win32') return;
  try {
    const handle = await files.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The new content is in place; some file systems (NFS, FUSE) refuse fsync on folders.
  }
}

/** True for a temporary file nobody will finish: its process is gone, or it is far older than any write takes. */
export function isAbandoned(name: string, ageMs: number): boolean {
  const found = temporaryName.exec(name);
  const pid = Number(found?.[1]);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  // In a container every run has the same process id: then what is older than this run is of an earlier one.
  const dead = pid === process.pid ? ageMs > process.uptime() * 1000 + 1000 : !isRunning(pid);
  if (found?.[2] === machine() && dead) return true;
  return ageMs > 3_600_000 || (ageMs > 60_000 && dead);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
