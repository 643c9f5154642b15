// The one mock behind all upstreams of the vectors: answers with the current vector's recorded response.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SeenRequest } from './compare.ts';
import type { Json, Vector, WireEvent } from './format.ts';

export interface MockUpstream {
  port: number;
  /** From now on this vector's answer is given, and requests are collected anew. */
  play(vector: Vector): SeenRequest[];
  close(): Promise<void>;
}

export async function startMockUpstream(): Promise<MockUpstream> {
  let current: Vector | undefined;
  let seen: SeenRequest[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://mock');
      const body = Buffer.concat(chunks).toString('utf8');
      const path = url.pathname.replace(/^\/gcli/, '');
      seen.push({ method: request.method ?? '', path, query: url.search.slice(1), headers: request.headers, body });
      if (current) answer(current.upstream_response, wantsStream(path, body), response);
      else response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    play(vector) {
      current = vector;
      seen = [];
      return seen;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function wantsStream(path: string, body: string): boolean {
  if (path.includes(':')) return path.includes('streamGenerateContent');
  try {
    return (JSON.parse(body) as { stream?: unknown }).stream === true;
  } catch {
    return false;
  }
}

function answer(recorded: Vector['upstream_response'], streams: boolean, response: http.ServerResponse): void {
  const headers = { ...recorded.headers };
  if (recorded.sse && (streams || recorded.json === undefined)) {
    const eol = recorded.eol === 'crlf' ? '\r\n' : '\n';
    response.writeHead(recorded.status, { ...headers, 'content-type': 'text/event-stream' });
    writePieces(Buffer.from(recorded.sse.map((event) => wire(event, eol)).join('')), recorded.split, response);
    return;
  }
  if (recorded.json !== undefined) {
    response.writeHead(recorded.status, { ...headers, 'content-type': 'application/json' });
    response.end(JSON.stringify(recorded.json));
    return;
  }
  response.writeHead(recorded.status, { ...headers, 'content-type': recorded.content_type ?? 'text/plain' });
  response.end(recorded.text ?? '');
}

function wire(event: WireEvent, eol: string): string {
  if ('raw' in event) return event.raw;
  const name = event.event ? `event: ${event.event}${eol}` : '';
  return `${name}data: ${dataText(event.data)}${eol}${eol}`;
}

function dataText(data: Json): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

/** One write per piece, each flushed before the next, so that pieces arrive apart. */
function writePieces(bytes: Buffer, size: number | undefined, response: http.ServerResponse): void {
  if (!size) {
    response.end(bytes);
    return;
  }
  response.socket?.setNoDelay(true);
  let at = 0;
  const next = (): void => {
    if (at >= bytes.length) {
      response.end();
      return;
    }
    const piece = bytes.subarray(at, at + size);
    at += size;
    response.write(piece, () => setImmediate(next));
  };
  next();
}
