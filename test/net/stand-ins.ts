// Loopback stand-ins: an origin server, an HTTP proxy (CONNECT and absolute-form) and a SOCKS5 proxy, each counting.
import http from 'node:http';
import net from 'node:net';

export interface StandIn {
  port: number;
  /** TCP connections accepted so far. */
  connections: number;
  requests: string[];
  close(): Promise<void>;
}

function listen(server: net.Server, requests: string[]): Promise<StandIn> {
  const sockets = new Set<net.Socket>();
  const standIn: StandIn = {
    port: 0,
    connections: 0,
    requests,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  server.on('connection', (socket: net.Socket) => {
    standIn.connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      standIn.port = (server.address() as net.AddressInfo).port;
      resolve(standIn);
    });
  });
}

export function origin(listener: http.RequestListener = (_request, response) => response.end('ok')): Promise<StandIn> {
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  server.keepAliveTimeout = 0;
  return listen(server, requests);
}

/** Forwards everything to `target`, whatever name was asked for. `refuse`: the status to answer instead. */
export function httpProxy(target: () => number, refuse?: number): Promise<StandIn & { authorization: string[] }> {
  const requests: string[] = [];
  const authorization: string[] = [];
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    authorization.push(request.headers['proxy-authorization'] ?? '');
    if (refuse) {
      response.writeHead(refuse).end();
      return;
    }
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const path = new URL(request.url as string).pathname;
    const onward = http.request({ port: target(), host: '127.0.0.1', method: request.method, path, headers, agent });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode as number, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.keepAliveTimeout = 0;
  server.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
    requests.push(`CONNECT ${request.url}`);
    authorization.push(request.headers['proxy-authorization'] ?? '');
    if (refuse) {
      socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
      return;
    }
    const onward = net.connect(target(), '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    onward.pipe(socket).pipe(onward);
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  server.on('close', () => agent.destroy());
  return listen(server, requests).then((standIn) => Object.assign(standIn, { authorization }));
}

export function socksProxy(target: () => number, login?: string, reply = 0): Promise<StandIn> {
  const requests: string[] = [];
  const server = net.createServer((socket) => {
    let step: 'greet' | 'login' | 'connect' = 'greet';
    const read = (data: Buffer) => {
      if (step === 'greet') {
        const methods = [...data.subarray(2)];
        const method = login === undefined ? 0 : 2;
        socket.write(Buffer.from([5, methods.includes(method) ? method : 0xff]));
        step = login === undefined ? 'connect' : 'login';
      } else if (step === 'login') {
        const nameLength = data[1] as number;
        const given = `${data.subarray(2, 2 + nameLength)}:${data.subarray(3 + nameLength)}`;
        socket.write(Buffer.from([1, given === login ? 0 : 1]));
        step = 'connect';
      } else {
        socket.off('data', read);
        const end = data.length - 2;
        const host = data[3] === 3 ? data.subarray(5, end).toString() : data.subarray(4, end).toString('hex');
        requests.push(`${host}:${data.readUInt16BE(end)}`);
        // The answer comes in two pieces and, with a name as bound address, must still be read exactly.
        socket.write(Buffer.from([5, reply, 0, 3]));
        setImmediate(() => socket.write(Buffer.from([1, 0x61, 0, 0])));
        const onward = net.connect(target(), '127.0.0.1', () => onward.pipe(socket).pipe(onward));
        onward.on('error', () => socket.destroy());
        socket.on('close', () => onward.destroy());
      }
    };
    socket.on('data', read);
  });
  return listen(server, requests);
}
