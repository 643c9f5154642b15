// The server: configuration, credentials, routing and routes put together, listening until told to stop.
import type { SettingFlags } from '../config/settings.ts';

export interface ServeOptions {
  flags: SettingFlags;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** `-password`: management key for this machine only. */
  password?: string;
  localModel: boolean;
}

/** Resolves with the exit code. */
export async function serve(_options: ServeOptions): Promise<number> {
  process.stderr.write('cliproxy: this build has no server yet\n');
  return 1;
}
