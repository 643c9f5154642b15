import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type AuditEntry, createAuditLog } from '../../src/observe/audit.ts';

const entry = (n: number): AuditEntry => ({
  time: new Date(n).toISOString(),
  address: '127.0.0.1',
  key: '0123abcd',
  method: 'PUT',
  path: '/v0/management/debug',
  changed: ['debug'],
  status: 200,
  result: 'ok',
  request_id: `r${n}`,
});

test('without a log folder the newest entries are kept in memory and no folder is made; with one all go to the file', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'audit-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = path.join(dir, 'logs', 'audit.log');
  const audit = createAuditLog(file, { mayCreate: () => false });
  for (let n = 1; n <= 1500; n++) audit.write(entry(n));
  assert.deepEqual(
    (await audit.read({ limit: 2 })).map(({ request_id }) => request_id),
    ['r1499', 'r1500'],
  );
  assert.equal((await audit.read({ limit: 5000 })).length, 1000);
  assert.ok(!existsSync(path.dirname(file)));
  mkdirSync(path.dirname(file));
  audit.write(entry(1501));
  await audit.flush();
  assert.equal(readFileSync(file, 'utf8').trim().split('\n').length, 1001);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal((await audit.read({ limit: 5000 })).length, 1001);
});

test('with leave to make the folder it is made for the first entry', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'audit-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const audit = createAuditLog(path.join(dir, 'logs', 'audit.log'));
  audit.write(entry(1));
  await audit.flush();
  assert.equal((await audit.read({ limit: 9 })).length, 1);
});
