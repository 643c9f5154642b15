// Growing text: kept in memory while short, in a file from then on, left out when the disk cannot follow.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { requestLogName } from '../../src/observe/request-log-text.ts';
import { Spool } from '../../src/observe/spool.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'spool-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const at = (name: string): string => path.join(dir, name);
const budget = (limit = 1024 * 1024) => ({ pending: 0, limit });

test('a short text is written once, at the end', async () => {
  const spool = new Spool(at('a.tmp'), budget());
  spool.write('one ');
  spool.write(Buffer.from('two'));
  assert.deepEqual(readdirSync(dir), []);
  await spool.finish(at('a.log'));
  assert.equal(readFileSync(at('a.log'), 'utf8'), 'one two');
  assert.equal(statSync(at('a.log')).mode & 0o777, 0o600);
});

test('long texts of two spools end in one file, in order', async () => {
  const shared = budget();
  const head = new Spool(at('a.tmp'), shared);
  const tail = new Spool(at('b.tmp'), shared);
  head.write('h'.repeat(100_000));
  tail.write('t'.repeat(100_000));
  await head.append(tail);
  await head.finish(at('a.log'));
  assert.equal(readFileSync(at('a.log'), 'utf8'), 'h'.repeat(100_000) + 't'.repeat(100_000));
  assert.deepEqual(readdirSync(dir), ['a.log']);
  assert.equal(shared.pending, 0);
});

test('what the budget does not hold is left out and told', async () => {
  const spool = new Spool(at('a.tmp'), budget(100));
  spool.write('kept');
  spool.write('x'.repeat(200));
  await spool.finish(at('a.log'));
  assert.equal(readFileSync(at('a.log'), 'utf8'), 'kept\n[200 bytes left out: the disk could not follow]\n');
});

test('a folder that is gone fails at the end and leaves nothing', async () => {
  const shared = budget();
  const spool = new Spool(at('gone/a.tmp'), shared);
  spool.write('x'.repeat(100_000));
  await assert.rejects(spool.finish(at('gone/a.log')), { code: 'ENOENT' });
  assert.equal(shared.pending, 0);
});

test('names of logs cannot leave the folder', () => {
  const when = new Date(2026, 10, 22, 17, 36, 22);
  const name = (url: string) => requestLogName(url, when, '6845886c');
  assert.equal(name('/v1/chat/completions?key=x'), 'v1-chat-completions-2026-11-22T173622-6845886c.log');
  assert.equal(name('/v1beta/models/a:b|c d'), 'v1beta-models-a-b-c-d-2026-11-22T173622-6845886c.log');
  assert.equal(name('/../../etc/passwd'), 'etc-passwd-2026-11-22T173622-6845886c.log');
  assert.equal(name('/'), 'root-2026-11-22T173622-6845886c.log');
  assert.ok(name(`/${'x'.repeat(5_000)}`).length < 160);
});
