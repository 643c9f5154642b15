import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const glibc = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime;

// In a process of its own: what else runs in this one would be measured too.
const script = `
  const { returnFreePages } = await import('./src/server/free-pages.ts');
  const megabyte = 1024 * 1024;
  let pieces = Array.from({ length: 2000 }, () => Buffer.allocUnsafeSlow(60 * 1024).fill(1));
  // One in twenty lives: the heap has holes and cannot shrink from its end.
  pieces = pieces.filter((_, n) => n % 20 === 0);
  const before = process.memoryUsage.rss();
  const gone = () => (before - process.memoryUsage.rss()) / megabyte;
  // Other threads free what a collection found dead.
  for (let n = 0; n < 1000 && gone() < 50; n++) {
    if (n % 100 === 0) gc();
    returnFreePages();
    await new Promise(setImmediate);
  }
  console.log(Math.round(gone()));
`;

test('pages between what lives go back to the system', {
  skip: glibc === undefined && 'another C library',
}, async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--no-warnings', '--expose-gc', '--input-type=module', '-e', script],
    { cwd: new URL('../..', import.meta.url) },
  );
  assert.ok(Number(stdout) >= 50, `${stdout.trim()} of some 110 MB went back`);
});
