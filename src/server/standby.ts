// `DEPLOY=cloud`: waits for a usable config instead of failing, and says so to health checks (spec/config.md §2).
import http from 'node:http';
import { type ConfigError, type ConfigOptions, resolveSettings, untilConfigured } from '../config/index.ts';

/**
 * Resolves when the config has become usable, false when `signal` came first. Meanwhile `GET /healthz` answers 503 on
 * the address that flags and environment name.
 */
export async function standBy(
  options: ConfigOptions,
  error: ConfigError,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<boolean> {
  const { host, port } = resolveSettings({ flags: options.flags, env: options.env, cwd: options.cwd });
  const server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '5' });
    response.end(JSON.stringify({ status: 'standby', reason: 'waiting for a valid configuration' }));
  });
  await new Promise<void>((resolve) => {
    server.once('error', () => resolve());
    server.listen(port, host === '' ? '::' : host, resolve);
  });
  say(`${error.message}; standing by until the file is valid (DEPLOY=cloud)`);
  try {
    await untilConfigured({ ...options, signal });
    return true;
  } catch {
    return false;
  } finally {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}
