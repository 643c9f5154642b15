// Why the server cannot start, in one line for people: no stack is shown with it.
import { statSync } from 'node:fs';

export class StartError extends Error {
  readonly exit = 1;
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'StartError';
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program: stop it, or choose another port with `port:` or -port',
  EACCES: 'may not be used by this user: choose a port above 1023',
  EADDRNOTAVAIL: 'is not an address of this machine: see `host:` and -host',
  ENOTFOUND: 'is no name that resolves: see `host:` and -host',
};

/** `port 8080 on 127.0.0.1 is in use …` */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): StartError {
  const where = `port ${port} on ${host === '' ? 'all interfaces' : host}`;
  return new StartError(`${where} ${reasons[error.code ?? ''] ?? `cannot be used (${error.code})`}`, error);
}

/** A folder that is missing is made, one that cannot be read is told and may heal; a file in its place is a mistake. */
export function refuseFileAsFolder(authDir: string): void {
  let isFolder: boolean;
  try {
    isFolder = statSync(authDir, { throwIfNoEntry: false })?.isDirectory() ?? true;
  } catch {
    return;
  }
  if (!isFolder) throw new StartError(`auth-dir: ${authDir} is a file, not a folder`, undefined);
}
