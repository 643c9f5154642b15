import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { callbackFilePath, writeCallbackFile } from '../../src/oauth/callback-file.ts';
import { LoginError, type RemoteLogin, type RemoteStart } from '../../src/oauth/flow.ts';
import { createRemoteLogins } from '../../src/oauth/remote.ts';
import { createOAuthSessions } from '../../src/oauth/sessions.ts';

const done = { file: 'iflow-a.json', path: '/auth/iflow-a.json', email: 'a@b.cd' };

function remoteLogin(start: Partial<RemoteStart>, kind: RemoteLogin['kind'] = 'callback'): RemoteLogin {
  return {
    key: 'iflow',
    canonical: 'iflow',
    aliases: ['iflow'],
    kind,
    start: async (_, { state }) => ({ url: `https://iflow.test/?state=${state}`, ...start }),
  };
}

function logins(context: TestContext, options: { lookEveryMs?: number } = {}) {
  const authDir = mkdtempSync(path.join(tmpdir(), 'remote-'));
  const sessions = createOAuthSessions({ purgeEveryMs: 0, ttlMs: 600_000 });
  const remote = createRemoteLogins({
    sessions,
    context: { now: Date.now } as never,
    authDir: () => authDir,
    lookEveryMs: options.lookEveryMs ?? 60_000,
  });
  context.after(() => remote.close());
  return { remote, sessions, authDir };
}

test('a callback is exchanged once, and its outcome stays to be asked for', async (context) => {
  const { remote, sessions, authDir } = logins(context);
  const codes: string[] = [];
  const complete = async (code: string) => {
    codes.push(code);
    return done;
  };
  const { session } = await remote.start(remoteLogin({ complete }));
  const { state } = session;
  const delivery = await remote.deliver({ state, provider: 'iflow', code: 'c1' });
  assert.ok(delivery.ok);
  const ended = await delivery.done;
  assert.deepEqual([ended?.status, ended?.file, ended?.email], ['ok', done.file, done.email]);
  assert.deepEqual(await remote.deliver({ state, code: 'c2' }), { ok: false, refusal: 'already-completed' });
  assert.deepEqual(codes, ['c1']);
  assert.equal(sessions.get(state)?.status, 'ok');
  assert.equal(existsSync(callbackFilePath(authDir, 'iflow', state)), false);
});

test("the provider's refusal and a failed exchange end the session with their text", async (context) => {
  const { remote } = logins(context);
  const complete = async () => {
    throw new LoginError('Failed to exchange token: status 400, invalid_grant');
  };
  const denied = await remote.start(remoteLogin({ complete }));
  const first = await remote.deliver({ state: denied.session.state, error: 'access_denied' });
  assert.equal(first.ok && (await first.done)?.error, 'access_denied');
  const refused = await remote.start(remoteLogin({ complete }));
  const second = await remote.deliver({ state: refused.session.state, code: 'c' });
  assert.equal(second.ok && (await second.done)?.error, 'Failed to exchange token: status 400, invalid_grant');
});

test('a second callback is refused while the first is being exchanged', async (context) => {
  const { remote } = logins(context);
  const { promise, resolve } = Promise.withResolvers<typeof done>();
  const { session } = await remote.start(remoteLogin({ complete: () => promise }));
  const first = await remote.deliver({ state: session.state, code: 'c1' });
  const second = await remote.deliver({ state: session.state, code: 'c2' });
  assert.deepEqual(second, { ok: false, refusal: 'not-pending' });
  resolve(done);
  assert.equal(first.ok && (await first.done)?.status, 'ok');
});

test('a callback file written by another program completes the login', async (context) => {
  const { remote, sessions, authDir } = logins(context, { lookEveryMs: 1 });
  const completed = Promise.withResolvers<string>();
  const complete = async (code: string) => {
    completed.resolve(code);
    return done;
  };
  const { session } = await remote.start(remoteLogin({ complete }));
  writeFileSync(callbackFilePath(authDir, 'iflow', session.state), '{"code":"half');
  writeFileSync(
    callbackFilePath(authDir, 'iflow', session.state),
    `{"code":"outside","state":"${session.state}","error":""}`,
  );
  assert.equal(await completed.promise, 'outside');
  await new Promise(setImmediate);
  assert.equal(sessions.get(session.state)?.status, 'ok');
});

test('a callback that cannot be written down can be sent again', async (context) => {
  const { remote, authDir } = logins(context);
  const { session } = await remote.start(remoteLogin({ complete: async () => done }));
  const { state } = session;
  await writeCallbackFile(authDir, 'iflow', { state, code: 'already there' });
  assert.deepEqual(await remote.deliver({ state, code: 'c' }), { ok: false, refusal: 'not-pending' });
});

test('a device flow ends by its own polling and takes no callback', async (context) => {
  const { remote, sessions } = logins(context);
  const { promise, resolve } = Promise.withResolvers<typeof done>();
  const { session } = await remote.start(remoteLogin({ poll: () => promise }, 'device'));
  assert.deepEqual(await remote.deliver({ state: session.state, code: 'c' }), { ok: false, refusal: 'device-flow' });
  resolve(done);
  await new Promise(setImmediate);
  assert.equal(sessions.get(session.state)?.status, 'ok');
});

test('a login that cannot be started leaves no session behind', async (context) => {
  const { remote, sessions } = logins(context);
  const broken = { ...remoteLogin({}), start: () => Promise.reject(new LoginError('no answer')) };
  await assert.rejects(remote.start(broken), /no answer/);
  assert.deepEqual(sessions.list(), []);
});

test('closing ends the work of all sessions', async (context) => {
  const { remote } = logins(context);
  const { promise, resolve } = Promise.withResolvers<AbortSignal>();
  await remote.start(
    remoteLogin(
      {
        poll: (signal) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(new LoginError('cancelled')));
            resolve(signal);
          }),
      },
      'device',
    ),
  );
  remote.close();
  assert.equal((await promise).aborted, true);
});
