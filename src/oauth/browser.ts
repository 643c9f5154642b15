// Opens one URL in the user's browser, and nothing else (auth.md R6). The URL is printed anyway, so failing is fine.
import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { release } from 'node:os';
import path from 'node:path';

export interface BrowserSurroundings {
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  /** Microsoft's kernel: Windows Subsystem for Linux. */
  wsl: boolean;
}

export function surroundings(env: NodeJS.ProcessEnv = process.env): BrowserSurroundings {
  const { platform } = process;
  return { env, platform, wsl: platform === 'linux' && /microsoft/i.test(release()) };
}

/** Resolves true once an opener took the URL, false when there is none or it refused. */
export async function openBrowser(url: string, where: BrowserSurroundings = surroundings()): Promise<boolean> {
  if (!/^https?:\/\//.test(url)) return false;
  for (const [command, ...args] of browserCommands(url, where)) {
    if (command !== undefined && (await onPath(command, where)) && (await launch(command, args, where.env)))
      return true;
  }
  if (where.platform === 'linux' && !where.wsl && !hasDisplay(where.env)) return false;
  try {
    const { default: open } = await import('open');
    const child = await open(url);
    return await leftRunning(child, 300);
  } catch {
    return false;
  }
}

/**
 * What is tried before the system's own opener: `$BROWSER` (a colon-separated list, `%s` is the URL), and in WSL
 * `wslview`, because xdg-open exits 0 there without opening anything.
 */
export function browserCommands(url: string, { env, platform, wsl }: BrowserSurroundings): string[][] {
  const commands: string[][] = [];
  if (platform !== 'win32') {
    for (const entry of (env.BROWSER ?? '').split(':')) {
      const words = entry.trim().split(/\s+/).filter(Boolean);
      if (words.length === 0 || words[0] === 'none') continue;
      const filled = words.map((word) => word.replaceAll('%s', url));
      commands.push(entry.includes('%s') ? filled : [...filled, url]);
    }
  }
  if (wsl) commands.push(['wslview', url]);
  return commands;
}

function hasDisplay(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}

async function onPath(command: string, { env, platform }: BrowserSurroundings): Promise<boolean> {
  const candidates = command.includes('/')
    ? [command]
    : (env.PATH ?? '').split(platform === 'win32' ? ';' : ':').map((folder) => path.join(folder, command));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      return true;
    } catch {
      // the next one
    }
  }
  return false;
}

function launch(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  const child = spawn(command, args, { stdio: 'ignore', detached: true, env });
  child.unref();
  return leftRunning(child, 1_000);
}

/** True when it still runs after `ms`, or has ended well by then. */
function leftRunning(child: ReturnType<typeof spawn>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(true), ms);
    const end = (ok: boolean) => {
      clearTimeout(timer);
      resolve(ok);
    };
    child.once('error', () => end(false));
    child.once('exit', (code) => end(code === 0));
  });
}
