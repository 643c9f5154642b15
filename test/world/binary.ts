/**
 * Runs the built `./cliproxy` as users do.
 *
 *     const proxy = await startProxy({ config: {...}, authFiles: {'a.json': {...}} });   // a server, ready to answer
 *     const run = await runCli({ args: ['-iflow-login'], answers: [[/email address:/, 'a@b.c']] });   // a login on the command line
 *     await run.until(/Visit the following URL/);
 *     assert.equal(await run.exit, 0);
 *
 * Each run has its own folder and environment; proxy variables and the real home are not inherited. Only processes
 * started here are ended, by their own handle.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { stringify } from 'yaml';

/** The program under test; `CLIPROXY_TEST_BINARY` names another build. */
export const binaryPath = resolve(process.env.CLIPROXY_TEST_BINARY ?? join(import.meta.dirname, '../../cliproxy'));

export const binaryExists = existsSync(binaryPath);

/** The same program before it is packed; runs under this Node, with an inspector. */
const bundlePath = resolve(import.meta.dirname, '../../dist/cliproxy.cjs');

/** Longest wait for output or an exit before a test fails instead of hanging, in ms. */
const patienceMs = 30_000;

export interface RunOptions {
  /** Flags after `-config`. */
  args?: readonly string[];
  /** Written as YAML; `auth-dir`, `host` and a free `port` are added when absent. Text is written as it is. */
  config?: Record<string, unknown> | string;
  /** File name → content (objects as JSON) in the auth folder. */
  authFiles?: Record<string, unknown>;
  env?: Record<string, string>;
  /** Take over the folder of an earlier run instead of a new one; it is kept at the end. */
  folder?: string;
  /** Run the bundle under Node with its inspector open, for `liveHeap`. */
  inspected?: boolean;
}

export interface CliOptions extends RunOptions {
  /** When the first pattern appears in the output, its text is typed, then the next pair waits. */
  answers?: readonly (readonly [prompt: RegExp, line: string])[];
  /** Standard input is closed at once: nobody will answer. */
  endInput?: boolean;
}

export interface Run {
  readonly folder: string;
  readonly authDir: string;
  readonly configPath: string;
  readonly pid: number;
  /** Everything printed so far, both streams in order of arrival. */
  readonly output: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; signals count as 128 + number, as in a shell. */
  readonly exit: Promise<number>;
  type(line: string): void;
  endInput(): void;
  /** The first match in the output, waiting for it. Rejects when the program ends without it. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Content of a file of the auth folder, parsed. */
  readAuthFile(name: string): Promise<Record<string, unknown>>;
  authFileNames(): Promise<string[]>;
  signal(name: NodeJS.Signals): void;
  /** Ends the program (SIGTERM, then SIGKILL) and removes the folder. Safe to call twice. */
  stop(): Promise<void>;
}

export interface RunningServer extends Run {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
}

export type { RunningServer as Proxy };

/** Starts the server and waits until `/healthz` answers. */
export async function startProxy(options: RunOptions = {}): Promise<RunningServer> {
  const configured = typeof options.config === 'object' ? options.config.port : undefined;
  const port = typeof configured === 'number' ? configured : await freePort();
  const config = typeof options.config === 'string' ? options.config : { ...options.config, port };
  const run = await start({ ...options, config, endInput: true });
  const url = `http://127.0.0.1:${port}`;
  try {
    await ready(run, url);
  } catch (error) {
    const { output } = run;
    await run.stop();
    throw new Error(`the server did not come up: ${String(error)}\n${output}`);
  }
  return Object.assign(run, { url, port });
}

/** Runs a command line program with lines typed at its prompts. */
export async function runCli(options: CliOptions = {}): Promise<Run> {
  return start(options);
}

async function start(options: CliOptions): Promise<Run> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'cliproxy-test-')));
  const authDir = join(folder, 'auth');
  const configPath = join(folder, 'config.yaml');
  await mkdir(authDir, { recursive: true });
  if (options.config !== undefined || !existsSync(configPath)) {
    await writeFile(configPath, configText(options.config ?? {}, authDir));
  }
  for (const [name, content] of Object.entries(options.authFiles ?? {})) {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(authDir, name), text, { mode: 0o600 });
  }
  const [command, ...first] = options.inspected
    ? [process.execPath, '--inspect=127.0.0.1:0', bundlePath]
    : [binaryPath];
  const child = spawn(command as string, [...first, '-config', configPath, ...(options.args ?? [])], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, TZ: 'UTC', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const run = watch(child, { folder, authDir, configPath, keep: options.folder !== undefined });
  if (options.endInput === true) run.endInput();
  void answerPrompts(run, options.answers ?? []);
  return run;
}

function configText(config: Record<string, unknown> | string, authDir: string): string {
  if (typeof config === 'string') return config;
  return stringify({ host: '127.0.0.1', 'auth-dir': authDir, ...config });
}

interface Place {
  folder: string;
  authDir: string;
  configPath: string;
  /** The folder belongs to somebody else. */
  keep: boolean;
}

function watch(child: ChildProcessByStdio<Writable, Readable, Readable>, place: Place): Run {
  const texts = { output: '', stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  const notify = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
      texts.output += text;
      notify();
    });
  }
  // A program that has ended no longer reads; that is no error of the test.
  child.stdin.on('error', () => {});
  let ended = false;
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      ended = true;
      resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : signal === 'SIGINT' ? 2 : 15));
      notify();
    });
  });

  return {
    folder: place.folder,
    authDir: place.authDir,
    configPath: place.configPath,
    pid: child.pid ?? 0,
    get output() {
      return texts.output;
    },
    get stdout() {
      return texts.stdout;
    },
    get stderr() {
      return texts.stderr;
    },
    exit,
    type: (line) => void child.stdin.write(`${line}\n`),
    endInput: () => void child.stdin.end(),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(texts.output);
          if (match !== null) finish(() => resolve(match));
          else if (ended) finish(() => reject(new Error(`ended without ${pattern}:\n${texts.output}`)));
        };
        const timer = setTimeout(
          () => finish(() => reject(new Error(`no ${pattern} in:\n${texts.output}`))),
          patienceMs,
        );
        const finish = (settle: () => void): void => {
          clearTimeout(timer);
          watchers.delete(look);
          settle();
        };
        watchers.add(look);
        look();
      }),
    readAuthFile: async (name) =>
      JSON.parse(await readFile(join(place.authDir, name), 'utf8')) as Record<string, unknown>,
    authFileNames: async () => (await readdir(place.authDir)).sort(),
    signal: (name) => void child.kill(name),
    async stop() {
      if (!ended) {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
        await exit;
        clearTimeout(timer);
      }
      if (!place.keep) await rm(place.folder, { recursive: true, force: true });
    },
  };
}

async function answerPrompts(run: Run, answers: readonly (readonly [RegExp, string])[]): Promise<void> {
  let from = 0;
  for (const [prompt, line] of answers) {
    // Only what was printed after the answer before counts, so that a repeated prompt is answered again.
    const pattern = new RegExp(`(?<=^[\\s\\S]{${from},})(?:${prompt.source})`, prompt.flags.replace('g', ''));
    try {
      const match = await run.until(pattern);
      from = match.index + match[0].length;
      run.type(line);
    } catch {
      return; // The test sees the missing prompt in its own expectations.
    }
  }
}

async function ready(run: Run, url: string): Promise<void> {
  let gone: number | undefined;
  void run.exit.then((code) => {
    gone = code;
  });
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    if (gone !== undefined) throw new Error(`exit ${gone}`);
    try {
      const response = await fetch(`${url}/healthz`);
      await response.text();
      if (response.ok) return;
    } catch {
      // not listening yet
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('no answer from /healthz');
}

/** A port nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
