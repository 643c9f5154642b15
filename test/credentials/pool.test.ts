import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Credential, CredentialChange } from '../../src/credentials/credential.ts';
import { credentialPool } from '../../src/credentials/pool.ts';
import { Secret } from '../../src/secret.ts';
import { Folder, good } from './fakes.ts';

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.close());

const entry = (id: string, key: string, priority = 0): Credential => ({
  id,
  provider: 'claude',
  providerKey: 'claude',
  kind: 'api-key',
  source: 'config',
  authIndex: id,
  label: id,
  disabled: false,
  status: 'active',
  priority,
  weight: 1,
  headers: {},
  excludedModels: [],
  token: new Secret(key),
  fields: new Secret({ 'api-key': key }),
});

async function setUp() {
  folder.put('a.json', good('a@x'));
  const store = await folder.open();
  let entries = [entry('claude:1', 'k1'), entry('claude:2', 'k2')];
  let reload = () => {};
  const pool = credentialPool(store, {
    list: () => entries,
    onChange(listener) {
      reload = listener;
      return () => {};
    },
  });
  const changes: CredentialChange[] = [];
  pool.onChange((change) => changes.push(change));
  const set = (next: Credential[]) => {
    entries = next;
    reload();
  };
  return { pool, store, changes, set };
}

describe('files and config entries in one list', () => {
  it('are listed together and told about together', async () => {
    const { pool, store, changes } = await setUp();
    assert.deepEqual(
      pool.list().map(({ id }) => id),
      ['a.json', 'claude:1', 'claude:2'],
    );
    await pool.update('a.json', (fresh) => ({ ...fresh, note: 'n' }));
    assert.equal(changes[0]?.changed[0]?.after.note, 'n');
    assert.equal(pool.get('a.json'), store.get('a.json'));
  });

  it('a reload that changes nothing tells nothing and keeps the objects', async () => {
    const { pool, changes, set } = await setUp();
    const before = pool.get('claude:1');
    set([entry('claude:1', 'k1'), entry('claude:2', 'k2')]);
    assert.deepEqual(changes, []);
    assert.equal(pool.get('claude:1'), before);
  });

  it('a reload tells exactly what was added, changed and removed', async () => {
    const { pool, changes, set } = await setUp();
    set([entry('claude:1', 'k1', 5), entry('claude:3', 'k3')]);
    const [change] = changes;
    assert.deepEqual(
      change?.added.map(({ id }) => id),
      ['claude:3'],
    );
    assert.deepEqual(
      change?.changed.map(({ after }) => `${after.id} ${after.priority}`),
      ['claude:1 5'],
    );
    assert.deepEqual(
      change?.removed.map(({ id }) => id),
      ['claude:2'],
    );
    assert.equal(pool.get('claude:2'), undefined);
    set([entry('claude:1', 'other key', 5), entry('claude:3', 'k3')]);
    assert.equal(changes[1]?.changed[0]?.after.token?.reveal(), 'other key');
  });

  it('config entries take a run-time status until they change, and cannot be written', async () => {
    const { pool, set } = await setUp();
    pool.setStatus('claude:1', 'invalid', 'refused');
    assert.equal(pool.get('claude:1')?.statusMessage, 'refused');
    assert.equal(pool.list()[1]?.status, 'invalid');
    assert.equal(await pool.update('claude:1', (fresh) => fresh), undefined);
    assert.equal(await pool.remove('claude:1'), false);
    set([entry('claude:1', 'k9')]);
    assert.equal(pool.get('claude:1')?.status, 'active');
  });
});
