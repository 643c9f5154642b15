// The loopback listener that a provider redirects the browser to (RFC 8252 §7.3, §8.3; auth.md §2.2, R3, R4).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { failurePage, notForUsPage, page, progressPage, successPage } from './callback-pages.ts';

/** What the provider sent with the right state. */
export type Callback = { kind: 'code'; code: string } | { kind: 'denied'; error: string; description?: string };

/** What became of it; decides which page the browser gets. */
export type CallbackOutcome = { ok: true } | { ok: false; reason: string };

/** How this provider's listener answers; the defaults are a 200 page for success and a 400 page for failure. */
export interface CallbackAnswers {
  /** Redirect after a success: a path of this listener (`/success`) or an absolute URL. */
  successUrl?: string;
  /** Redirect after a failure. */
  failureUrl?: string;
  /** Status of the failure page. */
  failureStatus?: number;
}

export interface CallbackServerOptions {
  /** As printed: `Claude`. */
  name: string;
  /** 0 = any free port. */
  port: number;
  path: string;
  state: string;
  answers?: CallbackAnswers;
  /** `oauth-callback-host`: listens there instead of on loopback. */
  host?: string;
  /** How long the browser is kept waiting for the outcome before it gets the "look at the terminal" page, in ms. */
  patienceMs?: number;
}

export interface CallbackServer {
  readonly port: number;
  /** The first callback with the right state. */
  readonly callback: Promise<Callback>;
  /** Tells waiting browsers what became of the callback. */
  settle(outcome: CallbackOutcome): void;
  /** Stops listening; lets a page that is being sent be sent, for at most `lingerMs`. */
  close(lingerMs?: number): Promise<void>;
}

/** The port is taken (EADDRINUSE) or forbidden (EACCES: below 1024, or reserved by Windows). */
export class PortError extends Error {
  readonly port: number;
  readonly code: string;
  constructor(port: number, code: string, cause: unknown) {
    super(`port ${port} is ${code === 'EACCES' ? 'not allowed' : 'already in use'} (${code})`, { cause });
    this.name = 'PortError';
    this.port = port;
    this.code = code;
  }
}

const portErrors: ReadonlySet<string> = new Set(['EADDRINUSE', 'EACCES', 'EPERM']);
/** A machine without IPv6 answers with one of these: IPv4 alone is then what `localhost` means. */
const noIpv6: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL', 'EPROTONOSUPPORT']);

/** Starts listening on 127.0.0.1 and ::1, or rejects with `PortError`. */
export async function startCallbackServer(options: CallbackServerOptions): Promise<CallbackServer> {
  const { promise: callback, resolve: deliver } = Promise.withResolvers<Callback>();
  const { promise: outcome, resolve: settle } = Promise.withResolvers<CallbackOutcome>();
  const { promise: landed, resolve: land } = Promise.withResolvers<void>();
  const patienceMs = options.patienceMs ?? 8_000;
  const open = new Set<ServerResponse>();
  let claimed = false;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    open.add(response);
    response.once('close', () => open.delete(response));
    if (request.method !== 'GET') {
      response.setHeader('allow', 'GET');
      return page(response, 405, notForUsPage());
    }
    const url = new URL(request.url?.startsWith('/') ? request.url : '/', 'http://localhost');
    if (url.pathname === options.answers?.successUrl) {
      // Only a finished login ever redirects here.
      const known = await Promise.race([outcome, after(0)]);
      page(response, known?.ok ? 200 : 404, known?.ok ? successPage(options.name) : notForUsPage());
      if (known?.ok) response.once('close', land);
      return;
    }
    if (url.pathname !== options.path) return page(response, 404, notForUsPage());
    const found = readCallback(url.searchParams, options.state);
    if (found === undefined) return page(response, 400, notForUsPage());
    if (!claimed) {
      claimed = true;
      deliver(found);
    }
    // A reload of the page, or a browser that asks twice, gets the same answer: the first callback wins.
    const result = await Promise.race([outcome, after(patienceMs)]);
    if (result === undefined) return page(response, 200, progressPage(options.name));
    const { successUrl, failureUrl, failureStatus = 400 } = options.answers ?? {};
    const target = result.ok ? successUrl : failureUrl;
    if (target !== undefined) {
      if (!target.startsWith('/')) response.once('close', land);
      response.writeHead(302, { location: target, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
      response.end();
      return;
    }
    response.once('close', land);
    page(
      response,
      result.ok ? 200 : failureStatus,
      result.ok ? successPage(options.name) : failurePage(options.name, result.reason),
    );
  };

  const servers = await listenOnLoopback(options, (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  return {
    port: portOf(servers[0] as Server),
    callback,
    settle,
    close: async (lingerMs = 0) => {
      if (claimed && lingerMs > 0) await Promise.race([landed, after(lingerMs)]);
      for (const response of open) response.destroy();
      await Promise.all(servers.map(closeServer));
    },
  };
}

/** Undefined unless the state is ours, given once, and there is a code or an error beside it. */
function readCallback(query: URLSearchParams, state: string): Callback | undefined {
  const states = query.getAll('state');
  if (states.length !== 1 || states[0] !== state) return undefined;
  const error = query.get('error')?.trim() || query.get('error_description')?.trim();
  if (error) {
    const description = query.get('error_description')?.trim();
    return description && description !== error ? { kind: 'denied', error, description } : { kind: 'denied', error };
  }
  const code = query.get('code')?.trim();
  return code ? { kind: 'code', code } : undefined;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

async function listenOnLoopback(options: CallbackServerOptions, listener: Listener): Promise<Server[]> {
  if (options.host) return [await listen(options.host, options.port, listener)];
  const ipv4 = await listen('127.0.0.1', options.port, listener);
  const port = portOf(ipv4);
  try {
    return [ipv4, await listen('::1', port, listener)];
  } catch (error) {
    if (error instanceof Error && 'code' in error && noIpv6.has(String(error.code))) return [ipv4];
    await closeServer(ipv4);
    // Another program on [::1] would get the browser's `localhost`: as bad as a taken port.
    if (options.port === 0 && error instanceof PortError) return listenOnLoopback(options, listener);
    throw error;
  }
}

function listen(host: string, port: number, listener: Listener): Promise<Server> {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 10_000, keepAlive: false, maxHeaderSize: 32 * 1024 },
    (request, response) => {
      response.setHeader('connection', 'close');
      listener(request, response);
    },
  );
  server.maxConnections = 64;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? '';
      reject(portErrors.has(code) ? new PortError(port, code === 'EPERM' ? 'EACCES' : code, error) : error);
    });
    server.listen({ host, port, exclusive: true, ipv6Only: host.includes(':') }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), ms).unref();
  });
}
