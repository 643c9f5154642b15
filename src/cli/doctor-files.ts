// What `cliproxy doctor` says about the clock, and about files: who may read them, and whether logs can be written.
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Credential } from '../credentials/credential.ts';
import type { Finding } from './doctor-checks.ts';

/** Named in one line; more are counted only. */
const named = 5;

/** Files that hold secrets and can be read by other users of this machine. */
export function checkModes(files: Iterable<string>): Finding[] {
  if (process.platform === 'win32') return [];
  const loose = [...new Set(files)].filter((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat !== undefined && (stat.mode & 0o077) !== 0;
  });
  if (loose.length === 0) return [];
  const shown = loose.slice(0, named).join(' ');
  const more = loose.length > named ? ` and ${loose.length - named} more` : '';
  const text = `other users can read ${shown}${more}: there are secrets in them`;
  return [{ level: 'warn', about: 'permissions', text, advice: `chmod 600 ${shown}` }];
}

/** Whether logs can be written, when there are any to write. */
export function checkLogFolder(folder: string, wanted: boolean): Finding[] {
  if (!wanted) return [];
  const about = 'log folder';
  let at = folder;
  // It is created when the first log is written: then its parent has to be writable.
  while (!existsSync(at) && path.dirname(at) !== at) at = path.dirname(at);
  try {
    if (!statSync(at).isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
    accessSync(at, constants.W_OK | constants.X_OK);
    return [{ level: 'ok', about, text: folder }];
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return [
      {
        level: 'fail',
        about,
        text: `${folder} cannot be written (${code})`,
        advice: 'check the owner and mode, or set CLIPROXY_LOG_DIR',
      },
    ];
  }
}

/** Clocks of two machines, or of one before and after a correction, may differ by this much (ms). */
const tolerance = 5 * 60_000;

/**
 * Seen from here alone: times that a clock wrote and that have not come yet. What the clocks of providers say is asked
 * with `-online` only.
 */
export function checkClock(list: readonly Credential[], builtAt: number | undefined, now: number): Finding {
  const about = 'clock';
  const latest = Math.max(builtAt ?? 0, ...list.map(({ lastRefreshAt }) => lastRefreshAt ?? 0));
  const clock = new Date(now).toISOString();
  if (latest <= now + tolerance) return { level: 'ok', about, text: clock };
  return {
    level: 'fail',
    about,
    text: `it is ${clock} here, but ${new Date(latest).toISOString()} has been already`,
    advice: 'set the clock (NTP): times of tokens depend on it',
  };
}
