// The heap that is packed into the executable: the same in every process that starts from it (src/cli/rehearsal.ts).
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');

/** Who may ask, because nothing comes of it. */
const harmless = new Set([
  // Times for a form of log line that is not in use, and a process id that no log line says.
  'Date.now node_modules/pino/lib/time.js',
  'process.hrtime node_modules/pino/lib/time.js',
  'process.pid node_modules/pino/pino.js',
  // Debug switches of libraries.
  'process.env.LOG_STREAM somewhere',
  'process.env.LOG_TOKENS somewhere',
  'process.env.NODE_DEBUG node_modules/semver/internal/debug.js',
  'process.env.NODE_V8_COVERAGE node_modules/thread-stream/index.js',
]);

test('nothing of chance, of the time or of the building machine is asked for before the program starts', async () => {
  const asked = await askedWhileFrozen(read('../../dist/cliproxy.cjs'));
  assert.deepEqual(
    asked.filter((line) => !harmless.has(line)),
    [],
  );
});

test('the watch sees who asks', async () => {
  const asked = await askedWhileFrozen(`
    const late = { 'src/some.ts'() { return require('node:crypto').randomBytes(1); } };
    late['src/some.ts']();
    new Date();
    process.env.HOME;
  `);
  assert.deepEqual(asked, ['crypto.randomBytes src/some.ts', 'new Date somewhere', 'process.env.HOME somewhere']);
});

test('the executable was made from a snapshot', { skip: process.platform !== 'linux' }, () => {
  assert.equal(JSON.parse(read('../../dist/sea.json')).useSnapshot, true);
});

/** What the watch told while `script` was made a snapshot, each thing once. */
async function askedWhileFrozen(script: string): Promise<string[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cliproxy-snapshot-'));
  try {
    const file = path.join(folder, 'frozen.cjs');
    writeFileSync(file, `${read('./snapshot-watch.cjs')}\n${script}`);
    const { stderr } = await run(process.execPath, [
      '--no-warnings',
      '--snapshot-blob',
      path.join(folder, 'frozen.blob'),
      '--build-snapshot',
      file,
    ]);
    return [...new Set(stderr.match(/(?<=^asked ).*$/gm))];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
