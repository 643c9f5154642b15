// The auth folder: credential files as a CredentialStore, kept in step with the disk in both directions.
import { promises as files, mkdirSync, readdirSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '../protocols/neutral.ts';
import type { Provider } from '../providers/provider.ts';
import { isAbandoned, syncFolder, type WritableFiles, writeAtomically } from './atomic-write.ts';
import type { CredentialStore } from './credential.ts';
import { isCredentialName, readFolderFile, scanFolder } from './folder-files.ts';
import { FolderSnapshot, fileOf } from './folder-snapshot.ts';
import { withFileLock } from './lock.ts';
import { applyChanges, mergeLogin, serialize } from './merge.ts';
import { type ParseContext, parseCredentialFile, readFields } from './parse.ts';
import type { Sealer } from './sealing.ts';
import { type Clock, systemClock, watchFolder } from './watch.ts';

export interface AuthFolderLog {
  info(line: string): void;
  warn(line: string): void;
}

export interface AuthFolderOptions {
  /** Made when it is missing. */
  folder: string;
  providers: Iterable<Provider>;
  log: AuthFolderLog;
  /** Config `strict-perms`: set files that others may read to 0600. Default true. */
  strictPermissions?: () => boolean;
  sealer?: Sealer | undefined;
  clock?: Clock;
  /** False for a login from the command line: read once, no watch. Default true. */
  watch?: boolean;
  /** For tests: failures in between. */
  files?: WritableFiles;
}

export interface AuthFolder extends CredentialStore {
  readonly folder: string;
  /** Goes on with another folder (`auth-dir` was changed): its credentials replace the ones of the old folder. */
  moveTo(folder: string): void;
  /** Looks at the disk now, without waiting for an event. */
  rescan(): void;
}

/** A name that is no name of a credential file in this folder. */
export class CredentialNameError extends Error {
  constructor() {
    super('a credential file is named like `name.json`, without slashes');
    this.name = 'CredentialNameError';
  }
}

export async function openAuthFolder(options: AuthFolderOptions): Promise<AuthFolder> {
  const { log, clock = systemClock, sealer } = options;
  let folder = path.resolve(options.folder);
  const strict = options.strictPermissions ?? (() => true);
  const byType = new Map<string, Provider>();
  for (const provider of options.providers) for (const type of provider.fileTypes) byType.set(type, provider);
  const context: ParseContext = { providerOf: (type) => byType.get(type), sealer, now: clock.now };
  const snapshot = new FolderSnapshot({ clock, warn: (line) => log.warn(line) });

  const pathOf = (name: string) => path.join(folder, name);

  /** Brings the snapshot in step with one file on disk. */
  const load = (name: string) => {
    const file = readFolderFile(folder, name, strict());
    if (file === undefined) return snapshot.remove(name);
    if (!file.ok) {
      snapshot.reject({ name, status: 'invalid', message: file.reason }, file.signature, file.reason);
      return undefined;
    }
    if (file.tightened) log.warn(`credential file ${name} was readable by others: its mode is now 0600`);
    if (snapshot.isCurrent(name, file.text, file.signature)) return undefined;
    const parsed = parseCredentialFile(name, pathOf(name), file.text, context);
    if (parsed.ok) snapshot.accept(name, file.text, file.signature, parsed.fields, parsed.credentials);
    else snapshot.reject(parsed.invalid, file.signature, file.text);
    return undefined;
  };
  const loadAll = (names: Iterable<string>) => {
    for (const name of names) load(name);
    snapshot.publish();
  };

  const prepare = () => {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      const { mode } = statSync(folder);
      if (process.platform !== 'win32' && (mode & 0o022) !== 0) {
        log.warn(`the auth folder ${folder} can be written by other users: chmod go-w it`);
      }
      removeLeftovers(folder);
      warnOfNested(folder, log);
    } catch (error) {
      log.warn(`the auth folder ${folder} cannot be used: ${(error as NodeJS.ErrnoException).code}`);
    }
  };
  const rescan = () => loadAll(new Set([...(scanFolder(folder)?.keys() ?? []), ...snapshot.signatures().keys()]));
  const watchIt = () =>
    options.watch === false
      ? undefined
      : watchFolder({
          folder,
          clock,
          scan: () => scanFolder(folder),
          known: () => snapshot.signatures(),
          accepts: isCredentialName,
          changed: loadAll,
        });
  prepare();
  // The watch first: what changes between listing and watching must not be missed.
  let watcher = watchIt();
  rescan();
  // What was too young at the start, after a kill -9, is old enough now.
  const cancelSweep = clock.after(90_000, () => {
    try {
      removeLeftovers(folder);
    } catch {
      // The folder is gone: that was told already.
    }
  });

  const readFresh = (name: string): JsonObject | undefined => {
    const file = readFolderFile(folder, name, false);
    if (!file?.ok) return undefined;
    try {
      return readFields(file.text, sealer);
    } catch {
      return undefined;
    }
  };

  const write = async (name: string, fields: JsonObject, onlyNew = false): Promise<void> => {
    const content = serialize(sealer ? sealer.seal(fields) : fields);
    await writeAtomically(pathOf(name), content, { onlyNew, ...(options.files ? { files: options.files } : {}) });
    loadAll([name]);
  };

  const store: AuthFolder = {
    get folder() {
      return folder;
    },
    list: () => snapshot.list(),
    get: (id) => snapshot.get(id),
    invalid: () => snapshot.invalid(),
    onChange: (listener) => snapshot.onChange(listener),
    rescan,

    moveTo(next) {
      if (path.resolve(next) === folder) return;
      watcher?.close();
      folder = path.resolve(next);
      prepare();
      watcher = watchIt();
      // Also a file that is the same in both folders is another one now: its path changed.
      for (const name of [...snapshot.signatures().keys()]) snapshot.remove(name);
      rescan();
    },

    async save(name, fields, { replace = false, ifAbsent = false } = {}) {
      if (!isCredentialName(name) || name !== path.basename(name) || /[\\/:\0]/.test(name)) {
        throw new CredentialNameError();
      }
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      return withFileLock(pathOf(name), async () => {
        const existing = ifAbsent || replace ? undefined : readFresh(name);
        await write(name, existing === undefined ? fields : mergeLogin(existing, fields), ifAbsent);
        const [saved] = snapshot.ofFile(name);
        if (saved === undefined) throw new Error(snapshot.reasonFor(name) ?? `${name} is no credential`);
        return saved;
      });
    },

    async update(id, change) {
      const name = fileOf(id);
      return withFileLock(pathOf(name), async () => {
        const fresh = readFresh(name);
        const changed = fresh && change(fresh);
        if (changed === undefined) loadAll([name]);
        else await write(name, changed);
        return snapshot.get(id);
      });
    },

    async withLock(id, work) {
      const name = fileOf(id);
      // A lock of its own: the work may take as long as a token exchange, and edits and deletions must not wait for it.
      return withFileLock(`${pathOf(name)}.refresh`, async () => {
        const fresh = readFresh(name);
        // What another process wrote is seen by everyone here before the work looks.
        loadAll([name]);
        return work(fresh, (fields) =>
          withFileLock(pathOf(name), async () => {
            const current = readFresh(name);
            if (current !== undefined) await write(name, applyChanges(current, fresh ?? {}, fields));
          }),
        );
      });
    },

    read: async (id) => readFresh(fileOf(id)),

    async remove(id) {
      const name = fileOf(id);
      return withFileLock(pathOf(name), async () => {
        try {
          await files.unlink(pathOf(name));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
          loadAll([name]);
          return false;
        }
        await syncFolder(folder);
        loadAll([name]);
        return true;
      });
    },

    setStatus(id, status, message) {
      snapshot.setStatus(id, status, message);
      snapshot.publish();
    },

    async close() {
      watcher?.close();
      cancelSweep();
      snapshot.close();
    },
  };
  return store;
}

/** Removes what killed processes left behind: temporary files and locks. */
function removeLeftovers(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    try {
      const ageMs = Date.now() - statSync(file).mtimeMs;
      if (entry.isFile() && isAbandoned(entry.name, ageMs)) unlinkSync(file);
      // A holder touches its lock every other second; an old one is nobody's. rmdir removes empty folders only.
      if (entry.isDirectory() && /\.json(?:\.refresh)?\.lock(?:\.stale-.*)?$/i.test(entry.name) && ageMs > 60_000)
        rmdirSync(file);
    } catch {
      // Gone meanwhile, or not ours to judge.
    }
  }
}

/** Says once when files lie where nobody reads them. */
function warnOfNested(folder: string, log: AuthFolderLog): void {
  const nested = readdirSync(folder, { withFileTypes: true }).filter(
    (entry) =>
      entry.isDirectory() &&
      !/^\.|\.(?:lock|json)$/i.test(entry.name) &&
      holdsCredentials(path.join(folder, entry.name)),
  );
  if (nested.length === 0) return;
  log.warn(`credential files in sub-folders are not read: ${nested.map(({ name }) => name).join(', ')}`);
}

function holdsCredentials(folder: string): boolean {
  try {
    return readdirSync(folder).some(isCredentialName);
  } catch {
    return false;
  }
}
