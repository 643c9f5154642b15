// What a device login shows while the user decides elsewhere, on whatever machine has a browser (RFC 8628 §3.3).
import type { LoginContext, LoginRequest } from './flow.ts';

/** Opens the page unless `-no-browser`; the address has been printed before. */
export async function offerPage(context: LoginContext, request: LoginRequest, url: string): Promise<void> {
  if (request.noBrowser) return;
  const opened = await context.openBrowser(url);
  if (opened) context.terminal.print('Browser opened automatically.');
  else context.terminal.warn('No browser could be opened on this machine: open the address above on any other.');
}

/** A countdown that says something once a minute, and again when ten seconds are left. */
export function countdown(context: Pick<LoginContext, 'terminal'>): (leftMs: number) => void {
  let nextAt: number | undefined;
  return (leftMs) => {
    if (nextAt === undefined) {
      context.terminal.print(`(This will timeout in ${Math.round(leftMs / 1_000)} seconds if not authorized)`);
      nextAt = leftMs - 60_000;
      return;
    }
    if (leftMs > nextAt || leftMs <= 0) return;
    context.terminal.print(`Still waiting: ${Math.round(leftMs / 1_000)} seconds left.`);
    nextAt = leftMs > 70_000 ? leftMs - 60_000 : Math.min(10_000, leftMs - 10_000);
  };
}
