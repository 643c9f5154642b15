// `{auth-dir}/.oauth-{provider}-{state}.oauth`: a callback left in the auth folder, by us or by another program, for the
// login that waits for it (auth.md §5.5; the format is public).
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { isValidState } from './state.ts';

export interface CallbackFile {
  code: string;
  state: string;
  error: string;
}

/** Nothing of use is longer; a longer file is not ours. */
const maxBytes = 64 * 1024;

export function callbackFilePath(authDir: string, provider: string, state: string): string {
  if (!/^[a-z-]{1,32}$/.test(provider) || !isValidState(state)) throw new TypeError('invalid provider or state');
  return path.join(authDir, `.oauth-${provider}-${state}.oauth`);
}

/** Writes the file whole, 0600, at most once per state. False when it is already there: the first callback wins. */
export async function writeCallbackFile(
  authDir: string,
  provider: string,
  callback: { state: string; code?: string; error?: string },
): Promise<boolean> {
  const target = callbackFilePath(authDir, provider, callback.state);
  const body: CallbackFile = { code: callback.code ?? '', state: callback.state, error: callback.error ?? '' };
  await mkdir(authDir, { recursive: true, mode: 0o755 });
  const temporary = `${target}.tmp-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(body));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A hard link, unlike a rename, fails when the name is taken: complete and exclusive in one step.
    await link(temporary, target);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    return await renameIfFree(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** For folders without hard links (some network and FAT file systems). */
async function renameIfFree(temporary: string, target: string): Promise<boolean> {
  const taken = await lstat(target).then(
    () => true,
    () => false,
  );
  if (!taken) await rename(temporary, target);
  return !taken;
}

/** Reads and removes the file. Undefined while it is absent or only half written. */
export async function takeCallbackFile(
  authDir: string,
  provider: string,
  state: string,
): Promise<CallbackFile | undefined> {
  const target = callbackFilePath(authDir, provider, state);
  const text = await readRegularFile(target);
  const found = text === undefined ? undefined : parseCallbackFile(text, state);
  if (found === undefined) return undefined;
  try {
    await unlink(target);
  } catch {
    return undefined; // someone else took it
  }
  return found;
}

/** Undefined unless the text is a complete callback for this state. */
export function parseCallbackFile(text: string, state: string): CallbackFile | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { code, error, state: inside } = value as Record<string, unknown>;
    const found: CallbackFile = {
      code: typeof code === 'string' ? code.trim() : '',
      state,
      error: typeof error === 'string' ? error.trim() : '',
    };
    if (typeof inside === 'string' && inside !== '' && inside !== state) return undefined;
    return found.code === '' && found.error === '' ? undefined : found;
  } catch {
    return undefined;
  }
}

/** Removes leftovers older than `olderThanMs`, half-written ones too. Gives how many went. */
export async function purgeCallbackFiles(authDir: string, olderThanMs: number, now = Date.now()): Promise<number> {
  let removed = 0;
  const names = await readdir(authDir).catch(() => []);
  for (const name of names) {
    if (!/^\.oauth-.+\.oauth(\.tmp-[\w-]+)?$/.test(name)) continue;
    const file = path.join(authDir, name);
    try {
      const { mtimeMs } = await lstat(file);
      if (now - mtimeMs < olderThanMs) continue;
      await unlink(file);
      removed += 1;
    } catch {
      // gone meanwhile, or not ours to remove
    }
  }
  return removed;
}

/** No symbolic links, no pipes: whoever can write to the folder must not make us read elsewhere or hang. */
async function readRegularFile(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      const stat = await handle.stat();
      if (!stat.isFile() || stat.size > maxBytes) return undefined;
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
