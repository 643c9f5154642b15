// What `cliproxy doctor` says about accounts, clock, permissions and logs, and its exit code.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { checkClock, checkLogFolder, checkModes } from '../../src/cli/doctor-files.ts';
import { run } from '../../src/cli/index.ts';
import type { Credential } from '../../src/credentials/credential.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'doctor-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

async function doctor(files: Record<string, string>, modes: Record<string, number> = {}) {
  mkdirSync(path.join(cwd, 'auth'));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(path.join(cwd, name), text);
    chmodSync(path.join(cwd, name), modes[name] ?? 0o600);
  }
  const out: string[] = [];
  const code = await run(['doctor', '-port', '0'], {
    env: { HOME: cwd },
    cwd,
    print: (line) => void out.push(line),
    complain: () => undefined,
  });
  return { code, out: out.join('\n') };
}

const claude = (more: Record<string, unknown>): string =>
  JSON.stringify({ type: 'claude', email: 'a@b.cd', access_token: 'canary-access-token-1', ...more });

test('an account that works is told with its provider and how long its token lasts', async () => {
  const { code, out } = await doctor({
    'auth/claude-a.json': claude({ refresh_token: 'canary-refresh-token-1', expired: '2099-01-01T00:00:00Z' }),
  });
  assert.equal(code, 0, out);
  assert.match(
    out,
    /ok {4}credentials: claude-a\.json \(claude\): active, token until 2099-01-01T.*, renewed by the server/,
  );
  assert.doesNotMatch(out, /canary/);
});

test('an account that the server refreshes is no failure, one that it cannot is, with the command to run', async () => {
  const { code, out } = await doctor({
    'auth/claude-a.json': claude({ refresh_token: 'canary-refresh-token-1', expired: '2020-01-01T00:00:00Z' }),
    'auth/claude-b.json': claude({ expired: '2020-01-01T00:00:00Z' }),
  });
  assert.equal(code, 1);
  assert.match(out, /warn {2}credentials: claude-a\.json: expired 2020-01-01T.*; the server refreshes it/);
  assert.match(out, /fail {2}credentials: claude-b\.json: [\s\S]*-claude-login/);
});

test('files with secrets that others can read are named with what to do', async () => {
  const { out } = await doctor(
    {
      'auth/claude-a.json': claude({ expired: '2099-01-01T00:00:00Z' }),
      'config.yaml': 'api-keys: [canary-key-123456]\n',
    },
    { 'auth/claude-a.json': 0o644, 'config.yaml': 0o640 },
  );
  assert.match(out, /warn {2}permissions: other users can read .*config\.yaml .*claude-a\.json/);
  assert.match(out, /-> chmod 600 .*config\.yaml .*claude-a\.json/);
  assert.doesNotMatch(out, /canary/);
});

test('a config without secrets may be read by everyone', async () => {
  const { out } = await doctor({ 'config.yaml': 'debug: true\n' }, { 'config.yaml': 0o644 });
  assert.doesNotMatch(out, /permissions/);
});

test('files that are gone meanwhile have no permissions to complain about', () => {
  assert.deepEqual(checkModes([path.join(cwd, 'missing')]), []);
});

test('a clock that is behind its own tokens is a failure', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const refreshed = (at: number): Credential => ({ lastRefreshAt: at }) as Credential;
  assert.equal(checkClock([refreshed(now - 1)], undefined, now).level, 'ok');
  assert.equal(checkClock([refreshed(now + 60_000)], undefined, now).level, 'ok');
  const { level, advice } = checkClock([refreshed(now + 3_600_000)], undefined, now);
  assert.equal(level, 'fail');
  assert.match(advice ?? '', /NTP/);
  assert.equal(checkClock([], now + 86_400_000, now).level, 'fail');
});

test('a log folder that cannot be made is a failure, unless nothing is logged to files', () => {
  const file = path.join(cwd, 'file');
  writeFileSync(file, '');
  assert.equal(checkLogFolder(path.join(cwd, 'new', 'logs'), true)[0]?.level, 'ok');
  assert.equal(checkLogFolder(path.join(file, 'logs'), true)[0]?.level, 'fail');
  assert.deepEqual(checkLogFolder(path.join(file, 'logs'), false), []);
});
