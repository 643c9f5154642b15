import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { writeAtomically } from '../../src/credentials/atomic-write.ts';
import type { AuthFolder } from '../../src/credentials/auth-folder.ts';
import { withFileLock } from '../../src/credentials/lock.ts';
import { FakeClock, Folder, good, settle } from './fakes.ts';

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.close());

const mode = (name: string) => (statSync(folder.file(name)).mode & 0o777).toString(8);
const ids = (store: AuthFolder) => store.list().map(({ id }) => id);

/** Resolves at the next change of the store that makes `check` true; no polling. */
function until(store: AuthFolder, check: () => boolean): Promise<void> {
  if (check()) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = store.onChange(() => {
      if (!check()) return;
      stop();
      resolve();
    });
  });
}

describe('reading the auth folder', () => {
  it('lists enabled and disabled credentials in id order with the common keys', async () => {
    folder.put('b.json', good('b@x', { disabled: 'TRUE', priority: '7', prefix: '/team/', note: ' n ', weight: 3 }));
    folder.put('A.JSON', good('a@x', { headers: { 'X-A': '1', 'Bad Name': 'x', 'X-B': 'a\r\nb', 'X-C': 4 } }));
    const store = await folder.open();
    assert.deepEqual(ids(store), ['A.JSON', 'b.json']);
    const b = store.get('b.json');
    assert.equal(b?.disabled, true);
    assert.equal(b?.status, 'disabled');
    assert.equal(b?.priority, 7);
    assert.equal(b?.weight, 3);
    assert.equal(b?.prefix, 'team');
    assert.equal(b?.note, 'n');
    assert.equal(b?.label, 'b@x');
    assert.match(b?.authIndex ?? '', /^[0-9a-f]{16}$/);
    assert.deepEqual(store.get('A.JSON')?.headers, { 'X-A': '1' });
  });

  it('gives one credential for each project of a file, with stable ids', async () => {
    folder.put('g.json', good('g@x', { projects: ['p one', 'p/2'] }));
    const store = await folder.open();
    assert.deepEqual(ids(store), ['g.json::p_2', 'g.json::p_one']);
    assert.notEqual(store.list()[0]?.authIndex, store.list()[1]?.authIndex);
  });

  it('never shows a secret when a credential is printed', async () => {
    folder.put('a.json', good('a@x', { access_token: 'canary-access-token-1', refresh_token: 'canary-refresh-1' }));
    const store = await folder.open();
    assert.doesNotMatch(JSON.stringify(store.list()), /access-token-1|canary-refresh-1/);
  });

  it('skips what is no credential with one line each and serves the rest', async () => {
    folder.put('good.json', good('g@x'));
    const bad: [string, unknown, RegExp][] = [
      ['empty.json', '', /empty file/],
      ['half.json', '{"type":"claude","email', /not JSON/],
      ['array.json', '[]', /not a JSON object/],
      ['null.json', 'null', /not a JSON object/],
      ['deep.json', '['.repeat(200_000), /not JSON/],
      ['notype.json', '{}', /no type/],
      ['types.json', '{"type":["claude"]}', /no type/],
      ['alien.json', '{"type":"alien"}', /unsupported type "alien"/],
      ['shape.json', good('x', { explode: true }), /bad shape/],
    ];
    for (const [name, content] of bad) folder.put(name, content);
    folder.put('huge.json', `{"type":"claude","x":"${'A'.repeat(5 << 20)}"}`);
    mkdirSync(folder.file('dir.json'));
    execFileSync('mkfifo', [folder.file('fifo.json')]);
    symlinkSync('loop.json', folder.file('loop.json'));
    symlinkSync('/nonexistent/x.json', folder.file('dangling.json'));
    symlinkSync('/etc/hostname', folder.file('outside.json'));
    folder.put('.hidden.json', '{');
    folder.put('notes.txt', 'x');
    const store = await folder.open();
    assert.deepEqual(ids(store), ['good.json']);
    const invalid = new Map(store.invalid().map((entry) => [entry.name, entry]));
    for (const [name, , reason] of bad) assert.match(invalid.get(name)?.message ?? '', reason);
    assert.equal(invalid.get('alien.json')?.status, 'unsupported');
    for (const name of ['huge', 'dir', 'fifo', 'loop', 'dangling', 'outside'])
      assert.ok(invalid.has(`${name}.json`), name);
    for (const { name } of store.invalid()) {
      assert.equal(folder.warnings.filter((line) => line.includes(` ${name} `)).length, 1, name);
    }
    folder.warnings.length = 0;
    store.rescan();
    assert.deepEqual(folder.warnings, []);
  });

  it('follows links that stay inside, as Kubernetes mounts secrets', async () => {
    mkdirSync(folder.file('..data'));
    folder.put('..data/a.json', good('a@x'));
    symlinkSync(path.join('..data', 'a.json'), folder.file('a.json'));
    assert.deepEqual(ids(await folder.open()), ['a.json']);
  });

  it('tightens loose modes and says so, unless told not to', async () => {
    folder.put('a.json', good('a@x'), 0o644);
    await folder.open({ strictPermissions: () => false });
    assert.equal(mode('a.json'), '644');
    await folder.open();
    assert.equal(mode('a.json'), '600');
    assert.equal(folder.warnings.filter((line) => line.includes('0600')).length, 1);
  });

  it('survives a file nobody may read', { skip: process.getuid?.() === 0 }, async () => {
    folder.put('a.json', good('a@x'), 0);
    const store = await folder.open();
    assert.match(store.invalid()[0]?.message ?? '', /no permission/);
    chmodSync(folder.file('a.json'), 0o600);
    store.rescan();
    assert.deepEqual(ids(store), ['a.json']);
  });

  it('makes a missing folder 0755 and never loosens one', async () => {
    const missing = folder.file('not/yet');
    await folder.open({ folder: missing });
    assert.equal((statSync(missing).mode & 0o777).toString(8), '755');
    chmodSync(folder.path, 0o700);
    await folder.open();
    assert.equal((statSync(folder.path).mode & 0o777).toString(8), '700');
  });

  it('loads ten thousand files', async () => {
    for (let n = 0; n < 10_000; n++)
      writeFileSync(folder.file(`c-${n}.json`), JSON.stringify(good(`u${n}@x`)), { mode: 0o600 });
    const store = await folder.open();
    assert.equal(store.list().length, 10_000);
  });

  it('removes temporary files and locks that killed processes left, not those of running ones', async () => {
    const old = new Date(Date.now() - 120_000);
    const dead = `a.json.tmp-${2 ** 22 + 1}-0123456789ab`;
    const alive = `a.json.tmp-${process.ppid}-0123456789ab`;
    for (const name of [dead, alive]) {
      folder.put(name, 'x');
      utimesSync(folder.file(name), old, old);
    }
    mkdirSync(folder.file('a.json.lock'));
    utimesSync(folder.file('a.json.lock'), old, old);
    mkdirSync(folder.file('b.json.lock'));
    const clock = new FakeClock();
    await folder.open({ clock });
    assert.throws(() => statSync(folder.file('a.json.lock')));
    assert.ok(statSync(folder.file('b.json.lock')));
    utimesSync(folder.file('b.json.lock'), old, old);
    await clock.advance(90_000);
    assert.throws(() => statSync(folder.file('b.json.lock')));
    assert.throws(() => statSync(folder.file(dead)));
    assert.ok(statSync(folder.file(alive)));
  });
});

describe('following changes on disk', () => {
  it('sees a new, changed and deleted file from the events of the folder, before its scan', async () => {
    const store = await folder.open({ watch: true });
    const started = performance.now();
    folder.put('a.json', good('a@x'));
    await until(store, () => store.get('a.json') !== undefined);
    folder.put('a.json.new', good('a@x', { access_token: 'second' }));
    renameSync(folder.file('a.json.new'), folder.file('a.json'));
    await until(store, () => store.get('a.json')?.token?.reveal() === 'second');
    unlinkSync(folder.file('a.json'));
    await until(store, () => store.get('a.json') === undefined);
    assert.ok(performance.now() - started < 9_000, 'found by the scan every 10 s');
  });

  it('finds changes by its scan every 10 s where no events come', async () => {
    const clock = new FakeClock();
    const store = await folder.open({ watch: true, clock });
    folder.put('a.json', good('a@x'));
    await clock.advance(10_000);
    assert.deepEqual(ids(store), ['a.json']);
    unlinkSync(folder.file('a.json'));
    await clock.advance(10_000);
    assert.deepEqual(ids(store), []);
  });

  it('says nothing when a file is touched, rewritten alike or written by itself', async () => {
    folder.put('a.json', good('a@x'));
    const store = await folder.open();
    folder.put('a.json', JSON.stringify(good('a@x'), null, 2));
    store.rescan();
    assert.deepEqual(folder.told(), []);
    await store.update('a.json', (fresh) => ({ ...fresh, note: 'n' }));
    assert.deepEqual(folder.told(), ['~a.json']);
    store.rescan();
    await settle();
    assert.deepEqual(folder.told(), []);
  });

  it('keeps the last good content of a broken file until its token ends, marked stale', async () => {
    const clock = new FakeClock();
    folder.put('a.json', good('a@x', { expired: new Date(clock.now() + 60_000).toISOString() }));
    const store = await folder.open({ clock });
    folder.put('a.json', '{"type":"cla');
    store.rescan();
    assert.equal(store.get('a.json')?.status, 'active');
    assert.match(store.get('a.json')?.statusMessage ?? '', /^stale: not JSON/);
    assert.equal(store.invalid()[0]?.name, 'a.json');
    await clock.advance(60_000);
    assert.equal(store.get('a.json'), undefined);
    folder.put('a.json', good('a@x'));
    store.rescan();
    assert.equal(store.get('a.json')?.statusMessage, undefined);
    assert.deepEqual(store.invalid(), []);
    assert.deepEqual(folder.told(), ['~a.json', '-a.json', '+a.json']);
  });

  it('goes on with another folder when the config names one', async () => {
    folder.put('a.json', good('a@x'));
    folder.put('both.json', good('old@x'));
    mkdirSync(folder.file('other'));
    folder.put('other/b.json', good('b@x'));
    folder.put('other/both.json', good('new@x'));
    const store = await folder.open({ watch: true });
    folder.told();
    store.moveTo(folder.file('other'));
    assert.deepEqual(ids(store), ['b.json', 'both.json']);
    assert.deepEqual(folder.told().sort(), ['+b.json', '-a.json', '~both.json']);
    assert.equal(store.get('both.json')?.path, folder.file('other/both.json'));
    folder.put('other/c.json', good('c@x'));
    await until(store, () => store.get('c.json') !== undefined);
    await store.save('d.json', good('d@x'));
    assert.equal(folder.json('other/d.json').email, 'd@x');
  });

  it('tells an expired token that nothing can renew', async () => {
    folder.put('a.json', { ...good('a@x'), refresh_token: '', expired: '2020-01-01T00:00:00Z' });
    const [credential] = (await folder.open()).list();
    assert.equal(credential?.status, 'expired');
    assert.match(credential?.statusMessage ?? '', /\.\/cliproxy -claude-login/);
  });

  it('holds a run-time status until the content changes', async () => {
    folder.put('a.json', good('a@x'));
    const store = await folder.open();
    store.setStatus('a.json', 'reauth_required', 'log in again');
    assert.equal(store.get('a.json')?.status, 'reauth_required');
    utimesSync(folder.file('a.json'), new Date(), new Date());
    store.rescan();
    assert.equal(store.get('a.json')?.statusMessage, 'log in again');
    folder.put('a.json', good('a@x', { refresh_token: 'new' }));
    store.rescan();
    assert.equal(store.get('a.json')?.status, 'active');
    assert.equal(store.get('a.json')?.statusMessage, undefined);
  });
});

describe('writing credentials', () => {
  it('writes one compact line, 0600 also over a looser file, type and disabled always there', async () => {
    folder.put('a.json', good('a@x'), 0o644);
    const store = await folder.open({ strictPermissions: () => false });
    await store.save('a.json', good('a@x', { access_token: 'new', zeta: { b: 1, a: [2] } }));
    assert.equal(
      folder.text('a.json'),
      '{"access_token":"new","disabled":false,"email":"a@x","expired":"2099-01-01T00:00:00Z","refresh_token":"rt-a@x","type":"claude","zeta":{"a":[2],"b":1}}',
    );
    assert.equal(mode('a.json'), '600');
    assert.deepEqual(folder.told(), ['~a.json']);
  });

  it('keeps user settings and unknown keys at a new login, and drops old tokens', async () => {
    const settings = {
      disabled: true,
      prefix: 'p',
      proxy_url: 'direct',
      priority: 3,
      note: 'mine',
      headers: { a: 'b' },
    };
    folder.put('a.json', good('a@x', { ...settings, id_token: 'old', x_custom: [1], organization: 'org' }));
    const store = await folder.open();
    const saved = await store.save('a.json', {
      type: 'claude',
      email: 'a@x',
      access_token: 'new',
      note: '',
      disabled: false,
    });
    assert.deepEqual(folder.json('a.json'), {
      ...settings,
      type: 'claude',
      email: 'a@x',
      access_token: 'new',
      x_custom: [1],
      organization: 'org',
    });
    assert.equal(saved.token?.reveal(), 'new');
  });

  it('replaces when asked to, and refuses a taken name when it must be new', async () => {
    folder.put('a.json', good('a@x', { note: 'old' }));
    const store = await folder.open();
    await assert.rejects(store.save('a.json', good('b@x'), { ifAbsent: true }), { code: 'EEXIST' });
    assert.equal(folder.json('a.json').email, 'a@x');
    await store.save('a.json', good('b@x'), { replace: true });
    assert.equal(folder.json('a.json').note, undefined);
    await store.save('new.json', good('c@x'), { ifAbsent: true });
    assert.deepEqual(ids(store), ['a.json', 'new.json']);
    assert.equal(mode('new.json'), '600');
  });

  for (const name of ['../x.json', 'a/b.json', 'a\\b.json', '.x.json', 'x.txt', '', 'a\0.json']) {
    it(`refuses the name ${JSON.stringify(name)}`, async () => {
      const store = await folder.open();
      await assert.rejects(store.save(name, good('a@x')), { name: 'CredentialNameError' });
    });
  }

  it('updates the freshest content and keeps an edit made meanwhile', async () => {
    folder.put('a.json', good('a@x'));
    const store = await folder.open();
    await store.withLock('a.json', async (fresh, write) => {
      folder.put('a.json', good('a@x', { note: 'edited meanwhile', priority: 3 }));
      await write({ ...fresh, access_token: 'refreshed' });
    });
    const { access_token, note, priority } = folder.json('a.json');
    assert.deepEqual(
      { access_token, note, priority },
      { access_token: 'refreshed', note: 'edited meanwhile', priority: 3 },
    );
  });

  it('never makes a deleted file again', async () => {
    folder.put('a.json', good('a@x'));
    const store = await folder.open();
    await store.withLock('a.json', async (fresh, write) => {
      unlinkSync(folder.file('a.json'));
      await write({ ...fresh, access_token: 'late' });
    });
    assert.throws(() => statSync(folder.file('a.json')));
    assert.equal(await store.update('a.json', (fresh) => ({ ...fresh, a: 1 })), undefined);
    assert.equal(await store.remove('a.json'), false);
    assert.deepEqual(ids(store), []);
  });

  it('takes edits, logins and deletions at once while a token exchange is under way', async () => {
    folder.put('a.json', good('a@x'));
    folder.put('b.json', good('b@x'));
    const store = await folder.open();
    let finish = () => {};
    const answered = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const exchange = (id: string) =>
      store.withLock(id, async (fresh, write) => {
        await answered;
        await write({ ...fresh, access_token: 'from exchange', refresh_token: 'rotated' });
      });
    const both = [exchange('a.json'), exchange('b.json')];
    assert.equal((await store.update('a.json', (fresh) => ({ ...fresh, note: 'n' })))?.note, 'n');
    assert.equal(await store.remove('b.json'), true);
    finish();
    await Promise.all(both);
    assert.deepEqual(ids(store), ['a.json']);
    assert.equal(store.get('a.json')?.note, 'n');
    assert.equal(store.get('a.json')?.token?.reveal(), 'from exchange');
  });

  it('runs parallel changes one after the other, none is lost', async () => {
    folder.put('a.json', good('a@x', { count: 0 }));
    const [one, two] = [await folder.open(), await folder.open()];
    const add = (store: AuthFolder) =>
      store.update('a.json', (fresh) => ({ ...fresh, count: (fresh.count as number) + 1 }));
    await Promise.all(Array.from({ length: 20 }, (_, n) => add(n % 2 ? one : two)));
    assert.equal(folder.json('a.json').count, 20);
  });

  it('removes the file and tells it', async () => {
    folder.put('a.json', good('a@x'));
    const store = await folder.open();
    assert.equal(await store.remove('a.json'), true);
    assert.deepEqual(folder.told(), ['-a.json']);
    assert.throws(() => statSync(folder.file('a.json')));
  });
});

describe('faults of the disk', () => {
  const failing = (method: 'open' | 'rename' | 'write' | 'sync', code: string) => {
    const fail = () => Promise.reject(Object.assign(new Error(code), { code }));
    return import('node:fs').then(({ promises }) => ({
      link: method === 'rename' ? fail : promises.link,
      unlink: promises.unlink,
      rename: method === 'rename' ? fail : promises.rename,
      open: (async (...args: Parameters<typeof promises.open>) => {
        if (method === 'open') return fail();
        const handle = await promises.open(...args);
        if (method === 'write') handle.writeFile = fail;
        if (method === 'sync' && String(args[0]).includes('.tmp-')) handle.sync = fail;
        return handle;
      }) as typeof promises.open,
    }));
  };
  for (const [method, code] of [
    ['open', 'EROFS'],
    ['write', 'ENOSPC'],
    ['sync', 'EIO'],
    ['rename', 'EACCES'],
  ] as const) {
    it(`${code} at ${method}: the old file is whole, the caller is told, nothing is left behind`, async () => {
      folder.put('a.json', good('a@x'));
      const before = folder.text('a.json');
      const store = await folder.open({ files: await failing(method, code) });
      await assert.rejects(
        store.update('a.json', (fresh) => ({ ...fresh, note: 'n' })),
        { code },
      );
      await assert.rejects(store.save('a.json', good('a@x')), { code });
      await assert.rejects(store.save('b.json', good('b@x'), { ifAbsent: true }), { code });
      assert.equal(folder.text('a.json'), before);
      assert.deepEqual(execFileSync('ls', ['-A', folder.path], { encoding: 'utf8' }).split('\n').filter(Boolean), [
        'a.json',
      ]);
      assert.deepEqual(folder.told(), []);
      assert.equal(store.get('a.json')?.note, undefined);
    });
  }

  it('a folder that cannot be made is one line, and a new login tells the cause', async () => {
    folder.put('file', 'x');
    const store = await folder.open({ folder: folder.file('file/auth') });
    assert.equal(folder.warnings.length, 1);
    assert.deepEqual(store.list(), []);
    await assert.rejects(store.save('a.json', good('a@x')), { code: 'ENOTDIR' });
  });

  it('falls back when the file system has no hard links', async () => {
    const { promises } = await import('node:fs');
    const link = () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    const files = { ...promises, link };
    await writeAtomically(folder.file('a.json'), '{}', { onlyNew: true, files });
    await assert.rejects(writeAtomically(folder.file('a.json'), '[]', { onlyNew: true, files }), { code: 'EEXIST' });
    assert.equal(folder.text('a.json'), '{}');
  });
});

describe('the lock of a file', () => {
  it('is taken over when its holder is dead', async () => {
    const lock = folder.file('a.json.lock');
    mkdirSync(lock);
    const long = new Date(Date.now() - 9_000);
    utimesSync(lock, long, long);
    assert.equal(await withFileLock(folder.file('a.json'), async () => 'done'), 'done');
    assert.throws(() => statSync(lock));
  });

  it('of a living holder is waited for, then given up with a clear error', async () => {
    mkdirSync(folder.file('a.json.lock'));
    await assert.rejects(
      withFileLock(folder.file('a.json'), async () => {}, { waitMs: 30 }),
      { name: 'LockError', code: 'ELOCKED' },
    );
  });

  it('says why it cannot be taken', async () => {
    await assert.rejects(
      withFileLock(folder.file('gone/a.json'), async () => {}),
      { name: 'LockError', code: 'ENOENT' },
    );
  });

  it('is released after a failure, and nothing is left', async () => {
    const file = folder.file('a.json');
    await assert.rejects(
      withFileLock(file, () => Promise.reject(new Error('work'))),
      /\bwork\b/,
    );
    assert.equal(await withFileLock(file, async () => 1), 1);
    assert.throws(() => statSync(`${file}.lock`));
  });
});
