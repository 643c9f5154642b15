// Replaces a file so that a crash at any moment leaves the old or the new text, never a part (spec/config.md W3).
import { randomBytes } from 'node:crypto';
import { open, realpath, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';

/** The calls that a test may make fail. */
export interface WriteCalls {
  rename(from: string, to: string): Promise<void>;
}

/** A bind-mounted file cannot be renamed over: those errors mean "write it in place". */
const inPlaceCodes = new Set(['EBUSY', 'EXDEV', 'EPERM', 'EACCES', 'EROFS']);

/**
 * Writes `text` to `file`: temporary file beside it, fsync, rename, fsync of the folder. Keeps mode and owner of an
 * existing file, new ones are 0600; a symbolic link stays a link.
 */
export async function replaceFile(file: string, text: string, calls: WriteCalls = { rename }): Promise<void> {
  const target = await realpath(file).catch(() => path.resolve(file));
  const existing = await stat(target).catch(() => undefined);
  const temporary = path.join(
    path.dirname(target),
    `.${path.basename(target)}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`,
  );
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      if (existing !== undefined) {
        await handle.chmod(existing.mode & 0o7777);
        // Only root may give files away; for others the owner is the same or cannot be kept.
        await handle.chown(existing.uid, existing.gid).catch(() => undefined);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await calls.rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    if (existing === undefined || !inPlaceCodes.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await writeInPlace(target, text);
    return;
  }
  await syncFolder(path.dirname(target));
}

async function writeInPlace(target: string, text: string): Promise<void> {
  const handle = await open(target, 'r+');
  try {
    const bytes = Buffer.from(text);
    await handle.write(bytes, 0, bytes.length, 0);
    await handle.truncate(bytes.length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a rename last. Not every system can open a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (handle === undefined) return;
  await handle.sync().catch(() => undefined);
  await handle.close();
}
