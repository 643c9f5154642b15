// `-seal` and `-unseal`: the credential files of the auth folder under the master key, or plain again.
import { migrateFolder } from '../credentials/seal-folder.ts';
import { SealError, sealerFromEnvironment } from '../credentials/sealing.ts';
import type { FlagValue } from './arguments.ts';
import { loadOnce, settingFlags } from './settings.ts';
import type { Surroundings } from './surroundings.ts';

/** Exit code 0 when every file is as wanted, 1 when some could not be, 2 without a key. */
export async function sealFolder(
  direction: 'seal' | 'unseal',
  values: ReadonlyMap<string, FlagValue>,
  where: Surroundings,
): Promise<number> {
  try {
    const sealer = sealerFromEnvironment(where.env);
    if (sealer === undefined) {
      where.complain(
        `-${direction} needs a key: set CLIPROXY_MASTER_KEY, or CLIPROXY_MASTER_KEY_FILE to a file that holds it`,
      );
      return 2;
    }
    const { settings } = loadOnce(settingFlags(values), where);
    const { changed, unchanged, failed } = await migrateFolder(settings.authDir, sealer, direction);
    const done = direction === 'seal' ? 'sealed' : 'opened';
    for (const { name, reason } of failed) where.complain(`${name}: ${reason}; the file is as it was`);
    where.print(
      `${changed.length} files ${done}, ${unchanged.length} were so already, ${failed.length} failed, in ${settings.authDir}`,
    );
    return failed.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    where.complain(error.message);
    return 2;
  }
}
