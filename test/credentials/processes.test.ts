// What only several real processes and kill -9 can show.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, statSync, utimesSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { Folder, good } from './fakes.ts';

let folder: Folder;
const running = new Set<ChildProcess>();
beforeEach(() => {
  folder = new Folder();
});
afterEach(async () => {
  for (const child of running) await kill(child);
  await folder.close();
});

/** As plain JavaScript: what is started fifty times must start fast. */
function bundled(script: string): string {
  const outfile = folder.file(`${script}.mjs`);
  const entryPoints = [path.join(import.meta.dirname, 'children', script)];
  buildSync({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm' });
  return outfile;
}

function child(
  script: string,
  ...args: string[]
): ChildProcess & { lines: string[]; until(text: string): Promise<void> } {
  const file = path.resolve(import.meta.dirname, 'children', script);
  const started = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(started);
  started.on('exit', () => running.delete(started));
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: started.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const until = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!lines.some((line) => line.includes(text))) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return Object.assign(started, { lines, until });
}

function kill(process: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (process.exitCode !== null || process.signalCode !== null) return resolve();
    process.once('exit', () => resolve());
    process.kill('SIGKILL');
    return undefined;
  });
}

describe('kill -9 while a credential is written', () => {
  it('leaves a whole file of mode 0600, fifty times', async () => {
    const script = bundled('writer.ts');
    const lane = async (name: string) => {
      const file = folder.file(name);
      folder.put(name, { type: 'claude', end: true }, 0o644);
      for (let round = 0; round < 17; round++) {
        const writer = child(script, file);
        await writer.until('ready');
        await pause(Math.random() * 12);
        await kill(writer);
        const content = JSON.parse(readFileSync(file, 'utf8'));
        assert.equal(content.type, 'claude');
        assert.equal(content.end, true);
        if (content.n !== undefined) assert.equal(statSync(file).mode & 0o777, 0o600);
      }
    };
    await Promise.all([lane('a.json'), lane('b.json'), lane('c.json')]);
  });
});

describe('two processes on one auth folder', () => {
  /** Single-use refresh tokens; `hold` answers nothing until released. */
  const spent = new Set<string>();
  let calls: string[] = [];
  let reused = 0;
  let delayMs = 0;
  let onCall: () => void = () => {};
  const endpoint = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', async () => {
      const token = new URLSearchParams(body).get('refresh_token') ?? '';
      calls.push(token);
      onCall();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delayMs);
        response.on('close', () => {
          clearTimeout(timer);
          resolve();
        });
      });
      if (response.destroyed) return;
      if (spent.has(token)) reused += 1;
      spent.add(token);
      const expired = new Date(Date.now() + 3_600_000).toISOString();
      response.end(JSON.stringify({ access_token: `new-${token}`, refresh_token: `next-${token}`, expired }));
    });
  });
  beforeEach(() => {
    calls = [];
    reused = 0;
    onCall = () => {};
  });
  after(() => {
    endpoint.closeAllConnections();
    endpoint.close();
  });
  const url = async () => {
    if (!endpoint.listening) await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`;
  };
  const expired = (name: string) => good(name, { expired: '2020-01-01T00:00:00Z', refresh_token: `rt-${name}` });

  it('make one token call per expired file, and both use the new tokens', async () => {
    const names = ['a.json', 'b.json', 'c.json', 'd.json', 'e.json'];
    for (const name of names) folder.put(name, expired(name));
    delayMs = 100;
    const target = await url();
    const both = [child('refresher.ts', folder.path, target), child('refresher.ts', folder.path, target)];
    await Promise.all(both.flatMap((one) => names.map((name) => one.until(`${name} new-rt-${name} active`))));
    assert.deepEqual(
      calls.sort(),
      names.map((name) => `rt-${name}`),
    );
    assert.equal(reused, 0);
    for (const name of names) assert.equal(folder.json(name).refresh_token, `next-rt-${name}`);
  });

  it('the other takes over when the holder of the lock is killed', async () => {
    folder.put('k.json', expired('k.json'));
    delayMs = 60_000;
    const called = new Promise<void>((resolve) => {
      onCall = resolve;
    });
    const target = await url();
    const holder = child('refresher.ts', folder.path, target);
    await called;
    await kill(holder);
    delayMs = 0;
    // As if the eight seconds after which a lock counts as abandoned had passed.
    const long = new Date(Date.now() - 9_000);
    utimesSync(folder.file('k.json.refresh.lock'), long, long);
    const survivor = child('refresher.ts', folder.path, target);
    await survivor.until('k.json new-rt-k.json active');
    assert.equal(reused, 0);
    assert.equal(calls.length, 2);
  });
});
