// Starts the server: the one place where the command line calls it. Loads neither commander nor the logins.
import type { FlagValue } from './arguments.ts';
import { settingFlags } from './settings.ts';
import type { Surroundings } from './surroundings.ts';

/** Resolves with the exit code when the server has ended. */
export async function startServer(values: ReadonlyMap<string, FlagValue>, where: Surroundings): Promise<number> {
  if (values.has('tui')) {
    where.complain('There is no terminal interface; start the server and open http://localhost:8080/management.html.');
    return 2;
  }
  const { serve } = await import('../server/index.ts');
  const password = values.get('password');
  return serve({
    flags: settingFlags(values),
    env: where.env,
    cwd: where.cwd,
    localModel: values.has('local-model'),
    ...(typeof password === 'string' && password !== '' ? { password } : {}),
  });
}
