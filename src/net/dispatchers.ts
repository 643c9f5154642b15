// One pooled dispatcher per proxy value (upstreams.md §1.3: the reference opened a new transport for every request).

import { type ProxyServer, proxyLabel, resolveProxy } from './proxy.ts';
import { ResendingDispatcher } from './resend.ts';
import { socksConnector } from './socks.ts';
import { Agent, type Dispatcher, Pool, ProxyAgent } from './undici.ts';

export interface DispatcherOptions {
  /** The global `proxy-url`, asked for each request: a reload takes effect at once. */
  globalProxy(): string | undefined;
  env: NodeJS.ProcessEnv;
  /** ms for each of: TCP connect, TLS, proxy handshake; asked for each request as well. Default 10,000; 0 = no limit. */
  connectTimeoutMs?: number | (() => number);
}

export interface Dispatchers {
  /**
   * The dispatcher for requests to `origin` (`https://host`) of a credential with this `proxyUrl` (undefined or empty:
   * global, then environment). undici's own header and body limits are off: the caller sets its limits.
   *
   * @throws HttpError with code `ERR_PROXY_INVALID`; nothing is dialled then.
   */
  dispatcherFor(proxyUrl: string | undefined, origin: string | URL): Dispatcher;
  /** The proxy that `dispatcherFor` would use, for messages: `http://host:port`, or undefined when direct. */
  proxyFor(proxyUrl: string | undefined, origin: string | URL): string | undefined;
  /** Closes, after their running requests, the pools of proxies not used since the call before the last one. */
  closeUnused(): void;
  close(): Promise<void>;
}

interface Pooled {
  readonly dispatcher: ResendingDispatcher;
  /** Calls of `closeUnused` since the last use. */
  idleRounds: number;
  close(): Promise<void>;
}

export function createDispatchers(options: DispatcherOptions): Dispatchers {
  const { connectTimeoutMs = 10_000 } = options;
  const timeout = () => (typeof connectTimeoutMs === 'number' ? connectTimeoutMs : connectTimeoutMs());
  const pools = new Map<string, Pooled>();
  const route = (proxyUrl: string | undefined, origin: string | URL) =>
    resolveProxy({ credential: proxyUrl, global: options.globalProxy(), env: options.env }, origin);

  return {
    dispatcherFor(proxyUrl, origin) {
      const proxy = route(proxyUrl, origin);
      const timeoutMs = timeout();
      const key = `${timeoutMs} ${poolKey(proxy)}`;
      let pooled = pools.get(key);
      if (pooled === undefined) {
        pooled = createPooled(proxy, timeoutMs);
        pools.set(key, pooled);
      }
      pooled.idleRounds = 0;
      return pooled.dispatcher;
    },
    proxyFor(proxyUrl, origin) {
      const proxy = route(proxyUrl, origin);
      return proxy && proxyLabel(proxy);
    },
    closeUnused() {
      for (const [key, pooled] of pools) {
        pooled.idleRounds += 1;
        if (pooled.idleRounds < 2) continue;
        pools.delete(key);
        void pooled.close();
      }
    },
    async close() {
      const all = [...pools.values()];
      pools.clear();
      await Promise.all(all.map((pooled) => pooled.close()));
    },
  };
}

function poolKey(proxy: ProxyServer | undefined): string {
  return proxy === undefined
    ? 'direct'
    : JSON.stringify([proxyLabel(proxy), proxy.username ?? null, proxy.password?.reveal() ?? null]);
}

function createPooled(proxy: ProxyServer | undefined, timeoutMs: number): Pooled {
  const main = createAgent(proxy, timeoutMs, 1);
  let fresh: Dispatcher | undefined;
  return {
    // `pipelining: 0` switches keep-alive off: what goes through `fresh` always has its own new socket.
    dispatcher: new ResendingDispatcher(main, () => {
      fresh ??= createAgent(proxy, timeoutMs, 0);
      return fresh;
    }),
    idleRounds: 0,
    async close() {
      await Promise.all([main.close(), fresh?.close()]);
    },
  };
}

function createAgent(proxy: ProxyServer | undefined, timeoutMs: number, pipelining: 0 | 1): Dispatcher {
  const pool = {
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining,
    // Idle sockets live as long as Go's: what the services and middleboxes between are used to.
    keepAliveTimeout: 90_000,
    // HTTP/1.1 has one stream per socket: a stalled stream cannot hold up others.
    allowH2: false,
  } as const;
  const connect = { timeout: timeoutMs, keepAlive: true, keepAliveInitialDelay: 30_000, allowH2: false } as const;
  if (proxy === undefined) return new Agent({ ...pool, connect });
  if (proxy.scheme === 'socks5') return new Agent({ ...pool, connect: socksConnector(proxy, timeoutMs) });
  return new ProxyAgent({
    ...pool,
    uri: proxyLabel(proxy),
    ...(proxy.username === undefined ? {} : { token: basicAuthorization(proxy) }),
    proxyTls: connect,
    requestTls: connect,
    // https origins: a CONNECT tunnel. http origins: absolute-form requests, for which undici passes no pool options.
    factory: (origin, given) => new Pool(origin, { ...given, ...pool }),
    clientFactory: (origin, given) => new Pool(origin, { ...given, headersTimeout: timeoutMs }),
  });
}

function basicAuthorization(proxy: ProxyServer): string {
  const pair = `${proxy.username ?? ''}:${proxy.password?.reveal() ?? ''}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
