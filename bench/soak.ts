// Soak: a fixed rate of requests over many credentials while the upstream misbehaves at random. Ends with the figures
// that matter: client-visible errors (each could have been answered by a healthy credential), memory, exact counters.
//   npm run soak -- [minutes=10] [requests per second=100] [fault share=0.05] [credentials=20]
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const [minutes = 10, rate = 100, faults = 0.05, credentials = 20] = process.argv.slice(2).map(Number);
const total = Math.round(minutes * 60 * rate);

const seen = { calls: 0, faults: 0, byKey: new Map<string, number>() };
type Fault = (request: http.IncomingMessage, response: http.ServerResponse) => void;
const json = (response: http.ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
};
/**
 * What goes wrong for a moment, before the first byte of an answer, so that another credential can always help. A refused
 * key is not among it: it rests for half an hour by design.
 */
const faultList: Fault[] = [
  (_, response) => json(response, 500, { error: { message: 'internal' } }),
  (_, response) => json(response, 503, { error: { message: 'overloaded' } }),
  (_, response) => json(response, 429, { error: { message: 'slow down' } }, { 'retry-after': '2' }),
  (request) => request.socket.resetAndDestroy(),
  (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(),
  (_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html><title>Bad gateway</title></html>'),
];

const upstream = http.createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    seen.calls++;
    const key = request.headers.authorization ?? '';
    seen.byKey.set(key, (seen.byKey.get(key) ?? 0) + 1);
    if (Math.random() < faults) {
      seen.faults++;
      faultList[Math.floor(Math.random() * faultList.length)]?.(request, response);
      return;
    }
    const { stream } = JSON.parse(Buffer.concat(parts).toString()) as { stream?: boolean };
    const common = { id: 'c', created: 1, model: 'soak' };
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    if (!stream) {
      json(response, 200, {
        ...common,
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: 'well' }, finish_reason: 'stop' }],
        usage,
      });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (delta: object, finish: string | null): void => {
      response.write(
        `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
      );
    };
    send({ role: 'assistant', content: 'w' }, null);
    send({ content: 'ell' }, null);
    send({}, 'stop');
    response.end(
      `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: [], usage })}\n\ndata: [DONE]\n\n`,
    );
  });
});
await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));

const folder = mkdtempSync(path.join(tmpdir(), 'cliproxy-soak-'));
const entries = Array.from({ length: credentials }, (_, i) => `      - api-key: "soak-${i}"`).join('\n');
writeFileSync(
  path.join(folder, 'config.yaml'),
  `host: "127.0.0.1"\nport: 0\nauth-dir: "${folder}/auth"\napi-keys: ["soak-client"]\nusage-statistics-enabled: true
request-retry: 2\nmax-retry-interval: 5\nremote-management:\n  secret-key: "soak-management"
openai-compatibility:\n  - name: "soak"\n    base-url: "http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1"\n    api-key-entries:\n${entries}\n    models: [{ name: "soak", alias: "soak" }]\n`,
);
const proxy = spawn('./cliproxy', ['-config', path.join(folder, 'config.yaml')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise<string>((resolve) => {
  proxy.stdout.on('data', (data: Buffer) => {
    const found = /listening on (http:\/\/[\d.:]+)/.exec(data.toString());
    if (found?.[1]) resolve(found[1]);
  });
});

const rssMb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${proxy.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
const agent = new http.Agent({ keepAlive: true, maxSockets: 512 });
let reconnected = 0;
const outcome = { ok: 0, errors: new Map<string, number>() };
const fail = (why: string): void => void outcome.errors.set(why, (outcome.errors.get(why) ?? 0) + 1);

function ask(i: number): Promise<void> {
  const stream = i % 2 === 0;
  const body = JSON.stringify({ model: 'soak', stream, messages: [{ role: 'user', content: `request ${i}` }] });
  return new Promise((resolve) => {
    const request = http.request(
      `${url}/v1/chat/completions`,
      {
        agent,
        method: 'POST',
        headers: {
          authorization: 'Bearer soak-client',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('end', () => {
          const complete = stream
            ? text.endsWith('data: [DONE]\n\n') && !text.includes('"error"')
            : text.includes('"well"');
          if (response.statusCode === 200 && complete) outcome.ok++;
          else fail(`${response.statusCode} ${text.slice(0, 120)}`);
          resolve();
        });
      },
    );
    request.on('error', (error: NodeJS.ErrnoException) => {
      // An idle connection may be closed just when it is used again: every HTTP client sends such a request once more.
      if (error.code === 'ECONNRESET' && request.reusedSocket) {
        reconnected++;
        resolve(ask(i));
        return;
      }
      fail(`${error.code ?? error.message}`);
      resolve();
    });
    request.end(body);
  });
}

const memory: number[] = [];
const started = Date.now();
let sent = 0;
const running = new Set<Promise<void>>();
while (sent < total) {
  const due = Math.min(total, Math.floor(((Date.now() - started) / 1000) * rate));
  for (; sent < due; sent++) {
    const one = ask(sent).finally(() => running.delete(one));
    running.add(one);
  }
  if (memory.length < (Date.now() - started) / 30_000) memory.push(Math.round(rssMb()));
  await new Promise((resolve) => setTimeout(resolve, 10));
}
await Promise.all(running);
memory.push(Math.round(rssMb()));

const usage = (await (
  await fetch(`${url}/v0/management/usage`, { headers: { authorization: 'Bearer soak-management' } })
).json()) as { usage: { total_requests: number; failure_count: number; success_count: number } };
proxy.kill('SIGTERM');
await new Promise((resolve) => proxy.once('exit', resolve));
upstream.close();
upstream.closeAllConnections();
agent.destroy();
rmSync(folder, { recursive: true, force: true });

const shares = [...seen.byKey.values()];
console.log(`idle connections closed under a request, sent again: ${reconnected}`);
console.log(`requests ${total}, answered ${outcome.ok}, client-visible errors ${total - outcome.ok}`);
for (const [why, count] of outcome.errors) console.log(`  ${count} x ${why}`);
console.log(
  `upstream calls ${seen.calls}, faults ${seen.faults}; per credential ${Math.min(...shares)}–${Math.max(...shares)}`,
);
console.log(
  `counters: ${usage.usage.total_requests} attempts, ${usage.usage.success_count} ok, ${usage.usage.failure_count} failed`,
);
console.log(
  `counters exact: ${usage.usage.success_count === outcome.ok && usage.usage.total_requests === outcome.ok + usage.usage.failure_count}`,
);
console.log(`memory MB every 30 s: ${memory.join(' ')}`);
process.exit(outcome.ok === total ? 0 : 1);
