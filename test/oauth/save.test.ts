import assert from 'node:assert/strict';
import test from 'node:test';
import type { Credential } from '../../src/credentials/credential.ts';
import { iflowFileName } from '../../src/oauth/file-name.ts';
import type { LoginContext, Terminal } from '../../src/oauth/flow.ts';
import { listOlderFiles, saveLogin, saveUnderFreeName } from '../../src/oauth/save.ts';

type Store = LoginContext['store'];

/** A store that holds names only. `stolen` are taken by another process between the look and the write. */
function storeOf(names: string[], stolen: string[] = [], broken: string[] = []): { store: Store; saved: string[] } {
  const saved: string[] = [];
  const store = {
    list: () => [...names, ...saved].map((id) => ({ id, source: 'file', provider: 'iflow' }) as Credential),
    invalid: () => broken.map((name) => ({ name, reason: 'broken' })),
    save: async (name: string) => {
      if (stolen.includes(name)) throw Object.assign(new Error('there already'), { code: 'EEXIST' });
      saved.push(name);
      return { id: name } as Credential;
    },
  };
  return { store: store as unknown as Store, saved };
}

const now = 1_795_368_342_000;
const name = (attempt: number) => iflowFileName('138****0000', now, attempt);

test('two logins of equally masked phones in one second get two files', async () => {
  const { store, saved } = storeOf([]);
  await saveUnderFreeName(store, name, {});
  await saveUnderFreeName(store, name, {});
  assert.deepEqual(saved, ['iflow-138xxxx0000-1795368342.json', 'iflow-138xxxx0000-1795368342-2.json']);
});

test('a name that another process took, or that a broken file has, is left alone', async () => {
  const { store, saved } = storeOf([], [name(1)], [name(2)]);
  await saveUnderFreeName(store, name, {});
  assert.deepEqual(saved, [name(3)]);
});

test('a credential that cannot be saved ends the login with 6 and the cause', async () => {
  const full = {
    ...storeOf([]).store,
    save: async () => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    },
  } as unknown as Store;
  const expected = { exit: 6, code: 'save_failed', message: /could not save the credential: ENOSPC/ };
  await assert.rejects(saveLogin(full, 'a.json', {}), expected);
  await assert.rejects(saveUnderFreeName(full, name, {}), expected);
});

test('older files of an account are named, nothing is said when there are none', () => {
  const lines: string[] = [];
  const terminal = { warn: (line: string) => void lines.push(line) } as unknown as Terminal;
  listOlderFiles(terminal, []);
  listOlderFiles(terminal, ['a.json', 'b.json']);
  assert.equal(lines.length, 1);
  assert.match(lines[0] as string, /a\.json, b\.json/);
});
