import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import {
  callbackFilePath,
  parseCallbackFile,
  purgeCallbackFiles,
  takeCallbackFile,
  writeCallbackFile,
} from '../../src/oauth/callback-file.ts';

const folder = () => mkdtempSync(path.join(tmpdir(), 'callback-file-'));

test('a callback is written whole, 0600, in the documented form, and taken once', async () => {
  const dir = folder();
  assert.equal(await writeCallbackFile(dir, 'iflow', { state: 's-1', code: 'c' }), true);
  const file = callbackFilePath(dir, 'iflow', 's-1');
  assert.equal(path.basename(file), '.oauth-iflow-s-1.oauth');
  assert.equal(readFileSync(file, 'utf8'), '{"code":"c","state":"s-1","error":""}');
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(await takeCallbackFile(dir, 'iflow', 's-1'), { code: 'c', state: 's-1', error: '' });
  assert.equal(await takeCallbackFile(dir, 'iflow', 's-1'), undefined);
  assert.deepEqual(readdirSync(dir), []);
});

test('a missing folder is made', async () => {
  const dir = path.join(folder(), 'deep', 'er');
  assert.equal(await writeCallbackFile(dir, 'codex', { state: 's', error: 'access_denied' }), true);
  assert.equal((await takeCallbackFile(dir, 'codex', 's'))?.error, 'access_denied');
});

test('of two writers the first wins', async () => {
  const dir = folder();
  const results = await Promise.all(
    ['a', 'b', 'c'].map((code) => writeCallbackFile(dir, 'iflow', { state: 's', code })),
  );
  assert.equal(results.filter(Boolean).length, 1);
  assert.equal(readdirSync(dir).length, 1);
});

test('of two takers one gets it', async () => {
  const dir = folder();
  await writeCallbackFile(dir, 'iflow', { state: 's', code: 'c' });
  const taken = await Promise.all([1, 2, 3].map(() => takeCallbackFile(dir, 'iflow', 's')));
  assert.equal(taken.filter((found) => found !== undefined).length, 1);
});

const contents: [what: string, text: string, code: string | undefined][] = [
  ['complete', '{"code":"c","state":"s","error":""}', 'c'],
  ['without the empty members', '{"code":"c"}', 'c'],
  ['half written', '{"code":"c","sta', undefined],
  ['empty', '', undefined],
  ['no object', '"c"', undefined],
  ['null', 'null', undefined],
  ['for another state', '{"code":"c","state":"other"}', undefined],
  ['neither code nor error', '{"code":"","state":"s","error":""}', undefined],
  ['a code of the wrong type', '{"code":1,"state":"s"}', undefined],
];
for (const [what, text, code] of contents) {
  test(`a callback file that is ${what} gives ${code === undefined ? 'nothing yet' : 'its code'}`, () => {
    assert.equal(parseCallbackFile(text, 's')?.code, code);
  });
}

test('a half-written file stays until it is complete', async () => {
  const dir = folder();
  const file = callbackFilePath(dir, 'iflow', 's');
  writeFileSync(file, '{"code":"c"');
  assert.equal(await takeCallbackFile(dir, 'iflow', 's'), undefined);
  writeFileSync(file, '{"code":"c"}');
  assert.equal((await takeCallbackFile(dir, 'iflow', 's'))?.code, 'c');
});

test('a symbolic link is not followed', { skip: process.platform === 'win32' }, async () => {
  const dir = folder();
  writeFileSync(path.join(dir, 'elsewhere'), '{"code":"c"}');
  symlinkSync(path.join(dir, 'elsewhere'), callbackFilePath(dir, 'iflow', 's'));
  assert.equal(await takeCallbackFile(dir, 'iflow', 's'), undefined);
});

for (const [provider, state] of [
  ['../x', 's'],
  ['iflow', '../s'],
  ['iflow', 'a/b'],
  ['', 's'],
]) {
  test(`provider ${provider} and state ${state} name no file`, () => {
    assert.throws(() => callbackFilePath('/auth', provider as string, state as string), TypeError);
  });
}

test('leftovers go when they are old; younger ones and other files stay', async () => {
  const dir = folder();
  const now = Date.now();
  for (const name of [
    '.oauth-iflow-old.oauth',
    '.oauth-iflow-new.oauth',
    'iflow-a.json',
    '.oauth-iflow-x.oauth.tmp-1-ab',
  ]) {
    writeFileSync(path.join(dir, name), '{}');
  }
  const old = (now - 700_000) / 1_000;
  for (const name of ['.oauth-iflow-old.oauth', 'iflow-a.json', '.oauth-iflow-x.oauth.tmp-1-ab']) {
    utimesSync(path.join(dir, name), old, old);
  }
  assert.equal(await purgeCallbackFiles(dir, 600_000, now), 2);
  assert.deepEqual(readdirSync(dir).sort(), ['.oauth-iflow-new.oauth', 'iflow-a.json']);
  assert.equal(await purgeCallbackFiles(path.join(dir, 'missing'), 0, now), 0);
});
