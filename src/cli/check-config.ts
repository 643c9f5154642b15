// `-check-config`: what a configuration file means, secrets masked, or what is wrong with it (config.md C11).
import { ConfigError, effectiveText } from '../config/index.ts';
import { loadOnce } from './settings.ts';
import type { Surroundings } from './surroundings.ts';

/** Exit code 0 when the file can be used, 1 when it cannot. */
export function checkConfig(file: string | undefined, where: Surroundings): number {
  try {
    const { loaded, settings } = loadOnce({ config: file }, where);
    // Remarks about the file are comments at the top of the text.
    for (const warning of settings.warnings) where.complain(warning);
    where.print(effectiveText(loaded, settings).trimEnd());
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof RangeError)) throw error;
    where.complain(error.message);
    return 1;
  }
}
