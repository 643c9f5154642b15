import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { migrateFolder } from '../../src/credentials/seal-folder.ts';
import { createSealer, sealerFromEnvironment } from '../../src/credentials/sealing.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { Secret } from '../../src/secret.ts';
import { Folder, good } from './fakes.ts';

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.close());

const key = randomBytes(32).toString('hex');
const sealer = createSealer(new Secret(key));

describe('sealed credential files', () => {
  it('show their type and nothing else, and are read, updated and refreshed like others', async () => {
    const store = await folder.open({ sealer });
    await store.save('a.json', good('someone@example.com', { note: 'private note' }));
    assert.doesNotMatch(folder.text('a.json'), /someone|at-|rt-|private/);
    assert.deepEqual(Object.keys(folder.json('a.json')).sort(), ['disabled', 'sealed', 'type']);
    assert.equal(folder.json('a.json').type, 'claude');
    assert.equal(store.get('a.json')?.token?.reveal(), 'at-someone@example.com');
    await store.update('a.json', (fresh) => ({ ...fresh, disabled: true }));
    const again = await folder.open({ sealer });
    assert.equal(again.get('a.json')?.status, 'disabled');
    assert.equal(again.get('a.json')?.note, 'private note');
    assert.equal(statSync(folder.file('a.json')).mode & 0o777, 0o600);
  });

  it('say what is missing without the key, and what is wrong with another one', async () => {
    await (await folder.open({ sealer })).save('a.json', good('a@x'));
    assert.match((await folder.open()).invalid()[0]?.message ?? '', /set CLIPROXY_MASTER_KEY/);
    const other = createSealer(new Secret(randomBytes(32).toString('base64')));
    assert.match((await folder.open({ sealer: other })).invalid()[0]?.message ?? '', /another key, or damaged/);
  });

  it('notice every change: of the data, the tag and the type', () => {
    const sealed = sealer.seal(good('a@x'));
    const inner = sealed.sealed as JsonObject;
    const flip = (text: unknown) => `${String(text).startsWith('A') ? 'B' : 'A'}${String(text).slice(1)}`;
    for (const changed of [
      { ...sealed, type: 'codex' },
      { ...sealed, sealed: { ...inner, data: flip(inner.data) } },
      { ...sealed, sealed: { ...inner, tag: flip(inner.tag) } },
      { ...sealed, sealed: { ...inner, tag: String(inner.tag).slice(0, 6) } },
      { ...sealed, sealed: { ...inner, iv: flip(inner.iv) } },
      { ...sealed, sealed: { ...inner, alg: 'none' } },
      { ...sealed, sealed: {} },
    ]) {
      assert.throws(() => sealer.unseal(changed), { name: 'SealError' });
    }
  });

  it('never use an iv twice', () => {
    const ivs = new Set(Array.from({ length: 200 }, () => (sealer.seal(good('a')).sealed as JsonObject).iv));
    assert.equal(ivs.size, 200);
  });
});

describe('the master key', () => {
  it('comes from the environment or a key file, random or a passphrase', () => {
    assert.equal(sealerFromEnvironment({}), undefined);
    folder.put('key', `${key}\n`);
    const fromFile = sealerFromEnvironment({ CLIPROXY_MASTER_KEY_FILE: folder.file('key') });
    assert.deepEqual(fromFile?.unseal(sealer.seal(good('a'))), { disabled: false, ...good('a') });
    const one = sealerFromEnvironment({ CLIPROXY_MASTER_KEY: 'correct horse battery staple' });
    const two = sealerFromEnvironment({ CLIPROXY_MASTER_KEY: 'correct horse battery staple' });
    const sealed = one?.seal(good('a')) as JsonObject;
    assert.deepEqual(two?.unseal(sealed), { disabled: false, ...good('a') });
  });
  it('must be readable and long enough; errors do not repeat it', () => {
    assert.throws(() => sealerFromEnvironment({ CLIPROXY_MASTER_KEY: 'tooshort' }), /at least 16 characters$/);
    assert.throws(
      () => sealerFromEnvironment({ CLIPROXY_MASTER_KEY_FILE: folder.file('none') }),
      /cannot be read.*ENOENT/,
    );
    folder.put('empty', '\n');
    assert.throws(() => sealerFromEnvironment({ CLIPROXY_MASTER_KEY_FILE: folder.file('empty') }), /is empty/);
  });
});

describe('migration of a folder', () => {
  it('seals all files, is repeatable, opens them again as they were, and leaves broken ones alone', async () => {
    folder.put('a.json', good('a@x', { x_custom: [1] }), 0o644);
    folder.put('b.json', { ...good('b@x'), disabled: true });
    folder.put('broken.json', '{"type"');
    const sealed = await migrateFolder(folder.path, sealer, 'seal');
    assert.deepEqual(sealed.changed, ['a.json', 'b.json']);
    assert.deepEqual(
      sealed.failed.map(({ name }) => name),
      ['broken.json'],
    );
    assert.doesNotMatch(folder.text('a.json'), /a@x/);
    assert.equal(statSync(folder.file('a.json')).mode & 0o777, 0o600);
    assert.deepEqual((await migrateFolder(folder.path, sealer, 'seal')).unchanged, ['a.json', 'b.json']);
    const opened = await migrateFolder(folder.path, sealer, 'unseal');
    assert.deepEqual(opened.changed, ['a.json', 'b.json']);
    assert.deepEqual(folder.json('a.json'), { disabled: false, ...good('a@x', { x_custom: [1] }) });
    assert.deepEqual(folder.json('b.json'), { ...good('b@x'), disabled: true });
    assert.equal(folder.text('broken.json'), '{"type"');
  });
});
