// `-check-config`: what a configuration file means, secrets masked, or what is wrong with it (config.md C11).
import { readFileSync } from 'node:fs';
import { ConfigError, effectiveText, locateConfig, parseConfig, remarkLine, resolveSettings } from '../config/index.ts';
import type { Surroundings } from './index.ts';

/** Exit code 0 when the file can be used, 1 when it cannot. The file is only read. */
export async function checkConfig(file: string | undefined, where: Surroundings): Promise<number> {
  const { path, origin } = locateConfig({ flags: { config: file }, env: where.env, cwd: where.cwd });
  try {
    const text = read(path, origin !== 'default');
    const loaded = parseConfig(text ?? '', path);
    for (const warning of loaded.warnings) where.complain(remarkLine(path, warning));
    const settings = resolveSettings({
      flags: { config: file },
      env: where.env,
      cwd: where.cwd,
      file: text === undefined ? undefined : loaded,
    });
    for (const warning of settings.warnings) where.complain(warning);
    where.print(effectiveText(loaded, settings).trimEnd());
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof RangeError)) throw error;
    where.complain(error.message);
    return 1;
  }
}

function read(path: string, required: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT' && !required) return undefined;
    const reason = code === 'ENOENT' ? 'no such file' : `not readable (${code})`;
    throw new ConfigError(path, [{ line: 1, column: 1, path: '', reason }], 'unreadable');
  }
}
