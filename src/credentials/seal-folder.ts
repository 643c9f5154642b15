// Migration of a whole auth folder: seals all its credential files, or opens them again (`-seal`, `-unseal`).
import path from 'node:path';
import { writeAtomically } from './atomic-write.ts';
import { readFolderFile, scanFolder } from './folder-files.ts';
import { withFileLock } from './lock.ts';
import { serialize } from './merge.ts';
import { readFields } from './parse.ts';
import { isSealed, type Sealer } from './sealing.ts';

export interface SealReport {
  /** Rewritten files. */
  changed: string[];
  /** Files that were as wanted already. */
  unchanged: string[];
  /** Files that could not be read or written, with the reason. They are as they were. */
  failed: { name: string; reason: string }[];
}

/** `direction` `seal`: with `sealer`'s key. `unseal`: plain JSON again. Each file is replaced atomically, under its lock. */
export async function migrateFolder(folder: string, sealer: Sealer, direction: 'seal' | 'unseal'): Promise<SealReport> {
  const report: SealReport = { changed: [], unchanged: [], failed: [] };
  for (const name of [...(scanFolder(folder)?.keys() ?? [])].sort()) {
    const file = path.join(folder, name);
    try {
      const done = await withFileLock(file, async () => {
        const read = readFolderFile(folder, name, true);
        if (read === undefined) return 'unchanged';
        if (!read.ok) throw new Error(read.reason);
        const fields = readFields(read.text, sealer);
        const sealed = isSealed(JSON.parse(read.text.replace(/^\ufeff/, '')));
        if (sealed === (direction === 'seal')) return 'unchanged';
        await writeAtomically(file, serialize(direction === 'seal' ? sealer.seal(fields) : fields));
        return 'changed';
      });
      report[done].push(name);
    } catch (error) {
      report.failed.push({ name, reason: (error as Error).message });
    }
  }
  return report;
}
