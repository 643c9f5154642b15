// The single checks of `cliproxy doctor`. Each looks at one thing and says what it found and what to do about it.
import { accessSync, constants, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Settings } from '../config/settings.ts';
import type { Credential, InvalidCredential } from '../credentials/credential.ts';
import type { HttpClient } from '../net/http.ts';
import { parseProxy, proxyLabel } from '../net/proxy.ts';
import { fileOf } from '../oauth/save.ts';
import { loginCommand } from '../providers/login-command.ts';
import type { Provider } from '../providers/provider.ts';

export interface Finding {
  level: 'ok' | 'warn' | 'fail';
  /** What was looked at: `config`, `auth folder`, … */
  about: string;
  text: string;
  /** What to do about it. */
  advice?: string;
}

export type ProviderById = (id: Credential['provider']) => Provider | undefined;

export function checkAuthFolder(folder: string): Finding {
  const about = 'auth folder';
  try {
    const stat = statSync(folder);
    if (!stat.isDirectory()) {
      return { level: 'fail', about, text: `${folder} is not a folder`, advice: 'point -auth-dir at a folder' };
    }
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (process.platform !== 'win32' && (stat.mode & 0o022) !== 0) {
      return { level: 'warn', about, text: `${folder} can be written by other users`, advice: `chmod go-w ${folder}` };
    }
    return { level: 'ok', about, text: folder };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') {
      return { level: 'warn', about, text: `${folder} does not exist yet`, advice: 'the first login creates it' };
    }
    return { level: 'fail', about, text: `${folder} cannot be used (${code})`, advice: 'check its owner and mode' };
  }
}

export interface KnownCredentials {
  list: readonly Credential[];
  invalid: readonly InvalidCredential[];
}

/** Of more accounts than these only the ones with something to say are listed. */
const listed = 50;

export function checkCredentials({ list, invalid }: KnownCredentials, find: ProviderById, now: number): Finding[] {
  const about = 'credentials';
  const findings: Finding[] = [];
  const byProvider = Map.groupBy(list, (credential) => credential.providerKey);
  for (const [key, credentials] of byProvider) {
    const usable = credentials.filter((credential) => credential.status === 'active').length;
    findings.push({ level: 'ok', about, text: `${key}: ${credentials.length} known, ${usable} usable` });
  }
  for (const credential of list) {
    const finding = checkCredential(credential, find(credential.provider), now);
    if (finding.level !== 'ok' || list.length <= listed) findings.push(finding);
  }
  for (const { name, status, message } of invalid) {
    const advice =
      status === 'invalid' ? 'log in again, or remove the file' : 'remove the file, or leave it: it is ignored';
    findings.push({ level: status === 'invalid' ? 'fail' : 'warn', about, text: `${name}: ${message}`, advice });
  }
  if (list.length === 0) {
    findings.push({
      level: 'fail',
      about,
      text: 'there is no account to answer requests with',
      advice: 'log in, for example ./cliproxy -iflow-login (see -help), or put an API key into the configuration',
    });
  } else if (!list.some((credential) => credential.status === 'active')) {
    findings.push({ level: 'fail', about, text: 'none of the accounts is usable', advice: 'see the lines above' });
  }
  return findings;
}

function checkCredential(credential: Credential, provider: Provider | undefined, now: number): Finding {
  const about = 'credentials';
  const name = credential.source === 'file' ? fileOf(credential) : credential.label;
  const again = loginCommand(provider, credential.kind) ?? 'log in again';
  const { pending } = credential.fields.reveal();
  if (typeof pending === 'string') {
    return { level: 'warn', about, text: `${name}: a login that was not finished (${pending})`, advice: again };
  }
  if (credential.status === 'disabled') {
    return {
      level: 'warn',
      about,
      text: `${name}: switched off`,
      advice: 'set "disabled":false in the file to use it',
    };
  }
  if (credential.status !== 'active') {
    const message = credential.statusMessage ?? credential.status;
    const said = message.includes(again);
    return { level: 'fail', about, text: `${name}: ${message}`, ...(said ? {} : { advice: again }) };
  }
  if (credential.expiresAt !== undefined && credential.expiresAt <= now) {
    const since = new Date(credential.expiresAt).toISOString();
    return {
      level: 'warn',
      about,
      text: `${name}: expired ${since}; the server refreshes it`,
      advice: `if it does not: ${again}`,
    };
  }
  const renews = provider?.refresh?.canRefresh(credential.fields.reveal()) === true && credential.source === 'file';
  return { level: 'ok', about, text: `${name} (${credential.providerKey}): active, ${validity(credential, renews)}` };
}

function validity({ expiresAt }: Credential, renews: boolean): string {
  if (expiresAt === undefined) return 'does not expire';
  const until = new Date(expiresAt).toISOString();
  return renews ? `token until ${until}, renewed by the server` : `until ${until}, then a new login is needed`;
}

/** Whether the server could listen where it is told to, or something that answers like it already does. */
export async function checkServerPort(settings: Pick<Settings, 'host' | 'port'>): Promise<Finding> {
  const about = 'port';
  const { port } = settings;
  if (port === 0) return { level: 'ok', about, text: 'any free one' };
  const code = await tryListen(settings.host === '' ? undefined : settings.host, port);
  if (code === undefined) return { level: 'ok', about, text: `${port} is free` };
  if (code === 'EADDRINUSE' && (await answersHealth(settings.host, port))) {
    return { level: 'ok', about, text: `a server is running on ${port}` };
  }
  const what = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code})`;
  return { level: 'fail', about, text: `${port} ${what}`, advice: 'choose another with -port or `port:`' };
}

/** A taken callback port is no obstacle for a login, but explains why the browser ends nowhere. */
export async function checkCallbackPorts(ports: Readonly<Record<string, number>>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, port] of Object.entries(ports)) {
    const code = await tryListen('127.0.0.1', port);
    if (code === undefined) continue;
    findings.push({
      level: 'warn',
      about: 'callback port',
      text: `${port} (${name}) ${code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${code})`}`,
      advice: 'paste the callback URL at the login, or choose another port with -oauth-callback-port',
    });
  }
  if (findings.length === 0) findings.push({ level: 'ok', about: 'callback ports', text: 'all free' });
  return findings;
}

/** `value`: a `proxy-url`; `where`: whose. */
export async function checkProxy(value: string, where: string, timeoutMs = 3_000): Promise<Finding> {
  const about = 'proxy';
  if (/^(direct|none)$/i.test(value.trim())) return { level: 'ok', about, text: `${where}: none, on purpose` };
  try {
    const proxy = parseProxy(value.trim());
    const code = await tryConnect(proxy.host, proxy.port, timeoutMs);
    const label = proxyLabel(proxy);
    if (code === undefined) return { level: 'ok', about, text: `${where}: ${label} answers` };
    return {
      level: 'fail',
      about,
      text: `${where}: ${label} does not answer (${code})`,
      advice: 'start it, or change proxy-url',
    };
  } catch (error) {
    return { level: 'fail', about, text: `${where}: ${(error as Error).message}`, advice: 'correct proxy-url' };
  }
}

/** Asks one provider's host for anything, to see that it answers and what time it is there. */
export async function checkReachable(
  http: HttpClient,
  name: string,
  url: string,
  now: () => number,
): Promise<Finding[]> {
  const about = 'network';
  const { origin, host } = new URL(url);
  const started = now();
  try {
    const response = await http.request(origin, { timeoutMs: 10_000 });
    const findings: Finding[] = [{ level: 'ok', about, text: `${name}: ${host} answers` }];
    const skew = clockSkew(response.headers.date, started, now());
    if (skew !== undefined && Math.abs(skew) > 60_000) {
      const seconds = Math.round(Math.abs(skew) / 1_000);
      findings.push({
        level: 'warn',
        about: 'clock',
        text: `this machine is ${seconds} s ${skew > 0 ? 'behind' : 'ahead of'} ${host}`,
        advice: 'set the clock (NTP): times of tokens depend on it',
      });
    }
    return findings;
  } catch (error) {
    const advice = 'check the network and proxy-url';
    return [{ level: 'fail', about, text: `${name}: ${(error as Error).message}`, advice }];
  }
}

/** ms the other clock is ahead of ours; a `Date` header has whole seconds, and the call took its time. */
export function clockSkew(date: string | string[] | undefined, sentAt: number, receivedAt: number): number | undefined {
  const theirs = Date.parse(typeof date === 'string' ? date : '');
  return Number.isNaN(theirs) ? undefined : theirs + 500 - (sentAt + receivedAt) / 2;
}

function tryListen(host: string | undefined, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown error'));
    server.listen({ port, exclusive: true, ...(host === undefined ? {} : { host }) }, () => {
      server.close(() => resolve(undefined));
    });
  });
}

function tryConnect(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (code?: string) => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(timeoutMs, () => end('timeout'));
    socket.once('connect', () => end());
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'unknown error'));
  });
}

async function answersHealth(host: string, port: number): Promise<boolean> {
  const address = host === '' || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const name = address.includes(':') ? `[${address}]` : address;
  const { request } = await import('node:http');
  return new Promise((resolve) => {
    const call = request(`http://${name}:${port}/healthz`, { timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 || response.statusCode === 503);
    });
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve(false));
    call.end();
  });
}
