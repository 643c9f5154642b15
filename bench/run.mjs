// npm run bench [-- --rounds 5] [--only request,stream,...] [--out docs/benchmarks.md]
// Measures ./cliproxy beside a direct connection and a bare node:http + undici pipe, in turns, in one run. CPU is the
// scheduler's count of the process (Linux); it is steadier than latency when the machine has other work.
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'request,stream,bodies,pairs,start,credentials,memory' },
    binary: { type: 'string', default: path.join(root, 'cliproxy') },
    out: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const parts = new Set(options.only.split(','));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cliproxy-bench-'));
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});
process.on('SIGINT', () => process.exit(130));

// --- processes: load and upstream on the first core, what is measured alone on the last ------------------------------
const pinned = process.platform === 'linux' && os.availableParallelism() > 1 && fs.existsSync('/usr/bin/taskset');
const lastCore = String(os.availableParallelism() - 1);
const onCore = (core, command) => (pinned ? ['taskset', '-c', core, ...command] : command);

function launch(core, command, env = {}) {
  const [file, ...args] = onCore(core, command);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...env } });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

async function listening(child) {
  const line = await new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdout.resume();
  return Number(String(line));
}

function end(child) {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  return gone;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** s of CPU so far, of all threads. */
function cpu(pid) {
  let nanoseconds = 0;
  try {
    for (const thread of fs.readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  } catch {
    return Number.NaN;
  }
  return nanoseconds / 1e9;
}

function megabytes(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

// --- targets ---------------------------------------------------------------------------------------------------------
const upstream = await listening(launch('0', [process.execPath, path.join(root, 'bench/upstream.mjs')]));
const url = `http://127.0.0.1:${upstream}`;

function config(port, { keys = 1, files = 0 } = {}) {
  const home = fs.mkdtempSync(path.join(folder, 'home-'));
  fs.mkdirSync(path.join(home, 'auth'));
  for (let n = 0; n < files; n++) {
    const login = { type: 'iflow', email: `user${n}@example.com`, access_token: `a${n}`, refresh_token: `r${n}` };
    const file = path.join(home, 'auth', `iflow-user${n}.json`);
    fs.writeFileSync(file, JSON.stringify({ ...login, api_key: `k${n}`, expired: '2099-01-01T00:00:00Z' }), {
      mode: 0o600,
    });
  }
  const entries = Array.from({ length: keys }, (_, n) => `      - api-key: key-${n}`).join('\n');
  const keyed = (list, alias, base) =>
    `${list}:\n  - api-key: bench-upstream\n    base-url: "${base}"\n    models: [{name: bench, alias: ${alias}}]\n`;
  fs.writeFileSync(
    path.join(home, 'config.yaml'),
    `host: 127.0.0.1\nport: ${port}\nauth-dir: "${home}/auth"\napi-keys: [bench-key]\nrequest-retry: 0\n` +
      keyed('claude-api-key', 'via-messages', url) +
      keyed('gemini-api-key', 'via-gemini', url) +
      keyed('codex-api-key', 'via-responses', `${url}/v1`) +
      `openai-compatibility:\n  - name: bench\n    base-url: "${url}/v1"\n    models: [{name: bench, alias: via-chat}]\n    api-key-entries:\n${entries}\n`,
  );
  return path.join(home, 'config.yaml');
}

/** Resolves after the first 200, with the ms that it took. */
async function startOurs(credentials) {
  const port = await freePort();
  const file = config(port, credentials);
  const began = performance.now();
  const child = launch(lastCore, [options.binary, '-config', file], { HOME: path.dirname(file) });
  child.stdout.resume();
  const body = JSON.stringify({ model: 'via-chat', messages: [{ role: 'user', content: 'hello' }] });
  for (;;) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer bench-key', 'content-type': 'application/json' },
        body,
      });
      if (answer.status === 200) break;
    } catch {
      if (child.exitCode !== null) throw new Error(`${options.binary} ended with ${child.exitCode}`);
    }
    await sleep(3);
  }
  return { name: 'cliproxy', port, child, pid: child.pid, startMs: performance.now() - began };
}

async function startBare() {
  const child = launch(lastCore, [process.execPath, path.join(root, 'bench/bare.mjs'), url]);
  return { name: 'bare pipe', port: await listening(child), child, pid: child.pid };
}

const direct = { name: 'direct', port: upstream };

// --- what is asked ---------------------------------------------------------------------------------------------------
const prompt = (directive, padded) => `${padded ? '@PAD@' : 'hello'} ${directive}`;
const clients = {
  chat: (model, text, stream) => [
    '/v1/chat/completions',
    { model, messages: [{ role: 'user', content: text }], stream },
  ],
  messages: (model, text, stream) => [
    '/v1/messages',
    { model, max_tokens: 100, messages: [{ role: 'user', content: text }], stream },
  ],
  responses: (model, text, stream) => ['/v1/responses', { model, input: text, stream }],
  gemini: (model, text, stream) => [
    `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    { contents: [{ role: 'user', parts: [{ text }] }] },
  ],
};

/** One measurement: `{ rps, p50, p99, first, cpu }`, the last in µs per request. */
async function load(
  target,
  { client = 'chat', via = 'chat', connections, requests, stream = false, directive = '', pad = 0 },
) {
  const [where, body] = clients[client](`via-${via}`, prompt(directive, pad > 0), stream);
  const spec = { port: target.port, path: where, body: JSON.stringify(body), connections, requests };
  const before = target.pid === undefined ? 0 : cpu(target.pid);
  const [file, ...args] = onCore('0', [
    process.execPath,
    path.join(root, 'bench/load.mjs'),
    JSON.stringify(spec),
    String(pad),
  ]);
  const result = await new Promise((resolve, reject) => {
    execFile(file, args, (error, out) => (error ? reject(error) : resolve(JSON.parse(out))));
  });
  if (result.errors > 0) console.error(`! ${target.name}: ${result.errors} errors: ${result.sample}`);
  const spent = target.pid === undefined ? 0 : cpu(target.pid) - before;
  return { ...result, cpu: (spent / result.done) * 1e6 };
}

const median = (values) => {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : sorted[Math.floor((sorted.length - 1) / 2)];
};

/** All targets in turns, each round in the other order. */
async function inTurns(targets, spec, times = rounds) {
  const seen = new Map(targets.map((target) => [target, []]));
  for (const target of targets) await load(target, { ...spec, requests: Math.ceil(spec.requests / 2) });
  for (let round = 0; round < times; round++)
    for (const target of round % 2 ? targets.toReversed() : targets) seen.get(target).push(await load(target, spec));
  return targets.map((target) => ({ target, of: (figure) => seen.get(target).map((result) => result[figure]) }));
}

const show = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const spread = (values, digits) =>
  `${show(median(values), digits)} (${show(Math.min(...values), digits)}–${show(Math.max(...values), digits)})`;
const lines = [];
const say = (line = '') => {
  lines.push(line);
  console.log(line);
};
const table = (title, head, rows) => {
  say(`## ${title}\n`);
  say(`| ${head.join(' | ')} |\n|${head.map(() => '---').join('|')}|`);
  for (const row of rows) say(`| ${row.join(' | ')} |`);
  say();
};

/** A row per target and case; `unit` is what CPU is divided by. */
function compare(label, measured, unit = 1) {
  const [plain] = measured;
  const bare = measured.find(({ target }) => target.name === 'bare pipe');
  return measured.map((one) => {
    const micros = one.of('cpu').map((value) => value / unit);
    const added = (figure) => show(median(one.of(figure)) - median(plain.of(figure)), 3);
    const isDirect = one.target === direct;
    return [
      label,
      one.target.name,
      show(median(one.of('rps')), 0),
      isDirect ? '–' : added('p50'),
      isDirect ? '–' : added('p99'),
      isDirect || unit === 1 ? '–' : added('first'),
      isDirect ? '–' : spread(micros, unit === 1 ? 0 : 2),
      bare === undefined || isDirect ? '–' : show(median(one.of('cpu')) / median(bare.of('cpu'))),
    ];
  });
}
const heads = [
  'case',
  'target',
  'requests/s',
  'added p50 ms',
  'added p99 ms',
  'added first token ms',
  'CPU µs',
  '÷ bare pipe',
];

// --- the run ---------------------------------------------------------------------------------------------------------
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root }).toString().trim();
say(`# Benchmarks\n`);
say(
  `Commit ${commit}, Node ${process.versions.node}, ${os.availableParallelism()} cores (${os.cpus()[0]?.model.trim()}), load average at the start ${show(os.loadavg()[0], 1)}. Medians of ${rounds} interleaved rounds (lowest–highest); CPU per request, in streams per chunk. Written by \`npm run bench -- --out docs/benchmarks.md\`.\n`,
);

const ours = await startOurs();
await sleep(1000);
const idle = megabytes(ours.pid);
const all = [direct, await startBare(), ours];
await load(all[1], { connections: 8, requests: 2000 });
await load(ours, { connections: 8, requests: 2000 });

if (parts.has('request')) {
  const rows = [];
  for (const [label, connections, requests] of [
    ['1 connection', 1, 500],
    ['32 connections', 32, 3000],
  ])
    rows.push(...compare(label, await inTurns(all, { connections, requests })));
  table('Requests', heads, rows);
}
if (parts.has('stream')) {
  const flat = { stream: true, connections: 8, requests: 96, directive: '#chunks=1000 gap=0#' };
  const paced = { stream: true, connections: 128, requests: 128, directive: '#chunks=20 gap=100#' };
  table('Streams', heads, [
    ...compare('flat out, 8 streams', await inTurns(all, flat), 1000),
    ...compare('paced, 128 streams', await inTurns(all, paced), 20),
  ]);
}
if (parts.has('bodies')) {
  const rows = [];
  for (const [label, pad, requests] of [
    ['100 KB', 100_000, 200],
    ['1 MB', 1_000_000, 40],
    ['5 MB', 5_000_000, 10],
  ])
    rows.push(...compare(label, await inTurns(all, { connections: 2, requests, pad })));
  const crossed = await inTurns([ours], { client: 'messages', connections: 2, requests: 100, pad: 100_000 });
  rows.push(...compare('100 KB, messages → chat', crossed));
  table('Request bodies', heads, rows);
}
if (parts.has('pairs')) {
  const rows = [];
  for (const client of Object.keys(clients))
    for (const via of Object.keys(clients)) {
      const one = { client, via, connections: 16, requests: 600 };
      const [whole] = await inTurns([ours], one, 3);
      const [flat] = await inTurns(
        [ours],
        { ...one, stream: true, connections: 8, requests: 32, directive: '#chunks=1000 gap=0#' },
        3,
      );
      rows.push([
        `${client} → ${via}`,
        show(median(whole.of('rps')), 0),
        spread(whole.of('cpu'), 0),
        spread(
          flat.of('cpu').map((value) => value / 1000),
          2,
        ),
      ]);
    }
  table('Protocol pairs', ['client → upstream', 'requests/s', 'CPU µs per request', 'CPU µs per chunk'], rows);
}
const after = megabytes(ours.pid);
await Promise.all([end(ours.child), end(all[1].child)]);

if (parts.has('start')) {
  const rows = [];
  for (const [label, credentials] of [
    ['10 API keys', { keys: 10 }],
    ['10,000 credential files', { files: 10_000 }],
  ]) {
    const took = [];
    for (let round = 0; round < rounds; round++) {
      const one = await startOurs(credentials);
      took.push(one.startMs);
      await end(one.child);
    }
    rows.push([label, spread(took, 0)]);
  }
  table('Start', ['with', 'ms to the first 200'], rows);
}
if (parts.has('credentials')) {
  const one = { ...(await startOurs({ keys: 1 })), name: '1 credential' };
  const many = { ...(await startOurs({ keys: 10_000 })), name: '10,000 credentials' };
  for (const target of [one, many]) await load(target, { connections: 8, requests: 2000 });
  const measured = await inTurns([one, many], { connections: 32, requests: 3000 });
  const base = median(measured[0].of('cpu'));
  const row = ({ target, of }) => [target.name, spread(of('cpu'), 0), show(median(of('cpu')) / base)];
  table('Credentials', ['with', 'CPU µs per request', '÷ 1 credential'], measured.map(row));
  await Promise.all([end(one.child), end(many.child)]);
}
if (parts.has('memory')) {
  const target = await startOurs();
  await load(target, { connections: 8, requests: 2000 });
  const before = megabytes(target.pid);
  const streams = 1000;
  let top = before;
  const watch = setInterval(() => {
    top = Math.max(top, megabytes(target.pid));
  }, 100);
  await load(target, { stream: true, connections: streams, requests: streams, directive: '#chunks=6 gap=1000#' });
  clearInterval(watch);
  await end(target.child);
  table(
    'Memory',
    ['', 'MB'],
    [
      ['idle', show(idle, 0)],
      ['after all of the above', show(after, 0)],
      [`per open stream, ${streams} open`, `${show(((top - before) * 1024) / streams, 0)} KB`],
    ],
  );
}
if (options.out !== undefined) fs.writeFileSync(path.resolve(root, options.out), `${lines.join('\n').trim()}\n`);
process.exit(0);
