// The configuration of a running program: edits, reloads, watching, crashes (spec/config.md §13, §14).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type Config,
  type ConfigChange,
  ConfigEditError,
  type ConfigOptions,
  matchesSecretKey,
  openConfig,
  parseConfig,
  untilConfigured,
} from '../../src/config/index.ts';
import { commented } from './commented.ts';

interface Room {
  folder: string;
  file: string;
  lines: string[];
  open(options?: ConfigOptions): ReturnType<typeof openConfig>;
}

function room(t: TestContext, text?: string): Room {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'config-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'config.yaml');
  if (text !== undefined) fs.writeFileSync(file, text, { mode: 0o640 });
  const lines: string[] = [];
  return {
    folder,
    file,
    lines,
    async open(options = {}) {
      const report = (level: string, line: string) => lines.push(`${level} ${line}`);
      const source = await openConfig({ cwd: folder, env: {}, watch: false, report, ...options });
      t.after(() => source.close());
      return source;
    },
  };
}

/** Resolves with the first snapshot that fits, driven by change events, not by time. */
function when(
  source: Awaited<ReturnType<typeof openConfig>>,
  fits: (config: Config) => boolean,
): Promise<ConfigChange | undefined> {
  if (fits(source.current())) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const stop = source.onChange((change) => {
      if (!fits(change.after)) return;
      stop();
      resolve(change);
    });
  });
}

const failing = (code: string) => ({
  rename: async () => {
    throw Object.assign(new Error(code), { code });
  },
});

describe('opening', () => {
  test('without a file means defaults; a named one must be there', async (t) => {
    const { open, folder } = room(t);
    assert.equal((await open()).current().port, 8080);
    await assert.rejects(open({ flags: { config: 'other.yaml' } }), {
      message: `config: ${folder}/other.yaml:1: no such file`,
    });
    await assert.rejects(open({ env: { CLIPROXY_CONFIG: folder } }), {
      message: `config: ${folder}:1: is a folder, not a file`,
    });
  });
  test('a broken file is refused with its line', async (t) => {
    const { open, file } = room(t, 'debug: true\nport: many\n');
    await assert.rejects(open(), { name: 'ConfigError', message: `config: ${file}:2: port: must be a whole number` });
  });
  test('replaces a plain management key by its hash, that scalar alone', async (t) => {
    const text = '# a\nremote-management:\n  secret-key: "my key" # b\n';
    const { open, file } = room(t, text);
    const source = await open();
    const hash = source.current()['remote-management']['secret-key'];
    assert.match(hash, /^\$2a\$10\$/);
    assert.equal(fs.readFileSync(file, 'utf8'), text.replace('my key', hash));
    assert.ok(await matchesSecretKey('my key', hash));
    assert.ok(!(await matchesSecretKey('other', hash)));
  });
  test('keeps the hash in memory when the file cannot be written', async (t) => {
    const text = 'remote-management: {secret-key: k}\n';
    const { open, file, lines } = room(t, text);
    const source = await open({ calls: failing('ENOSPC') });
    assert.match(source.current()['remote-management']['secret-key'], /^\$2a\$/);
    assert.equal(fs.readFileSync(file, 'utf8'), text);
    assert.match(lines.join(), /could not be replaced by its hash: ENOSPC/);
    assert.doesNotMatch(lines.join(), /secret-key: k/);
  });
  test('tells unknown keys and an open door', async (t) => {
    const { open, file, lines } = room(t, 'prt: 1\nhost: 0.0.0.0\n');
    await open();
    assert.equal(lines[0], `warn config: ${file}:1: prt: unknown key, ignored; did you mean \`port\`?`);
    assert.match(lines[1] ?? '', /WARNING/);
  });
});

describe('an edit', () => {
  test('is applied when it resolves, listeners included', async (t) => {
    const { open, file } = room(t, commented);
    const source = await open();
    const seen: string[] = [];
    source.onChange(async (change) => {
      await turn();
      seen.push(...change.changedKeys);
    });
    const result = await source.edit((draft) => draft.set(['api-keys'], [...draft.config['api-keys'], 'new']));
    assert.deepEqual(source.current()['api-keys'].at(-1), 'new');
    assert.deepEqual(seen, ['api-keys']);
    assert.deepEqual(result.changedKeys, ['api-keys']);
    assert.equal(result.revision, source.loaded().revision);
    assert.equal(fs.readFileSync(file, 'utf8'), result.text);
  });
  test('keeps the mode of the file; a new one is 0600', async (t) => {
    const { open, file } = room(t, commented);
    await (await open()).edit((draft) => draft.set(['debug'], true));
    assert.equal(fs.statSync(file).mode & 0o777, 0o640);
    const fresh = room(t);
    await (await fresh.open()).edit((draft) => draft.set(['debug'], true));
    assert.equal(fs.statSync(fresh.file).mode & 0o777, 0o600);
    assert.equal(fs.readFileSync(fresh.file, 'utf8'), 'debug: true\n');
  });
  test('leaves nothing behind in the folder', async (t) => {
    const { open, folder } = room(t, commented);
    await (await open()).edit((draft) => draft.set(['debug'], true));
    assert.deepEqual(fs.readdirSync(folder), ['config.yaml']);
  });
  test('of a linked file writes the target and keeps the link', async (t) => {
    const { open, folder, file } = room(t);
    fs.mkdirSync(path.join(folder, 'real'));
    fs.writeFileSync(path.join(folder, 'real', 'c.yaml'), 'debug: false\n');
    fs.symlinkSync('real/c.yaml', file);
    await (await open()).edit((draft) => draft.set(['debug'], true));
    assert.ok(fs.lstatSync(file).isSymbolicLink());
    assert.equal(fs.readFileSync(path.join(folder, 'real', 'c.yaml'), 'utf8'), 'debug: true\n');
  });
  for (const code of ['EBUSY', 'EXDEV', 'EPERM']) {
    test(`writes in place when a rename fails with ${code}`, async (t) => {
      const { open, file, folder } = room(t, commented);
      const { ino } = fs.statSync(file);
      await (await open({ calls: failing(code) })).edit((draft) => draft.set(['api-keys'], ['x']));
      assert.deepEqual(parseConfig(fs.readFileSync(file, 'utf8')).config['api-keys'], ['x']);
      assert.equal(fs.statSync(file).ino, ino);
      assert.deepEqual(fs.readdirSync(folder), ['config.yaml']);
    });
  }
  test('that cannot be written changes nothing', async (t) => {
    const { open, file, folder } = room(t, commented);
    const source = await open({ calls: failing('ENOSPC') });
    await assert.rejects(
      source.edit((draft) => draft.set(['debug'], true)),
      { code: 'ENOSPC' },
    );
    assert.equal(source.current().debug, false);
    assert.equal(fs.readFileSync(file, 'utf8'), commented);
    assert.deepEqual(fs.readdirSync(folder), ['config.yaml']);
  });
  test('that would not load changes nothing', async (t) => {
    const { open, file } = room(t, commented);
    const source = await open();
    await assert.rejects(
      source.edit((draft) => draft.set(['debug'], true).set(['port'], 70_000)),
      { name: 'ConfigError' },
    );
    await assert.rejects(
      source.edit((draft) => draft.replaceText('port: [')),
      { name: 'ConfigError' },
    );
    assert.equal(fs.readFileSync(file, 'utf8'), commented);
    assert.equal(source.current().debug, false);
  });
  test('builds on what an editor saved in between', async (t) => {
    const { open, file } = room(t, 'debug: false\n');
    const source = await open();
    fs.writeFileSync(file, '# by hand\ndebug: false\nport: 9\n');
    await source.edit((draft) => draft.set(['debug'], true));
    assert.equal(fs.readFileSync(file, 'utf8'), '# by hand\ndebug: true\nport: 9\n');
    assert.equal(source.current().port, 9);
  });
  test('is made again when the file changed while it was made', async (t) => {
    const { open, file } = room(t, 'debug: false\n');
    const source = await open();
    let runs = 0;
    await source.edit((draft) => {
      if (runs++ === 0) fs.writeFileSync(file, 'debug: false\nport: 9\n');
      draft.set(['debug'], true);
    });
    assert.equal(runs, 2);
    assert.equal(fs.readFileSync(file, 'utf8'), 'debug: true\nport: 9\n');
  });
  test('for an older revision is refused', async (t) => {
    const { open, file } = room(t, commented);
    const source = await open();
    const { revision } = source.loaded();
    await source.edit((draft) => draft.set(['debug'], true), { ifMatch: revision });
    const text = fs.readFileSync(file, 'utf8');
    await assert.rejects(
      source.edit((draft) => draft.set(['debug'], false), { ifMatch: revision }),
      { code: 'stale' },
    );
    assert.equal(fs.readFileSync(file, 'utf8'), text);
  });
  test('tried dry says what would happen', async (t) => {
    const { open, file } = room(t, commented);
    const source = await open();
    const result = await source.edit((draft) => draft.replaceText('port: 9\nrouting-typo: 1\napi-keys: [a]\n'), {
      dryRun: true,
    });
    assert.ok(result.changedKeys.includes('port'));
    assert.deepEqual(result.restartRequired, ['host', 'port']);
    assert.deepEqual(
      result.warnings.map(({ line, column, path: key }) => [line, column, key]),
      [[2, 1, 'routing-typo']],
    );
    assert.equal(fs.readFileSync(file, 'utf8'), commented);
    assert.equal(source.current().port, 8317);
  });
  test('hashes a plain management key on the way', async (t) => {
    const { open, file } = room(t, commented);
    const source = await open();
    await source.edit((draft) => draft.replaceText('remote-management:\n  secret-key: plain # mine\n'));
    assert.match(fs.readFileSync(file, 'utf8'), /^remote-management:\n {2}secret-key: "?\$2a\$10\$\S+ # mine\n$/);
  });
  test('repairs a file that was broken by hand only as a whole', async (t) => {
    const { open, file } = room(t, commented);
    const source = await open();
    fs.writeFileSync(file, 'port: [\n');
    await assert.rejects(
      source.edit((draft) => draft.set(['debug'], true)),
      { name: 'ConfigError' },
    );
    await source.edit((draft) => draft.replaceText(commented));
    assert.equal(fs.readFileSync(file, 'utf8'), commented);
  });
  test('does not make a new file of one key where the old file is gone', async (t) => {
    const { open, file } = room(t, commented);
    const source = await open();
    fs.rmSync(file);
    await assert.rejects(
      source.edit((draft) => draft.set(['debug'], true)),
      { message: /no such file/ },
    );
    assert.ok(!fs.existsSync(file));
    await source.edit((draft) => draft.replaceText(commented));
    assert.equal(fs.readFileSync(file, 'utf8'), commented);
  });
  test('never writes what flags and environment say', async (t) => {
    const { open, file } = room(t, 'auth-dir: "~/au" # mine\ndebug: false\n');
    const source = await open({ flags: { authDir: 'x', port: 5 }, env: { CLIPROXY_HOST: '127.0.0.1' } });
    await source.edit((draft) => draft.set(['debug'], true));
    assert.equal(fs.readFileSync(file, 'utf8'), 'auth-dir: "~/au" # mine\ndebug: true\n');
    assert.equal(source.settings.authDir, path.join(path.dirname(file), 'x'));
  });
  test('of many at once loses none, also across two programs', async (t) => {
    const { open, file } = room(t, commented);
    const sources = [await open(), await open()];
    const names = Array.from({ length: 12 }, (_, index) => `host-${index}`);
    await Promise.all(
      names.map((name, index) =>
        sources[index % 2]?.edit((draft) =>
          draft.set(['management-allowed-hosts'], [...draft.config['management-allowed-hosts'], name]),
        ),
      ),
    );
    assert.deepEqual(
      [...parseConfig(fs.readFileSync(file, 'utf8')).config['management-allowed-hosts']].sort(),
      names.sort(),
    );
  });
});

describe('a reload', () => {
  test('reports what changed and what waits for a restart', async (t) => {
    const { open, file } = room(t, 'port: 1\ndebug: false\nauth-dir: a\n');
    const source = await open();
    fs.writeFileSync(file, 'port: 2\ndebug: true\nauth-dir: b\nrouting: {strategy: ff}\n');
    const change = await source.reload();
    assert.deepEqual([...(change?.changedKeys ?? [])].sort(), ['auth-dir', 'debug', 'port', 'routing.strategy']);
    assert.deepEqual(change?.restartRequired, ['port']);
    assert.equal(change?.before.debug, false);
    assert.equal(source.settings.port, 1);
    assert.equal(source.settings.authDir, path.join(path.dirname(file), 'b'));
    fs.writeFileSync(file, 'port: 1\n');
    await source.reload();
    assert.deepEqual(source.restartRequired, []);
  });
  test('does not ask for a restart for a port that a flag gives', async (t) => {
    const { open, file } = room(t, 'port: 1\n');
    const source = await open({ flags: { port: 7 } });
    fs.writeFileSync(file, 'port: 2\n');
    assert.deepEqual((await source.reload())?.restartRequired, []);
  });
  test('of a broken, empty or vanished file keeps the last good one and says so once', async (t) => {
    const { open, file, lines } = room(t, 'debug: true\n');
    const source = await open();
    fs.writeFileSync(file, 'debug: [');
    await assert.rejects(source.reload(), { name: 'ConfigError' });
    await assert.rejects(source.reload(), { name: 'ConfigError' });
    for (const nothing of ['', '# later\n', 'null\n', '---\n']) {
      fs.writeFileSync(file, nothing);
      assert.equal(await source.reload(), undefined, nothing);
    }
    fs.rmSync(file);
    assert.equal(await source.reload(), undefined);
    assert.equal(source.current().debug, true);
    assert.equal(lines.length, 3);
    fs.writeFileSync(file, 'debug: false\n');
    assert.deepEqual((await source.reload())?.changedKeys, ['debug']);
  });
  test('of an unchanged file is silent', async (t) => {
    const { open } = room(t, commented);
    assert.equal(await (await open()).reload(), undefined);
  });
});

describe('vanished api-keys', () => {
  test('on an open address: the old keys stay, an error is told, edits are refused', async (t) => {
    const { open, file, lines } = room(t, 'api-keys: [k]\n');
    const source = await open();
    fs.writeFileSync(file, 'debug: true\n');
    await source.reload();
    assert.deepEqual([source.current()['api-keys'], source.current().debug], [['k'], true]);
    assert.match(lines.join(), /error config: `api-keys` is empty now/);
    await assert.rejects(
      source.edit((draft) => draft.set(['debug'], false)),
      (error) => error instanceof ConfigEditError && error.code === 'would_open',
    );
    fs.writeFileSync(file, 'allow-unauthenticated: true\n');
    await source.reload();
    assert.deepEqual(source.current()['api-keys'], []);
  });
  test('go when the user insists', async (t) => {
    const { open } = room(t, 'api-keys: [k]\n');
    const source = await open();
    await source.edit((draft) => draft.set(['api-keys'], []), { mayOpen: true });
    assert.deepEqual(source.current()['api-keys'], []);
    await source.edit((draft) => draft.set(['debug'], true));
    assert.equal(source.current().debug, true);
  });
  test('on loopback they are gone', async (t) => {
    const { open, file } = room(t, 'host: 127.0.0.1\napi-keys: [k]\n');
    const source = await open();
    fs.writeFileSync(file, 'host: 127.0.0.1\n');
    await source.reload();
    assert.deepEqual(source.current()['api-keys'], []);
  });
});

describe('watching', { timeout: 20_000 }, () => {
  const watch = { debounce: 10, poll: 0 };
  const retry = (value: number) => `request-retry: ${value}\n`;
  const becomes = (value: number) => (config: Config) => config['request-retry'] === value;

  test('sees writes in place', async (t) => {
    const { open, file } = room(t, retry(0));
    const source = await open({ watch });
    for (const value of [1, 2, 3]) {
      const seen = when(source, becomes(value));
      fs.writeFileSync(file, retry(value));
      await seen;
    }
  });
  test('sees replacement by rename, three times in a row, and a write in place after it', async (t) => {
    const { open, file } = room(t, retry(0));
    const source = await open({ watch });
    for (const value of [1, 2, 3]) {
      const seen = when(source, becomes(value));
      fs.writeFileSync(`${file}.new`, retry(value));
      fs.renameSync(`${file}.new`, file);
      await seen;
    }
    const seen = when(source, becomes(4));
    fs.writeFileSync(file, retry(4));
    await seen;
  });
  test('sees a swapped folder link, as Kubernetes mounts files', async (t) => {
    const { open, file, folder } = room(t);
    const put = (value: number) => {
      fs.mkdirSync(path.join(folder, `..v${value}`));
      fs.writeFileSync(path.join(folder, `..v${value}`, 'config.yaml'), retry(value));
      fs.symlinkSync(`..v${value}`, path.join(folder, '..new'));
      fs.renameSync(path.join(folder, '..new'), path.join(folder, '..data'));
    };
    put(0);
    fs.symlinkSync('..data/config.yaml', file);
    const source = await open({ watch });
    for (const value of [1, 2]) {
      const seen = when(source, becomes(value));
      put(value);
      await seen;
    }
  });
  test('sees a file deleted and made again, and one that was not there', async (t) => {
    const { open, file } = room(t);
    const source = await open({ watch });
    for (const value of [1, 2]) {
      const seen = when(source, becomes(value));
      fs.rmSync(file, { force: true });
      fs.writeFileSync(file, retry(value));
      await seen;
    }
  });
  test('survives a broken file in between', async (t) => {
    const { open, file } = room(t, retry(0));
    const source = await open({ watch });
    fs.writeFileSync(file, 'request-retry: [');
    const seen = when(source, becomes(5));
    fs.writeFileSync(file, retry(5));
    await seen;
  });
  test('finds changes by polling where no events come', async (t) => {
    const { open, file } = room(t, retry(0));
    const source = await open({ watch: { debounce: 60_000, poll: 10 } });
    const seen = when(source, becomes(1));
    fs.writeFileSync(file, retry(1));
    await seen;
  });
  test('stands by until a valid file is there', async (t) => {
    const { folder, file } = room(t);
    const { signal } = new AbortController();
    const ready = untilConfigured({ cwd: folder, env: {}, watch, signal });
    fs.writeFileSync(file, 'port: [');
    fs.writeFileSync(`${file}.new`, 'port: 1\n');
    fs.renameSync(`${file}.new`, file);
    await ready;
  });
});

test('killed in the middle of writes, the file always parses', { timeout: 30_000 }, async (t) => {
  const { file, folder } = room(t, commented);
  const module = new URL('../../src/config/index.ts', import.meta.url).href;
  const script = `
    const { openConfig } = await import(${JSON.stringify(module)});
    const source = await openConfig({ cwd: ${JSON.stringify(folder)}, env: {}, watch: false });
    process.stdout.write('ready');
    for (let n = 1; ; n++) await source.edit((draft) => draft.set(['request-retry'], n).set(['api-keys'], ['a'.repeat(n % 999), 'b']));
  `;
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const first = fs.statSync(file).ino;
    while (fs.statSync(file, { throwIfNoEntry: false })?.ino === first) await turn();
    child.kill('SIGKILL');
    await once(child, 'exit');
    fs.rmSync(`${file}.lock`, { recursive: true, force: true });
    const { config } = parseConfig(fs.readFileSync(file, 'utf8'));
    assert.ok(config['request-retry'] > 0);
    assert.match(fs.readFileSync(file, 'utf8'), /# last words\n/);
  }
});
