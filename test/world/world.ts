// The server of the fake world.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { type Account, type AccountOptions, Identity, type Settings } from './accounts.ts';
import { authorize, type Decision, type Visit } from './browser.ts';
import { Call, type Surroundings } from './call.ts';
import { type CredentialFile, cookieFile, credentialFile } from './credential-file.ts';
import { type Entry, type EntryFilter, Journal } from './journal.ts';
import { antigravity } from './providers/antigravity.ts';
import { anthropic, codexKey, gemini, openai } from './providers/api-keys.ts';
import { claude } from './providers/claude.ts';
import { codex } from './providers/codex.ts';
import { geminiCli } from './providers/gemini-cli.ts';
import { iflow } from './providers/iflow.ts';
import { kimi } from './providers/kimi.ts';
import { qwen } from './providers/qwen.ts';
import { vertex } from './providers/vertex.ts';
import { type Action, type Match, Script, takeScript } from './script.ts';
import type { FakeProvider, FakeProviderId, Route } from './types.ts';
import { openaiChat } from './wire/openai-chat.ts';

const fakes: readonly FakeProvider[] = [
  iflow,
  claude,
  codex,
  geminiCli,
  antigravity,
  qwen,
  kimi,
  vertex,
  gemini,
  openai,
  anthropic,
  codexKey,
];

export interface World {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** For the config's `endpoints:`; with it every provider's services are this world's. */
  readonly endpoints: Record<string, Record<string, string>>;
  /** Base URL of a service, e.g. for `base-url` of a config entry: `world.url('openai', '/v1')`. */
  url(provider: FakeProviderId, path?: string): string;
  /** All requests so far, in order. */
  readonly log: readonly Entry[];
  select(filter?: EntryFilter): Entry[];
  /** Every violation so far, with provider and path. */
  readonly problems: string[];
  /** Waits for something to happen, without sleeping. */
  until(condition: () => boolean, what?: string): Promise<void>;
  readonly settings: Settings;
  /** A user with live tokens; the same name is the same user. */
  account(provider: FakeProviderId, name?: string, options?: AccountOptions): Account;
  /** The credential file that a login of this account leaves. */
  file(account: Account): CredentialFile;
  /** iFlow: the file of a cookie login. */
  cookieFile(account: Account): CredentialFile;
  /** A working key for an API-key service. */
  apiKey(provider: 'openai' | 'anthropic' | 'gemini' | 'codex-key', name?: string): string;
  /** Google's key file for a service account. */
  serviceAccount(project: string): JsonObject;
  /** Tokens that stop working without notice. */
  revoke(account: Account, what: 'access' | 'refresh' | 'api-key' | 'all'): void;
  script(match: Match, action: Action): Script;
  /** The user's browser. */
  authorize(url: string, decision?: Decision): Promise<Visit>;
  close(): Promise<void>;
}

/** Names of the vendors' own programs: a request that carries one pretends to be it. */
const vendorPrograms =
  /claude-cli|claude-code|codex_cli|codex-tui|geminicli|gemini-cli\/|google-api-nodejs|iflow-cli|kimicli|kimi_cli|antigravity\/|qwencode|qwen-code/i;

export async function startWorld(settings: Partial<Settings> = {}): Promise<World> {
  const allSettings: Settings = { rotateRefresh: true, deviceInterval: 1, devicePending: 0, ...settings };
  const identity = new Identity(allSettings);
  const journal = new Journal();
  const scripts: Script[] = [];
  const surroundings: Surroundings = { identity, settings: allSettings, journal, origin: '' };
  const server = createServer((request, response) => void answer(surroundings, scripts, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  surroundings.origin = origin;

  return {
    origin,
    endpoints: endpointsAt(origin),
    url: (provider, path = '') => `${origin}/${provider}${path}`,
    log: journal.entries,
    select: (filter) => journal.select(filter),
    get problems() {
      return journal.entries.flatMap((entry) => entry.problems.map((text) => `${entry.method} ${entry.path}: ${text}`));
    },
    until: (condition, what) => journal.until(condition, what),
    settings: allSettings,
    account(provider, name = 'alice', options = {}) {
      const account = identity.account(provider, name, options);
      if (account.generation === 0) {
        identity.issue(account, {
          rotate: true,
          ...(options.expiresIn === undefined ? {} : { expiresIn: options.expiresIn }),
        });
      }
      return account;
    },
    file: (account) => credentialFile(account, origin),
    cookieFile,
    apiKey(provider, name = 'alice') {
      const account = identity.account(provider, name);
      if (account.apiKey === '') identity.addKey(account, `key-${provider}-${name}`);
      return account.apiKey;
    },
    serviceAccount: (project) => identity.serviceAccount(project, `${origin}/vertex/token`).keyFile,
    revoke: (account, what) => identity.revoke(account, what),
    script(match, action) {
      const script = new Script(match, action);
      scripts.push(script);
      return script;
    },
    authorize: (url, decision) => authorize(surroundings, url, decision),
    async close() {
      for (const script of scripts) script.release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function endpointsAt(origin: string): Record<string, Record<string, string>> {
  const all: Record<string, Record<string, string>> = {};
  for (const { id, endpoints } of fakes) {
    const entries = Object.entries(endpoints).map(([purpose, path]) => [purpose, `${origin}/${id}${path}`] as const);
    if (entries.length > 0) all[id] = Object.fromEntries(entries);
  }
  return all;
}

async function answer(
  world: Surroundings,
  scripts: readonly Script[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', world.origin);
  const fake = fakes.find(({ id }) => url.pathname.startsWith(`/${id}/`));
  const path = fake === undefined ? url.pathname : url.pathname.slice(fake.id.length + 1);
  const found = fake === undefined ? undefined : findRoute(fake, request.method ?? '', path);
  const body = await readBody(request);
  if (body === undefined) return;
  const entry = world.journal.add(newEntry(request, url, body, fake?.id ?? '', found?.route));
  const route: Route = found?.route ?? {
    method: 'GET',
    path,
    kind: 'unknown',
    wire: openaiChat,
    serve: (call) => {
      call.problem('no such endpoint in this world');
      call.reply(404, { error: 'no such endpoint in this world' });
    },
  };
  const call = new Call({ world, route, entry, url, groups: found?.groups ?? [], request, response });
  response.once('close', () => {
    if (entry.state === 'open') entry.state = response.writableFinished ? 'done' : 'aborted';
    world.journal.changed();
  });
  const agent = `${call.header('user-agent')} ${call.header('x-goog-api-client')} ${call.header('x-app')}`;
  if (vendorPrograms.test(agent)) call.problem(`pretends to be ${agent.trim()}`);
  try {
    await serve(call, scripts);
  } catch (error) {
    call.problem(`the world failed: ${error instanceof Error ? error.stack : String(error)}`);
    response.destroy();
  }
}

async function serve(call: Call, scripts: readonly Script[]): Promise<void> {
  call.route.identify?.(call);
  call.script = takeScript(scripts, call.entry);
  call.world.journal.changed();
  const action = call.script?.action ?? {};
  if (action.hold === true) {
    await call.gate();
    if (call.left) return;
  }
  if (action.drop !== undefined) return call.drop(action.drop);
  if (action.error !== undefined) return call.fail(action.error, action.retryAfter);
  if (action.empty === true) return call.reply(200, '', action.headers);
  if (action.status !== undefined || action.body !== undefined) {
    return call.reply(action.status ?? 200, action.body ?? '', action.headers);
  }
  if (call.refusal !== '') return call.fail('unauthorized');
  await call.route.serve(call);
}

function findRoute(fake: FakeProvider, method: string, path: string): { route: Route; groups: string[] } | undefined {
  for (const route of fake.routes) {
    if (route.method !== method) continue;
    if (typeof route.path === 'string') {
      if (route.path === path) return { route, groups: [] };
      continue;
    }
    const match = route.path.exec(path);
    if (match !== null) return { route, groups: match.slice(1) };
  }
  return undefined;
}

/** undefined: the caller left before the end. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function newEntry(
  request: IncomingMessage,
  url: URL,
  body: string,
  provider: FakeProviderId | '',
  route: Route | undefined,
): Omit<Entry, 'id'> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  }
  const type = headers['content-type'] ?? '';
  const problems: string[] = [];
  const json = type.includes('json') && body !== '' ? parseJson(body, problems) : undefined;
  const form = type.includes('x-www-form-urlencoded') ? Object.fromEntries(new URLSearchParams(body)) : undefined;
  return {
    provider,
    kind: route?.kind ?? 'unknown',
    method: request.method ?? '',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers,
    body,
    ...(json === undefined ? {} : { json }),
    ...(form === undefined ? {} : { form }),
    account: '',
    credential: '',
    model: '',
    stream: false,
    status: 0,
    events: 0,
    state: 'open',
    problems,
    notes: {},
  };
}

function parseJson(body: string, problems: string[]): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)) return parsed as JsonObject;
  } catch {
    // said below
  }
  problems.push('body is not a JSON object');
  return undefined;
}
