// The callback login of the command line: listener, browser, paste prompt, exchange; the same for every provider that
// redirects the browser (auth.md §2.4, R3–R6).
import { reasonOf } from './callback-pages.ts';
import {
  type Callback,
  type CallbackAnswers,
  type CallbackServer,
  PortError,
  startCallbackServer,
} from './callback-server.ts';
import { loginError, providerError } from './errors.ts';
import { type LoginContext, LoginError, type LoginRequest } from './flow.ts';
import { readPasted } from './paste.ts';
import { createState } from './state.ts';

export interface CallbackFlow<T> {
  /** As printed: `Claude`. */
  name: string;
  /** The provider's own callback port and path. */
  port: number;
  path: string;
  /** The provider knows one redirect URI only, with its own port (auth.md §2.2). */
  fixedRedirect: boolean;
  /** Starts error messages: `iflow auth: `. */
  errorPrefix: string;
  answers?: CallbackAnswers;
  /** Gemini's prompts do not name the provider. */
  texts?: Partial<FlowTexts>;
  authorizeUrl(redirectUri: string, state: string): string;
  /** Everything that needs no question to the user; the browser's page shows how it ends. */
  exchange(code: string, redirectUri: string, state: string): Promise<T>;
}

export interface FlowTexts {
  opening: string;
  visit: string;
  waiting: string;
}

/** ms */
const limits = { callback: 300_000, pasteAfter: 15_000, pageLinger: 1_000 } as const;

export interface InteractiveLimits {
  /** ms until the login is given up. */
  callback: number;
  /** ms until the paste prompt comes when a browser was opened. */
  pasteAfter: number;
  /** ms that a browser has to fetch the closing page. */
  pageLinger: number;
}

/** Resolves with what `exchange` gave. Rejects with `LoginError`. */
export async function logInWithBrowser<T>(
  context: LoginContext,
  request: LoginRequest,
  flow: CallbackFlow<T>,
  timing: InteractiveLimits = limits,
): Promise<T> {
  const { terminal } = context;
  const state = createState();
  const server = await listen(context, request, flow, state);
  const done = new AbortController();
  const overdue = new AbortController();
  // Not AbortSignal.timeout: its timer would let the process end while only the paste prompt is open.
  const timer = setTimeout(() => overdue.abort(), timing.callback);
  const stop = AbortSignal.any([context.signal, overdue.signal, done.signal]);
  try {
    const listening = server?.port ?? (request.callbackPort || flow.port);
    const redirectUri = `http://localhost:${flow.fixedRedirect ? flow.port : listening}${flow.path}`;
    const url = flow.authorizeUrl(redirectUri, state);
    showUrl(context, request, flow, url, listening);
    terminal.print(flow.texts?.waiting ?? `Waiting for ${flow.name} authentication callback...`);
    const atOnce = request.noBrowser || server === undefined;
    const pasted = askForPaste(context, flow, state, atOnce ? 0 : timing.pasteAfter, stop);
    const callback = await firstOf([server?.callback, pasted], stop);
    done.abort();
    await pasted;
    if (callback === undefined) throw ended(context, flow, overdue.signal);
    return await conclude(flow, callback, redirectUri, state, server);
  } finally {
    clearTimeout(timer);
    done.abort();
    await server?.close(timing.pageLinger);
  }
}

async function conclude<T>(
  flow: CallbackFlow<T>,
  callback: Callback,
  redirectUri: string,
  state: string,
  server: CallbackServer | undefined,
): Promise<T> {
  if (callback.kind === 'denied') {
    server?.settle({ ok: false, reason: reasonOf(callback.error) });
    throw providerError(`${flow.errorPrefix}provider returned error `, callback.error, callback.description);
  }
  try {
    const result = await flow.exchange(callback.code, redirectUri, state);
    server?.settle({ ok: true });
    return result;
  } catch (error) {
    server?.settle({ ok: false, reason: pageReason(error) });
    throw error;
  }
}

/** Undefined when the port cannot be had: the paste prompt is the way then. */
async function listen<T>(
  context: LoginContext,
  request: LoginRequest,
  flow: CallbackFlow<T>,
  state: string,
): Promise<CallbackServer | undefined> {
  const host = context.config['oauth-callback-host'];
  const port = request.callbackPort || flow.port;
  const options = {
    name: flow.name,
    path: flow.path,
    state,
    ...(flow.answers === undefined ? {} : { answers: flow.answers }),
    ...(typeof host === 'string' && host !== '' ? { host } : {}),
  };
  try {
    const server = await startCallbackServer({ ...options, port });
    if (flow.fixedRedirect && port !== flow.port) {
      context.terminal.warn(
        `Listening on port ${port}, but ${flow.name} always sends the browser to port ${flow.port}: map ${flow.port} to ${port}, or paste the callback URL.`,
      );
    }
    return server;
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    if (!context.terminal.interactive) {
      throw loginError('port_in_use', `${flow.errorPrefix}callback ${error.message}`, error);
    }
    const hint =
      error.code === 'EACCES'
        ? ' Windows reserves ranges: `netsh interface ipv4 show excludedportrange protocol=tcp`.'
        : '';
    if (flow.fixedRedirect) {
      context.terminal.warn(`Callback ${error.message}.${hint} Paste the callback URL when asked.`);
      return undefined;
    }
    const server = await startCallbackServer({ ...options, port: 0 });
    context.terminal.warn(`Callback ${error.message}.${hint} Using port ${server.port} instead.`);
    return server;
  }
}

/** The URL is always printed, whether a browser opens or not (R6). */
function showUrl<T>(
  context: LoginContext,
  request: LoginRequest,
  flow: CallbackFlow<T>,
  url: string,
  port: number,
): void {
  const { terminal } = context;
  const byHand = () => {
    for (const line of sshHint(context.env, port)) terminal.print(line);
    terminal.print(flow.texts?.visit ?? 'Visit the following URL to continue authentication:');
    terminal.print(url);
  };
  if (request.noBrowser) {
    byHand();
    return;
  }
  terminal.print(flow.texts?.opening ?? `Opening browser for ${flow.name} authentication`);
  terminal.print(`Attempting to open URL in browser: ${url}`);
  void context.openBrowser(url).then((opened) => {
    if (opened || context.signal.aborted) return;
    terminal.warn('No browser could be opened on this machine.');
    byHand();
  });
}

/** How to bring the browser's answer to this machine; no one is asked for our address but the SSH session itself. */
export function sshHint(env: NodeJS.ProcessEnv, port: number): string[] {
  const [, , address, sshPort] = (env.SSH_CONNECTION ?? '').trim().split(/\s+/);
  const user = address ? (env.USER ?? 'root') : 'root';
  const target = `${user}@${address ?? '<server-ip>'} -p ${sshPort ?? '22'}`;
  const forward = `-L ${port}:127.0.0.1:${port}`;
  return [
    'If the browser runs on another machine, open a tunnel there first:',
    `  ssh ${forward} ${target}`,
    `  ssh -i <path-to-your-key> ${forward} ${target}`,
    'or paste the address the browser ends at into this terminal.',
  ];
}

/** Asks until something usable is pasted; ends with `stop`, and at the end of input. */
async function askForPaste<T>(
  context: LoginContext,
  flow: CallbackFlow<T>,
  state: string,
  afterMs: number,
  stop: AbortSignal,
): Promise<Callback | undefined> {
  if (afterMs > 0) await Promise.race([delay(afterMs, stop), aborted(stop)]);
  while (!stop.aborted) {
    const text = await context.terminal.ask(`Paste the ${flow.name} callback URL (or press Enter to keep waiting): `, {
      signal: stop,
    });
    if (text === undefined) return undefined;
    const pasted = readPasted(text, state);
    if (pasted.kind === 'code' || pasted.kind === 'denied') return pasted;
    if (pasted.kind === 'invalid') context.terminal.warn(`That cannot be used: ${pasted.reason}.`);
  }
  return undefined;
}

/** The first callback that comes; undefined when `stop` aborts before any. Ends of input do not count. */
async function firstOf(
  sources: (Promise<Callback | undefined> | undefined)[],
  stop: AbortSignal,
): Promise<Callback | undefined> {
  const never = new Promise<never>(() => undefined);
  const hits = sources
    .filter((source) => source !== undefined)
    .map((source) => source.then((callback) => callback ?? never));
  return Promise.race([...hits, aborted(stop)]);
}

function ended<T>(context: LoginContext, flow: CallbackFlow<T>, timeout: AbortSignal): LoginError {
  if (timeout.aborted && !context.signal.aborted) {
    return loginError(
      'callback_timeout',
      `${flow.errorPrefix}callback wait failed: timeout waiting for OAuth callback`,
    );
  }
  return loginError('aborted', 'cancelled');
}

function pageReason(error: unknown): string {
  if (!(error instanceof LoginError)) return 'an unexpected error.';
  return pageReasons[error.code] ?? 'it could not be completed.';
}

const pageReasons: Readonly<Record<string, string>> = {
  code_exchange_failed: 'the provider did not accept the code.',
  user_info_failed: 'the provider did not tell whose account it is.',
  save_failed: 'the credential could not be saved.',
  onboarding_failed: 'the account could not be set up.',
};

function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}
