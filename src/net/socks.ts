// A TCP connection through a SOCKS5 proxy (RFC 1928, user and password by RFC 1929), as an undici connector.
import type { Socket } from 'node:net';
import { isIPv4, isIPv6 } from 'node:net';
import { HttpError } from './http.ts';
import { type ProxyServer, proxyLabel } from './proxy.ts';
import { buildConnector } from './undici.ts';

/** RFC 1928 §6 */
const replies: Readonly<Record<number, string>> = {
  1: 'general failure',
  2: 'connection not allowed',
  3: 'network unreachable',
  4: 'host unreachable',
  5: 'connection refused',
  6: 'TTL expired',
  7: 'command not supported',
  8: 'address type not supported',
};

/** `timeoutMs` bounds each of: reaching the proxy, its handshake, TLS to the target. */
export function socksConnector(proxy: ProxyServer, timeoutMs: number): buildConnector.connector {
  const reachProxy = buildConnector({ timeout: timeoutMs, keepAliveInitialDelay: 30_000 });
  const secure = buildConnector({ timeout: timeoutMs, allowH2: false });
  return (target, callback) => {
    reachProxy(
      { hostname: proxy.host, host: proxy.host, protocol: 'http:', port: String(proxy.port) },
      (error, socket) => {
        if (error) return callback(unreachable(proxy, error), null);
        const port = Number(target.port) || (target.protocol === 'https:' ? 443 : 80);
        handshake(socket, proxy, target.hostname, port, timeoutMs).then(
          () => {
            if (target.protocol === 'https:') secure({ ...target, httpSocket: socket }, callback);
            else callback(null, socket);
          },
          (cause) => {
            socket.on('error', () => {});
            socket.destroy();
            callback(cause instanceof HttpError ? cause : unreachable(proxy, cause), null);
          },
        );
      },
    );
  };
}

function unreachable(proxy: ProxyServer, cause: unknown): HttpError {
  const code = (cause as { code?: unknown }).code;
  const why = typeof code === 'string' ? ` (${code})` : '';
  return new HttpError(`the proxy ${proxyLabel(proxy)} cannot be reached${why}`, {
    code: 'ERR_PROXY_UNREACHABLE',
    cause,
  });
}

function refused(proxy: ProxyServer, why: string): HttpError {
  return new HttpError(`the proxy ${proxyLabel(proxy)} refused: ${why}`, { code: 'ERR_PROXY_REFUSED' });
}

async function handshake(socket: Socket, proxy: ProxyServer, host: string, port: number, timeoutMs: number) {
  const limit = setTimeout(() => socket.destroy(refused(proxy, 'no answer in time')), timeoutMs);
  try {
    const authenticated = proxy.username !== undefined;
    socket.write(Buffer.from(authenticated ? [5, 2, 0, 2] : [5, 1, 0]));
    const [version, method] = await readExactly(socket, 2);
    if (version !== 5) throw refused(proxy, 'it does not speak SOCKS5');
    if (method === 2 && authenticated) await logIn(socket, proxy);
    else if (method !== 0) throw refused(proxy, 'it wants another authentication');

    socket.write(Buffer.concat([Buffer.from([5, 1, 0]), address(host), Buffer.from([port >> 8, port & 0xff])]));
    const [, reply, , type] = await readExactly(socket, 4);
    if (reply !== 0) throw refused(proxy, replies[reply as number] ?? `reply ${reply}`);
    const length = type === 1 ? 4 : type === 4 ? 16 : ((await readExactly(socket, 1))[0] as number);
    await readExactly(socket, length + 2);
  } finally {
    clearTimeout(limit);
  }
}

async function logIn(socket: Socket, proxy: ProxyServer): Promise<void> {
  const user = Buffer.from(proxy.username ?? '');
  const password = Buffer.from(proxy.password?.reveal() ?? '');
  socket.write(Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]));
  const [, status] = await readExactly(socket, 2);
  if (status !== 0) throw refused(proxy, 'user or password is wrong');
}

function address(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from([1, ...host.split('.').map(Number)]);
  if (isIPv6(host)) return Buffer.concat([Buffer.from([4]), ipv6Bytes(host)]);
  const name = Buffer.from(host);
  return Buffer.concat([Buffer.from([3, name.length]), name]);
}

function ipv6Bytes(host: string): Buffer {
  const [head = '', tail] = host.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const middle = new Array<string>(8 - left.length - right.length).fill('0');
  return Buffer.from([...left, ...middle, ...right].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** Takes exactly `length` bytes and leaves what follows to the next reader of the socket. */
function readExactly(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      socket.off('readable', attempt).off('error', failed).off('close', closed);
      settle();
    };
    const attempt = () => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes !== null && bytes.length === length) done(() => resolve(bytes));
      else if (bytes !== null) done(() => reject(new Error('short answer')));
    };
    const failed = (error: Error) => done(() => reject(error));
    const closed = () => done(() => reject(new Error('connection closed')));
    socket.on('readable', attempt).on('error', failed).on('close', closed);
    attempt();
  });
}
