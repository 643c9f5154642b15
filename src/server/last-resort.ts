// What nobody caught. Node would print the error with all its members, request headers among them, and end the process.
import type { Log } from '../observe/log.ts';

/**
 * An I/O error without a listener (a socket that was reset at the wrong moment) says nothing about the state of the
 * program: it goes on. After anything else that state is unknown: `end` is called, a supervisor starts the program anew.
 */
export function catchTheRest(log: Pick<Log, 'error' | 'flush'>, end: () => void): { stop(): void } {
  const report = (error: unknown, going: boolean): void => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : typeof error;
    log.error(`internal error nobody handled${going ? '' : '; the program ends'}`, { scope: 'server', stack });
  };
  const thrown = (error: unknown): void => {
    const going = isSystemError(error);
    report(error, going);
    if (going) return;
    log.flush();
    end();
  };
  const rejected = (reason: unknown): void => report(reason, true);
  process.on('uncaughtException', thrown);
  process.on('unhandledRejection', rejected);
  return {
    stop() {
      process.off('uncaughtException', thrown);
      process.off('unhandledRejection', rejected);
    },
  };
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
