import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { openMainLog } from '../../src/observe/main-log.ts';

test('the log file is for its owner only, also where an older one was open to all', {
  skip: process.platform === 'win32',
}, () => {
  for (const before of [undefined, 0o644]) {
    const folder = path.join(mkdtempSync(path.join(tmpdir(), 'main-log-')), '.');
    const file = path.join(folder, 'main.log');
    if (before !== undefined) writeFileSync(file, 'old\n', { mode: before });
    const log = openMainLog(folder);
    log.write('a line\n');
    log.close();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(readFileSync(file, 'utf8'), /a line/);
    assert.deepEqual(readdirSync(folder), ['main.log']);
  }
});
