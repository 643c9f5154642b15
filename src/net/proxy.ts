// Which proxy a request goes through. One resolver for chat, login, polling and refresh (auth.md §2.8, upstreams.md §1.3).
import { BlockList, isIP, isIPv4 } from 'node:net';
import { Secret } from '../secret.ts';
import { HttpError } from './http.ts';

export interface ProxyServer {
  readonly scheme: 'http' | 'https' | 'socks5';
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: Secret;
}

export interface ProxySources {
  /** `proxy_url` of the credential file or `proxy-url` of the config entry. */
  readonly credential?: string;
  /** `proxy-url` of the config. */
  readonly global?: string;
  readonly env: NodeJS.ProcessEnv;
}

const schemes: Readonly<Record<string, ProxyServer['scheme']>> = {
  'http:': 'http',
  'https:': 'https',
  'socks5:': 'socks5',
  // The proxy resolves the host name for both spellings: no name leaks to the local resolver.
  'socks5h:': 'socks5',
};

const defaultPorts: Readonly<Record<ProxyServer['scheme'], number>> = { http: 80, https: 443, socks5: 1080 };

/**
 * The proxy for `origin` (`https://host:port`), or undefined for a direct connection. The first non-empty source decides:
 * credential, global, environment; `direct` or `none` ends the search. A value that cannot be used is an error, never
 * a silent direct connection.
 *
 * @throws HttpError with code `ERR_PROXY_INVALID`
 */
export function resolveProxy(sources: ProxySources, origin: string | URL): ProxyServer | undefined {
  for (const value of [sources.credential, sources.global]) {
    const text = value?.trim();
    if (!text) continue;
    return /^(?:direct|none)$/i.test(text) ? undefined : parseProxy(text);
  }
  return environmentProxy(sources.env, new URL(origin));
}

/** @throws HttpError with code `ERR_PROXY_INVALID`; the message never repeats the value, which may hold a password. */
export function parseProxy(text: string): ProxyServer {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalidProxy('it is not a URL like http://host:port');
  }
  const scheme = schemes[url.protocol];
  if (scheme === undefined) throw invalidProxy('its scheme must be http, https, socks5 or socks5h');
  if (url.hostname === '') throw invalidProxy('it names no host');
  if (url.port === '0') throw invalidProxy('its port is 0');
  let username: string;
  let password: string;
  try {
    username = decodeURIComponent(url.username);
    password = decodeURIComponent(url.password);
  } catch {
    throw invalidProxy('its user or password is not percent-encoded properly');
  }
  // RFC 1929 §2: both fields are counted by one byte.
  if (scheme === 'socks5' && (Buffer.byteLength(username) > 255 || Buffer.byteLength(password) > 255)) {
    throw invalidProxy('its user or password is longer than 255 bytes');
  }
  return {
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaultPorts[scheme] : Number(url.port),
    ...(username === '' && password === '' ? {} : { username, password: new Secret(password) }),
  };
}

/** `http://host:port`, for messages: no user, no password. */
export function proxyLabel(proxy: ProxyServer): string {
  return `${proxy.scheme}://${proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host}:${proxy.port}`;
}

function invalidProxy(why: string): HttpError {
  return new HttpError(`the proxy URL cannot be used: ${why}`, { code: 'ERR_PROXY_INVALID' });
}

/** HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY as Go's net/http and curl read them; loopback is never proxied. */
function environmentProxy(env: NodeJS.ProcessEnv, target: URL): ProxyServer | undefined {
  const own = target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const value = variable(env, own) || variable(env, 'ALL_PROXY');
  if (!value || isLoopback(target.hostname)) return undefined;
  if (matchesNoProxy(variable(env, 'NO_PROXY'), target)) return undefined;
  return parseProxy(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
}

function variable(env: NodeJS.ProcessEnv, name: string): string {
  return (env[name] || env[name.toLowerCase()] || '').trim();
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Entries: `*`, `host`, `.suffix`, `host:port`, address, `address/bits`. A plain name also covers its sub-domains. */
export function matchesNoProxy(list: string, target: URL): boolean {
  const host = target.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => matchesEntry(entry.toLowerCase(), host, port));
}

function matchesEntry(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const network = /^(.+)\/(\d+)$/.exec(entry);
  if (network) return inNetwork(host, network[1] as string, Number(network[2]));
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry);
  const name = (parts?.[1] ?? entry).replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
  if (parts?.[2] !== undefined && parts[2] !== port) return false;
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || (isIP(name) === 0 && host.endsWith(`.${name}`));
}

function inNetwork(host: string, address: string, bits: number): boolean {
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || bits > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(address, bits, type);
  return list.check(host, type);
}
