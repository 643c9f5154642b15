import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { browserCommands, openBrowser } from '../../src/oauth/browser.ts';

const url = 'https://login.test/authorize?state=s&x=1';
const linux = { platform: 'linux', wsl: false } as const;

test('$BROWSER comes first, in its order, with the URL where it says or at the end', () => {
  assert.deepEqual(browserCommands(url, { ...linux, env: { BROWSER: 'lynx --new %s : firefox -P x:none:' } }), [
    ['lynx', '--new', url],
    ['firefox', '-P', 'x', url],
  ]);
});

test('in WSL the Windows browser is asked, because xdg-open says yes there and opens nothing', () => {
  assert.deepEqual(browserCommands(url, { platform: 'linux', wsl: true, env: {} }), [['wslview', url]]);
  assert.deepEqual(browserCommands(url, { ...linux, env: {} }), []);
});

test('the opener is given the URL and no other page; one that fails or is missing gives way to the next', {
  skip: process.platform === 'win32',
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'browser-'));
  const calls = path.join(folder, 'calls');
  const opener = (name: string, exit: number) =>
    writeFileSync(path.join(folder, name), `#!/bin/sh\necho "${name} $*" >> '${calls}'\nexit ${exit}\n`, {
      mode: 0o755,
    });
  opener('broken', 1);
  opener('working', 0);
  opener('unused', 0);
  const env = { PATH: `${folder}:/usr/bin:/bin`, BROWSER: 'missing:broken:working:unused' };
  assert.equal(await openBrowser(url, { ...linux, env }), true);
  assert.deepEqual(readFileSync(calls, 'utf8').trim().split('\n'), [`broken ${url}`, `working ${url}`]);
});

test('without an opener and without a display the answer is no', async () => {
  assert.equal(await openBrowser(url, { ...linux, env: { PATH: '/nowhere' } }), false);
});

test('what is no web address is never given to an opener', async () => {
  for (const bad of ['file:///etc/passwd', 'javascript:alert(1)', '--help', '']) {
    assert.equal(await openBrowser(bad, { ...linux, env: { PATH: '/bin', BROWSER: 'true' } }), false, bad);
  }
});
