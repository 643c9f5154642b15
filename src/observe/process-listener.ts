// `pprof`: figures of the process alone (memory, event-loop lag, processor time) at `/debug/metrics` of a listener of
// their own, so that they can be read where the client port must not be. Nothing about accounts or clients is told.
import { createServer, type Server } from 'node:http';
import type { Config } from '../config/index.ts';
import type { Exposition } from './exposition.ts';

export interface ProcessListener {
  /** Listens, moves or stops as the configuration says now. */
  follow(pprof: Config['pprof']): void;
  close(): void;
}

export function processListener(read: () => Promise<Exposition>, warn: (line: string) => void): ProcessListener {
  let server: Server | undefined;
  let address = '';
  const close = (): void => {
    server?.close();
    server?.closeAllConnections();
    server = undefined;
    address = '';
  };
  const open = (addr: string): void => {
    const at = addr.lastIndexOf(':');
    const host = addr.slice(0, at).replace(/^\[|\]$/g, '');
    const port = Number(addr.slice(at + 1));
    if (at < 0 || !Number.isInteger(port) || port < 0 || port > 65_535) {
      warn(`pprof.addr ${JSON.stringify(addr)} is no host:port: there are no process figures`);
      return;
    }
    address = addr;
    server = createServer((request, response) => {
      if (request.method !== 'GET' || request.url !== '/debug/metrics') {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('GET /debug/metrics\n');
        return;
      }
      read().then(
        ({ contentType, text }) =>
          response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' }).end(text),
        () => response.writeHead(500).end(),
      );
    });
    server.on('error', (error) => warn(`no process figures at ${addr}: ${error.message}`));
    server.listen({ port, ...(host === '' ? {} : { host }) });
    server.unref();
  };
  return {
    follow({ enable, addr }) {
      if (enable && addr === address) return;
      close();
      if (enable) open(addr);
    },
    close,
  };
}
