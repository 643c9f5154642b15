// The listening socket: HTTP, or HTTPS whose certificate is read anew when its files change (spec/config.md §10).
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import http, { type IncomingMessage, type RequestListener } from 'node:http';
import https from 'node:https';
import { StartError } from './start-error.ts';

export interface TlsFiles {
  cert: string;
  key: string;
}

const limits = {
  // For the whole head of a request: a client that dribbles it is cut off, with the interval below after 35 s at most.
  headersTimeout: 30_000,
  // Bodies may take their time: large prompts over slow links are legitimate.
  requestTimeout: 0,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 75_000,
  maxHeaderSize: 64 * 1024,
  noDelay: true,
  insecureHTTPParser: false,
} as const;

export interface ListenerOptions {
  tls: TlsFiles | undefined;
  warn(line: string): void;
  shouldUpgradeCallback(request: IncomingMessage): boolean;
  /** Default 30 s, looked at every 5 s. */
  headTimeoutMs?: number;
}

/** Throws with one line when the certificate files cannot be read or do not fit each other. */
export function createListener(handler: RequestListener, options: ListenerOptions): http.Server {
  const { tls, warn, shouldUpgradeCallback, headTimeoutMs = limits.headersTimeout } = options;
  const limited = {
    ...limits,
    headersTimeout: headTimeoutMs,
    connectionsCheckingInterval: Math.min(limits.connectionsCheckingInterval, headTimeoutMs),
    shouldUpgradeCallback,
  };
  if (tls === undefined) return http.createServer(limited, handler);
  const server = secureServer({ ...limited, ...readPair(tls), minVersion: 'TLSv1.2' }, handler);
  const renew = (): void => {
    try {
      server.setSecureContext({ ...readPair(tls), minVersion: 'TLSv1.2' });
    } catch (error) {
      warn(`the new TLS certificate cannot be used, the old one stays: ${(error as Error).message}`);
    }
  };
  const files = [...new Set([tls.cert, tls.key])];
  for (const file of files) watchFile(file, { interval: 5_000, persistent: false }, renew);
  server.on('close', () => {
    for (const file of files) unwatchFile(file, renew);
  });
  return server;
}

function secureServer(options: https.ServerOptions, handler: RequestListener): https.Server {
  try {
    return https.createServer(options, handler);
  } catch (error) {
    throw new StartError(`tls: the certificate and the key cannot be used: ${(error as Error).message}`, error);
  }
}

function readPair(tls: TlsFiles): { cert: Buffer; key: Buffer } {
  try {
    return { cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
  } catch (error) {
    const { path = 'a file', code } = error as NodeJS.ErrnoException;
    throw new StartError(`tls: ${path} cannot be read (${code})`, error);
  }
}
