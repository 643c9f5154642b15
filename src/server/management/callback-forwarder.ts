// `is_webui`: listens on a provider's registered callback port and sends the browser on to the main port (auth.md §5.2).
import { createServer, type Server } from 'node:http';

export interface Forwarder {
  close(): void;
}

const open = new Map<number, Forwarder>();
/** `localhost` may be either; a machine without IPv6 has the first only. */
const loopbacks = ['127.0.0.1', '::1'];

/**
 * Loopback only, unless `host` (`oauth-callback-host`) opens it. A second start on the same port replaces the first, so that parallel logins of one provider share it.
 * Closed when `signal` aborts. Rejects when the port cannot be had.
 */
export async function openForwarder(
  port: number,
  target: () => string | undefined,
  signal: AbortSignal,
  host = '',
): Promise<void> {
  open.get(port)?.close();
  const servers: Server[] = [];
  const forwarder: Forwarder = {
    close() {
      if (open.get(port) === forwarder) open.delete(port);
      for (const server of servers) {
        server.close();
        server.closeIdleConnections();
      }
    },
  };
  const hosts = host === '' ? loopbacks : [host];
  for (const address of hosts) {
    const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
      const base = target();
      const query = request.url?.includes('?') ? request.url.slice(request.url.indexOf('?')) : '';
      response.setHeader('cache-control', 'no-store');
      response.setHeader('referrer-policy', 'no-referrer');
      response.setHeader('connection', 'close');
      if (base) response.writeHead(302, { location: `${base}${query}` }).end();
      else response.writeHead(503).end();
    });
    try {
      await listening(server, port, address);
      servers.push(server);
    } catch (error) {
      if (address === hosts[0]) throw error;
    }
  }
  open.set(port, forwarder);
  if (signal.aborted) forwarder.close();
  // A browser that just finished may still be following its redirect.
  signal.addEventListener('abort', () => setTimeout(() => forwarder.close(), 250).unref(), { once: true });
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, ipv6Only: host === '::1' }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      server.unref();
      resolve();
    });
  });
}
