import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Failure } from '../../src/failure.ts';
import { mergedUpload } from '../../src/server/management/credential-upload.ts';
import { attachment, credentialFileName } from '../../src/server/management/file-names.ts';
import { readMultipart } from '../../src/server/management/multipart.ts';
import { type Lab, openLab } from './lab.ts';
import { startFiles } from './replay.ts';

const claude = 'claude-alice@example.com.json';
const fields = { type: 'claude', email: 'a@b.c', access_token: 'tok-a', refresh_token: 'tok-r' };
const upload = (lab: Lab, name: string, body: unknown, headers = {}) =>
  lab.call('POST', `auth-files?name=${encodeURIComponent(name)}`, {
    payload: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
  });
const onDisk = (lab: Lab, name: string) => JSON.parse(readFileSync(path.join(lab.authDir, name), 'utf8'));
const entry = async (lab: Lab, name: string) => {
  const { files } = (await lab.call('GET', `auth-files?name=${encodeURIComponent(name)}`)).json();
  return files[0];
};

describe('names of credential files', () => {
  const bad = [
    '',
    '.json',
    'x.txt',
    'x',
    '../x.json',
    '..\\x.json',
    'a/b.json',
    'C:x.json',
    'a\u0000b.json',
    'a"b.json',
    "a'b.json",
    '.x.json',
    `${'a'.repeat(124)}.json`,
    'a\nb.json',
    '\ud800.json',
  ];
  it('that lead elsewhere or break a header are refused everywhere', async () => {
    const lab = await openLab({ files: { [claude]: fields } });
    for (const name of bad) {
      lab.clock.now += 1_000;
      const asked = encodeURIComponent(name.toWellFormed());
      const answers = await Promise.all([
        upload(lab, name.toWellFormed(), fields),
        lab.call('GET', `auth-files/download?name=${asked}`),
        lab.call('DELETE', `auth-files?name=${asked}`),
      ]);
      for (const answer of answers) {
        if (name === '\ud800.json') continue;
        assert.equal(answer.statusCode, 400, JSON.stringify(name));
      }
    }
    await lab.close();
  });

  it('with blanks, brackets and other scripts are fine', () => {
    for (const name of ['x (1).json', 'ü.json', 'a..b.json', 'qwen-a+b@c.d-1.json'])
      assert.equal(credentialFileName(name), name);
    assert.throws(() => credentialFileName('\ud800.json'));
  });

  it('are escaped in Content-Disposition', () => {
    assert.equal(attachment('a.json'), 'attachment; filename="a.json"');
    assert.equal(attachment('ü.json'), `attachment; filename="_.json"; filename*=UTF-8''%C3%BC.json`);
  });

  it('that are links are not followed', async () => {
    const lab = await openLab();
    writeFileSync(path.join(lab.dir, 'outside.json'), '{"secret":1}');
    symlinkSync(path.join(lab.dir, 'outside.json'), path.join(lab.authDir, 'link.json'));
    assert.equal((await lab.call('GET', 'auth-files/download?name=link.json')).statusCode, 404);
    await lab.close();
  });
});

describe('an upload', () => {
  it('is stored 0600, also over a looser file, and says what it stored', async () => {
    const lab = await openLab({ files: { [claude]: fields } });
    chmodSync(path.join(lab.authDir, claude), 0o644);
    const answer = await upload(lab, claude, fields);
    assert.deepEqual(
      [answer.statusCode, answer.json().status, answer.json().uploaded, answer.json().files],
      [200, 'ok', 1, [claude]],
    );
    assert.equal(answer.json().details[0].provider, 'claude');
    assert.equal(statSync(path.join(lab.authDir, claude)).mode & 0o777, 0o600);
    await lab.close();
  });

  for (const [what, body, status] of [
    ['is empty', {}, 422],
    ['has no tokens', { type: 'claude', email: 'a@b.c' }, 422],
    ['has an unknown type', { ...fields, type: 'other' }, 422],
    ['is no JSON', 'nope', 400],
    ['is a list', [1], 400],
    ['is nothing', '', 400],
  ] as const) {
    it(`that ${what} is ${status}`, async () => {
      const lab = await openLab();
      const answer = await upload(lab, 'x.json', body);
      assert.equal(answer.statusCode, status);
      assert.equal((await lab.call('GET', 'auth-files')).json().total, 0);
      await lab.close();
    });
  }

  it('of an older copy does not bring back used tokens', async () => {
    const lab = await openLab({ files: { [claude]: { ...fields, last_refresh: '2026-01-01T00:00:00Z' } } });
    const copy = (await lab.call('GET', `auth-files/download?name=${claude}`)).json();
    await lab.store.update(claude, (fresh) => ({
      ...fresh,
      access_token: 'new-a',
      refresh_token: 'new-r',
      last_refresh: '2026-02-01T00:00:00Z',
    }));
    assert.equal((await upload(lab, claude, { ...copy, prefix: 'team' })).statusCode, 200);
    const stored = onDisk(lab, claude);
    assert.deepEqual([stored.prefix, stored.refresh_token, stored.access_token], ['team', 'new-r', 'new-a']);
    await lab.close();
  });

  it('of another account replaces everything', () => {
    const stored = { ...fields, last_refresh: '2026-02-01T00:00:00Z' };
    const sent = { ...fields, email: 'other@b.c', access_token: 'x' };
    assert.deepEqual(mergedUpload(sent, stored), sent);
  });

  it('may be told not to overwrite', async () => {
    const lab = await openLab({ files: { [claude]: fields } });
    assert.equal((await upload(lab, claude, fields, { 'if-none-match': '*' })).statusCode, 412);
    assert.equal((await upload(lab, 'claude-new.json', fields, { 'if-none-match': '*' })).statusCode, 200);
    await lab.close();
  });

  it('larger than 1 MiB is 413', async () => {
    const lab = await openLab();
    const answer = await upload(lab, 'x.json', { ...fields, junk: 'x'.repeat(1024 * 1024) });
    assert.equal(answer.statusCode, 413);
    assert.equal((await upload(lab, 'x.json', 'x'.repeat(11 * 1024 * 1024))).statusCode, 413);
    await lab.close();
  });

  it('as a form is read whatever its lines look like', () => {
    const form =
      '--b\r\nContent-Disposition: form-data; name="file"; filename="dir/a.json"\r\nContent-Type: x/y\r\n\r\n{"a":\r\n1}\r\n--b--';
    assert.deepEqual(readMultipart(Buffer.from(form), 'multipart/form-data; boundary="b"'), [
      { name: 'file', filename: 'a.json', data: Buffer.from('{"a":\r\n1}') },
    ]);
    for (const broken of ['', '--b', '--b\r\nx', '--b\r\nx\r\n--b--', form.slice(0, -6)]) {
      assert.throws(
        () => readMultipart(Buffer.from(broken), 'multipart/form-data; boundary=b'),
        /invalid multipart form/,
      );
    }
  });
});

describe('the list', () => {
  it('shows no token of any provider', async () => {
    const lab = await openLab({ files: startFiles });
    const { body } = await lab.call('GET', 'auth-files');
    for (const each of Object.values(startFiles)) {
      for (const name of ['access_token', 'refresh_token', 'api_key', 'id_token'] as const) {
        const secret = (each as Record<string, string>)[name];
        if (secret) assert.ok(!body.includes(secret), secret);
      }
    }
    await lab.close();
  });

  it('is cut into pages and filtered, with the total', async () => {
    const files = Object.fromEntries(
      [...Array(30).keys()].map((n) => [`claude-${n}@b.c.json`, { ...fields, email: `${n}@b.c` }]),
    );
    const lab = await openLab({ files: { ...files, 'qwen-a@b.c.json': { type: 'qwen', access_token: 'x' } } });
    const page = (await lab.call('GET', 'auth-files?page=2&page_size=10')).json();
    assert.deepEqual([page.files.length, page.total, page.page], [10, 31, 2]);
    assert.equal((await lab.call('GET', 'auth-files?provider=qwen')).json().total, 1);
    assert.equal((await lab.call('GET', 'auth-files?q=29@')).json().total, 1);
    const index = page.files[3].auth_index;
    assert.equal((await lab.call('GET', `auth-files?auth_index=${index}`)).json().files[0].name, page.files[3].name);
    assert.equal((await lab.call('GET', 'auth-files?page=0')).statusCode, 400);
    await lab.close();
  });

  it('shows files that are no credentials with the reason', async () => {
    const lab = await openLab();
    writeFileSync(path.join(lab.authDir, 'broken.json'), '{');
    const fresh = await openLab({ files: { 'broken.json': 'x' } });
    const [file] = (await fresh.call('GET', 'auth-files')).json().files;
    assert.deepEqual([file.name, file.status, file.unavailable], ['broken.json', 'error', true]);
    assert.ok(file.status_message.length > 0);
    assert.equal((await fresh.call('DELETE', 'auth-files?name=broken.json')).statusCode, 200);
    await Promise.all([lab.close(), fresh.close()]);
  });

  it('shows a login that is dead, and why, until its file changes', async () => {
    const lab = await openLab({ files: { [claude]: fields } });
    lab.store.setStatus(claude, 'reauth_required', 'invalid_grant; run ./cliproxy -claude-login');
    const dead = await entry(lab, claude);
    assert.equal(dead.status, 'error');
    assert.match(dead.status_message, /^reauth_required: invalid_grant.*-claude-login/);
    await lab.store.update(claude, (fresh) => ({ ...fresh, access_token: 'tok-new', refresh_token: 'tok-r2' }));
    assert.equal((await entry(lab, claude)).status, 'active');
    await lab.close();
  });

  it('shows a cooldown until it is over or ended by hand', async () => {
    const lab = await openLab({ files: { [claude]: fields } });
    const state = lab.router.stateOf(claude);
    const failure = new Failure({ kind: 'quota', status: 429, message: 'limit', retryAfterMs: 60_000 });
    state.cooldowns.failed('m', failure, lab.clock.now, lab.clock.now, lab.router.policy(), 0);
    state.lastError = { message: 'limit', status: 429, at: lab.clock.now };
    const cooling = await entry(lab, claude);
    assert.deepEqual([cooling.status, cooling.unavailable, cooling.status_message], ['error', true, 'limit']);
    assert.equal(Date.parse(cooling.next_retry_after), lab.clock.now + 60_000);
    assert.equal(cooling.cooldowns[0].reason, 'quota');
    await lab.store.update(claude, (fresh) => ({ ...fresh, note: 'rewritten' }));
    assert.equal((await entry(lab, claude)).unavailable, true);
    const reset = await lab.call('POST', 'reset-quota', {
      payload: JSON.stringify({ auth_index: cooling.auth_index }),
    });
    assert.deepEqual(reset.json(), { status: 'ok', auth_index: cooling.auth_index, models: ['m'] });
    assert.equal((await entry(lab, claude)).unavailable, false);
    await lab.close();
  });
});

describe('a change of fields', () => {
  it('touches only what was sent', async () => {
    const lab = await openLab({
      files: { [claude]: { ...fields, headers: { 'X-Keep': '1', 'X-Gone': '2' }, own: { deep: [1] } } },
    });
    const answer = await lab.call('PATCH', 'auth-files/fields', {
      payload: JSON.stringify({
        name: claude,
        prefix: ' team ',
        headers: { 'X-Gone': '', 'X-New': 'v' },
        priority: 4,
        websockets: true,
        excluded_models: ['A-*', 'a-*'],
      }),
    });
    assert.equal(answer.statusCode, 200);
    const stored = onDisk(lab, claude);
    assert.deepEqual(
      [
        stored.prefix,
        stored.headers,
        stored.priority,
        stored.websockets,
        stored.excluded_models,
        stored.own,
        stored.refresh_token,
      ],
      ['team', { 'X-Keep': '1', 'X-New': 'v' }, 4, true, ['a-*'], { deep: [1] }, 'tok-r'],
    );
    await lab.close();
  });

  it('of a file that is gone does not bring it back', async () => {
    const lab = await openLab({ files: { [claude]: fields } });
    await lab.call('DELETE', `auth-files?name=${claude}`);
    const answer = await lab.call('PATCH', 'auth-files/status', {
      payload: JSON.stringify({ name: claude, disabled: true }),
    });
    assert.equal(answer.statusCode, 404);
    assert.equal((await lab.call('GET', 'auth-files')).json().total, 0);
    await lab.close();
  });

  it('switches models off and on at once', async () => {
    const lab = await openLab({ files: { [claude]: fields } });
    const models = async () => (await lab.call('GET', `auth-files/models?name=${claude}`)).json().models.length;
    assert.ok((await models()) > 0);
    await lab.call('PATCH', 'auth-files/status', { payload: JSON.stringify({ name: claude, disabled: true }) });
    assert.equal(await models(), 0);
    assert.equal(onDisk(lab, claude).disabled, true);
    await lab.call('PATCH', 'auth-files/status', { payload: JSON.stringify({ name: claude, disabled: false }) });
    assert.ok((await models()) > 0);
    await lab.close();
  });
});

describe('deleting', () => {
  it('leaves what is no credential alone', async () => {
    const lab = await openLab({ files: { [claude]: fields, 'qwen-a@b.c.json': { type: 'qwen', access_token: 'x' } } });
    writeFileSync(path.join(lab.authDir, 'keep.txt'), 'keep');
    mkdirSync(path.join(lab.authDir, 'sub'));
    assert.equal((await lab.call('DELETE', 'auth-files?name=keep.txt')).statusCode, 400);
    assert.deepEqual((await lab.call('DELETE', 'auth-files?all=true')).json(), { status: 'ok', deleted: 2 });
    assert.equal(readFileSync(path.join(lab.authDir, 'keep.txt'), 'utf8'), 'keep');
    await lab.close();
  });
});
