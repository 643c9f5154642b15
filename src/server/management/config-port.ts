// The configuration source as the management API sees it: edits by path, whole texts, refusals with a kind.
import { readFile } from 'node:fs/promises';
import { type ConfigDraft, ConfigEditError, ConfigError, type ConfigSource, type Remark } from '../../config/index.ts';
import { type ConfigEdit, type ConfigPort, ConfigRejected, type ConfigReport } from './deps.ts';

export function createConfigPort(source: ConfigSource): ConfigPort {
  const file = (): string => source.settings.configPath;
  const text = async (): Promise<string | undefined> => {
    try {
      return await readFile(file(), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };
  /** A file that was there and is gone: writing a new one with one key in it would lose all the others. */
  const refuseVanished = async (): Promise<void> => {
    if (source.loaded().text !== '' && (await text()) === undefined) {
      throw new ConfigRejected('io', 'the configuration file is gone');
    }
  };
  return {
    current: () => source.current(),
    revision: () => source.loaded().revision.replace(/^"|"$/g, ''),
    text,
    async edit(edits) {
      await refuseVanished();
      await tried(source, (draft) => apply(draft, edits));
    },
    async check(next) {
      const result = await tried(source, (draft) => draft.replaceText(next), true);
      return {
        changed: [...result.changedKeys],
        warnings: result.warnings.map(warningOf),
        restartRequired: [...result.restartRequired],
      } satisfies ConfigReport;
    },
    async replace(next) {
      await tried(source, (draft) => draft.replaceText(next));
    },
  };
}

function apply(draft: ConfigDraft, edits: readonly ConfigEdit[]): void {
  for (const { path, value } of edits) draft.set(path.map(String), value);
}

async function tried(source: ConfigSource, change: (draft: ConfigDraft) => void, dryRun = false) {
  try {
    return await source.edit(change, { dryRun });
  } catch (error) {
    throw rejected(error);
  }
}

function rejected(error: unknown): unknown {
  if (error instanceof ConfigError) {
    const details = error.remarks.map(({ path, line, reason }) => ({ path, issue: `line ${line}: ${reason}` }));
    const first = error.remarks[0];
    const message = first
      ? `yaml: line ${first.line}: ${first.path ? `${first.path}: ` : ''}${first.reason}`
      : 'invalid';
    return new ConfigRejected(error.code === 'invalid' ? 'config' : 'yaml', message, { details, cause: error });
  }
  if (error instanceof ConfigEditError) return new ConfigRejected('config', error.message, { cause: error });
  if ((error as NodeJS.ErrnoException).code) return new ConfigRejected('io', 'not stored', { cause: error });
  return error;
}

function warningOf({ path, reason, line, column }: Remark): ConfigReport['warnings'][number] {
  return { message: path === '' ? reason : `${path}: ${reason}`, path, line, column };
}
