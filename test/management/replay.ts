// Plays the recordings of one scenario against a lab that starts in the recorded state.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { Failure } from '../../src/failure.ts';
import { key, type Lab } from './lab.ts';

export interface Recording {
  id: string;
  scenario: string;
  note?: string;
  request: { method: string; path: string; headers?: Record<string, string>; body?: unknown };
  response: { status: number; json?: unknown; text?: string; content_type?: string; headers?: Record<string, string> };
}

export const recordings = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'management-recordings.json'), 'utf8'),
) as Recording[];

export const startConfig = `# top comment
host: "127.0.0.1"
port: 8317

# management section
remote-management:
  # indented comment
  allow-remote: false
  secret-key: "<management-key>" # trailing comment
  disable-control-panel: false

auth-dir: "<dir>/auths"

# client keys
api-keys:
  - "client-key-1" # first
  - "client-key-2"

debug: false
logging-to-file: true
usage-statistics-enabled: true
request-retry: 0

# routing comment
routing:
  strategy: "round-robin"

gemini-api-key:
  - api-key: "AIza-FAKE-1"
    base-url: "http://upstream.test"

openai-compatibility:
  - name: "fakeup" # provider comment
    base-url: "http://upstream.test/v1"
    api-key-entries:
      - api-key: "sk-FAKE-up-1"
    models:
      - { name: "up-model-a", alias: "m-ok" }
      - { name: "up-limit", alias: "m-limit" }
      - { name: "up-bad", alias: "m-bad" }
`;

const unsigned = (claims: object): string =>
  ['{"alg":"none"}', JSON.stringify(claims), ''].map((part) => Buffer.from(part).toString('base64url')).join('.');
const times = { expired: '2030-01-01T00:00:00Z', last_refresh: '2026-01-01T00:00:00Z' };

export const startFiles: Record<string, unknown> = {
  'claude-alice@example.com.json': {
    type: 'claude',
    email: 'alice@example.com',
    access_token: 'fake-claude-access',
    refresh_token: 'fake-claude-refresh',
    id_token: '',
    ...times,
  },
  'codex-dana@example.com-plus.json': {
    type: 'codex',
    email: 'dana@example.com',
    access_token: 'fake-codex-access',
    refresh_token: 'fake-codex-refresh',
    account_id: 'acct-0001',
    id_token: unsigned({
      email: 'dana@example.com',
      'https://api.openai.com/auth': {
        chatgpt_account_id: 'acct-0001',
        chatgpt_plan_type: 'plus',
        chatgpt_subscription_active_start: '2026-01-01T00:00:00+00:00',
        chatgpt_subscription_active_until: '2027-01-01T00:00:00+00:00',
      },
    }),
    ...times,
  },
  'iflow-bob-1700000000.json': {
    type: 'iflow',
    email: 'bob',
    access_token: 'fake-iflow-access',
    refresh_token: 'fake-iflow-refresh',
    api_key: 'fake-iflow-key',
    note: 'team B',
    priority: 5,
    ...times,
  },
  'qwen-carol@example.com.json': {
    type: 'qwen',
    email: 'carol@example.com',
    access_token: 'fake-qwen-access',
    refresh_token: 'fake-qwen-refresh',
    ...times,
  },
  'kimi-1700000000.json': {
    type: 'kimi',
    access_token: 'fake-kimi-access',
    refresh_token: 'fake-kimi-refresh',
    ...times,
  },
  'antigravity-erin@example.com.json': {
    type: 'antigravity',
    email: 'erin@example.com',
    access_token: 'fake-ag-access',
    refresh_token: 'fake-ag-refresh',
    ...times,
  },
  'gemini-frank@example.com-proj1.json': {
    type: 'gemini',
    email: 'frank@example.com',
    project_id: 'proj1',
    token: { access_token: 'fake-g-access', refresh_token: 'fake-g-refresh', expiry: '2030-01-01T00:00:00Z' },
  },
};

const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

/** What carries over from one exchange to the next. */
export interface ReplayState {
  login: string;
  exported: string;
  original: string;
}

function bodyOf(lab: Lab, body: unknown, state: ReplayState): { payload?: string; type?: string } {
  if (body === undefined || body === null) return {};
  if (typeof body === 'object' && 'multipart' in body) return { payload: multipart(body.multipart as Part[]) };
  if (typeof body !== 'string') return { payload: filled(JSON.stringify(body), state) };
  const now = (): string => readFileSync(lab.configFile, 'utf8');
  const made: Record<string, () => string> = {
    '<the previous /usage/export response>': () => state.exported,
    '<current file with secret-key of 80 bytes>': () =>
      now().replace(/secret-key: .*/, `secret-key: "${'k'.repeat(80)}"`),
    '<current file, debug: true # edited, plus an unknown key>': () =>
      `${now().replace(/debug: .*/, 'debug: true # edited')}\nunknown-key: 1\n`,
    '<current file with secret-key: "new-key-FAKE">': () =>
      now().replace(/secret-key: .*/, 'secret-key: "new-key-FAKE"'),
    '<original file again>': () => state.original,
    '<current file with a second port: line>': () => `${now()}\nport: 1\n`,
    '<current file, request-retry: -5, unknown key>': () =>
      `${now().replace(/request-retry: .*/, 'request-retry: -5')}\nunknown-key-2: 1\n`,
  };
  return { payload: (made[body] ?? (() => filled(body, state)))() };
}

const filled = (text: string, state: ReplayState): string => text.replaceAll('<volatile>', state.login);

interface Part {
  name: string;
  filename?: string;
  data: string;
}

function multipart(parts: Part[]): string {
  const lines = parts.map(({ name, filename, data }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`;
    const text = data.replaceAll('<PEM RSA private key>', JSON.stringify(pem).slice(1, -1));
    return `--XBOUNDX\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${text}\r\n`;
  });
  return `${lines.join('')}--XBOUNDX--\r\n`;
}

export async function play(lab: Lab, recording: Recording, state: ReplayState): Promise<LightMyRequestResponse> {
  const { method, path: url, body } = recording.request;
  const headers: Record<string, string> = { host: '127.0.0.1:8080' };
  let remoteAddress = '127.0.0.1';
  for (const [name, value] of Object.entries(recording.request.headers ?? {})) {
    // The reference believed these headers; here the request comes from that address.
    if (/^x-(forwarded-for|real-ip)$/i.test(name)) remoteAddress = value.split(',')[0] as string;
    else headers[name.toLowerCase()] = value.replace('<management-key>', key);
  }
  if (/^64[012]$/.test(recording.id)) remoteAddress = '127.0.0.2';
  const made = bodyOf(lab, body, state);
  const options: InjectOptions = {
    method: method as 'GET',
    url: filled(url, state).replace('<ts>', '2026-11-22T120000').replace('<reqid>', '6845886c').replaceAll('\\', '%5C'),
    headers,
    remoteAddress,
    ...(made.payload === undefined ? {} : { payload: made.payload }),
  };
  const answer = await lab.app.inject(options);
  if (/-auth-url/.test(url) && answer.statusCode === 200)
    state.login = (answer.json() as { state?: string }).state ?? '';
  if (url.endsWith('/usage/export')) state.exported = answer.body;
  return answer;
}

const record = (lab: Lab, api: string, model: string, failed: boolean): void =>
  lab.deps.usage.record({
    api,
    model,
    at: lab.clock.now,
    latencyMs: 41,
    source: 'sk-F...up-1',
    authIndex: '2867f3f5e3bf2861',
    tokens: failed
      ? {}
      : { input_tokens: 11, output_tokens: 7, reasoning_tokens: 2, cached_tokens: 3, total_tokens: 18 },
    failed,
  });

const kimi = 'kimi-1700000000.json';

function cool(
  lab: Lab,
  status: number,
  kind: 'quota' | 'unauthorized' | 'forbidden' | 'transient',
  message: string,
): void {
  lab.clock.now += 3_600_000;
  const state = lab.router.stateOf(kimi);
  state.cooldowns.failed(
    'kimi-k2',
    new Failure({ kind, status, message }),
    lab.clock.now,
    lab.clock.now,
    lab.router.policy(),
    0,
  );
  state.lastError = { message, status, at: lab.clock.now };
}

const requestLog = '=== REQUEST INFO ===\nVersion: dev\nURL: /v1/chat/completions\nMethod: POST\n';

/** What happened outside the management API just before an exchange. */
export const before: Record<string, (lab: Lab) => void | Promise<void>> = {
  '389': (lab) => writeFileSync(path.join(lab.authDir, 'notes.txt'), 'x'),
  '445': (lab) => writeFileSync(path.join(lab.authDir, 'keep.txt'), 'x'),
  // Files that the reference had accepted without tokens.
  '449': async (lab) => {
    for (const name of ['m1', 'm2', 'm3', 'untyped', 'escape']) {
      await lab.store.save(`${name}.json`, { type: 'qwen', access_token: 'fake', disabled: false });
    }
  },
  '466': (lab) => {
    for (const name of ['alice', 'gina']) {
      lab.router.stateOf(`claude-${name}@example.com.json`).lastError = { message: 'x', status: 0, at: lab.clock.now };
    }
  },
  '471': (lab) => {
    record(lab, 'client-key-1', 'up-model-a', false);
    record(lab, 'client-key-2', 'up-model-a', false);
    record(lab, 'client-key-1', 'up-bad', true);
    record(lab, 'client-key-1', 'up-limit', true);
  },
  '484': (lab) => {
    const log = (name: string, text: string): void => writeFileSync(path.join(lab.logDir, name), text);
    log(
      'main-2026-01-01T00-00-00.000.log',
      '[2026-01-01 00:00:00] [--------] [info ] rotated line\n  continuation line\n',
    );
    log('main.log.1', '[2025-12-31 00:00:00] [--------] [info ] numbered rotation\n');
    log('main.log', '[2026-11-22 12:00:00] [--------] [info ] [app.ts:1] one\n'.repeat(40));
    for (const id of ['6845886c', '6845886d', '6845886e', '6845886f']) {
      log(`error-v1-chat-completions-2026-11-22T120000-${id}.log`, requestLog);
    }
  },
  '562': (lab) => editFile(lab, (text) => `${text}\nremote-management:\n  secret-key: "${key}"\n`),
  '563': (lab) => editFile(lab, (text) => text.replace(/remote-management:\n.*\n/, '')),
  '630': (lab) => rmSync(lab.configFile),
  '633': (lab) => writeFileSync(lab.configFile, lab.source.loaded().text),
  '657': (lab) => {
    const tokens = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
    const common = {
      api: 'client-key-1',
      model: 'kimi-k2',
      latencyMs: 1,
      authIndex: 'b75d8defde0920aa',
      failed: false,
    };
    for (let n = 0; n < 2; n++) {
      lab.deps.usage.record({ ...common, at: lab.clock.now + n, source: 'client-key-1', tokens });
    }
  },
  '659': (lab) => cool(lab, 429, 'quota', '{"error": {"message": "rate limited", "type": "rate_limit_error"}}'),
  '661': (lab) =>
    cool(lab, 401, 'unauthorized', '{"error": {"message": "token expired", "type": "authentication_error"}}'),
  '663': (lab) => cool(lab, 403, 'forbidden', '{"error": {"message": "forbidden", "type": "permission_error"}}'),
  '665': (lab) => cool(lab, 500, 'transient', '{"error": {"message": "boom"}}'),
  '668': (lab) => cool(lab, 500, 'transient', ''),
};

async function editFile(lab: Lab, change: (text: string) => string): Promise<void> {
  writeFileSync(lab.configFile, change(readFileSync(lab.configFile, 'utf8')));
  await lab.source.reload();
}
