import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { LoginError, type RemoteLogin } from '../../src/oauth/flow.ts';
import { failureText } from '../../src/server/management/login-providers.ts';
import { type Lab, openLab } from './lab.ts';

const keys = ['anthropic', 'codex', 'gemini-cli', 'antigravity', 'qwen', 'kimi', 'iflow'] as const;
const devices: readonly string[] = ['qwen', 'kimi'];

/** Codes starting with `good` are accepted, once; a device is approved by `approve`. */
function fakeLogins(port = 0): { logins: RemoteLogin[]; approve: () => void; exchanged: string[] } {
  const exchanged: string[] = [];
  let approve = (): void => {};
  const approval = new Promise<void>((resolve) => {
    approve = resolve;
  });
  const logins = keys.map((key): RemoteLogin => {
    const canonical = key === 'gemini-cli' ? 'gemini' : key;
    const device = devices.includes(key);
    const file = `${canonical}-someone.json`;
    return {
      key,
      canonical,
      aliases: [],
      kind: device ? 'device' : 'callback',
      ...(device ? {} : { callback: { port, path: '/callback' } }),
      async start(context, { state, email }) {
        const url = `https://login.test/${key}?state=${state}${email ? `&email=${email}` : ''}`;
        if (!device) {
          return {
            url,
            async complete(code) {
              exchanged.push(code);
              if (!code.startsWith('good')) throw new LoginError('status 400 invalid_grant');
              return { file, path: `/auths/${file}` };
            },
          };
        }
        return {
          url,
          userCode: 'ABCD',
          verificationUri: 'https://login.test/device',
          expiresIn: 300,
          interval: 5,
          expiresAt: context.now() + 300_000,
          async poll() {
            await approval;
            return { file, path: `/auths/${file}` };
          },
        };
      },
    };
  });
  return { logins, approve, exchanged };
}

const start = async (lab: Lab, key = 'iflow', query = '') => (await lab.call('GET', `${key}-auth-url${query}`)).json();
const send = (lab: Lab, body: unknown) =>
  lab.call('POST', 'oauth-callback', { payload: typeof body === 'string' ? body : JSON.stringify(body) });
const ask = async (lab: Lab, state: string) => (await lab.call('GET', `get-auth-status?state=${state}`)).json();
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

async function ended(lab: Lab, state: string): Promise<{ status: string; error?: string; auth_file?: string }> {
  for (let n = 0; n < 200; n++) {
    const answer = await ask(lab, state);
    if (answer.status !== 'wait') return answer;
    await settled();
  }
  return ask(lab, state);
}

describe('a login started here', () => {
  for (const key of keys) {
    it(`with ${key} gives the URL under both names, the state and the end in Unix seconds`, async () => {
      const lab = await openLab({ logins: fakeLogins().logins });
      const answer = await start(lab, key);
      assert.equal(answer.status, 'ok');
      assert.equal(answer.auth_url, answer.url);
      assert.match(answer.state, /^[0-9a-f]{32,}$/);
      const lifetime = answer.expires_at - lab.clock.now / 1000;
      assert.equal(lifetime, devices.includes(key) ? 300 : 600);
      if (devices.includes(key)) {
        assert.deepEqual([answer.user_code, answer.expires_in, answer.interval], ['ABCD', 300, 5]);
      }
      const waiting = await ask(lab, answer.state);
      assert.equal(waiting.status, 'wait');
      assert.equal(waiting.expires_at, answer.expires_at);
      await lab.close();
    });
  }

  it('completes, names the file, and cannot be completed again', async () => {
    const { logins, exchanged } = fakeLogins();
    const lab = await openLab({ logins });
    const { state } = await start(lab);
    const body = { provider: 'i-flow', code: 'good-1', state };
    assert.deepEqual((await send(lab, body)).json(), { status: 'ok' });
    const done = await ended(lab, state);
    assert.deepEqual([done.status, done.auth_file], ['ok', 'iflow-someone.json']);
    const again = await send(lab, body);
    assert.equal(again.statusCode, 409);
    assert.deepEqual(
      [again.json().status, again.json().error, again.json().code],
      ['error', 'oauth flow is not pending', 'already_completed'],
    );
    assert.deepEqual(exchanged, ['good-1']);
    assert.deepEqual(readdirSync(lab.authDir), []);
    await lab.close();
  });

  it('is independent of others of the same provider', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const [one, two] = [await start(lab), await start(lab)];
    await send(lab, { code: 'good', state: one.state });
    assert.equal((await ended(lab, one.state)).status, 'ok');
    assert.equal((await ask(lab, two.state)).status, 'wait');
    await lab.close();
  });

  it('ends with the cause when the code is refused, and with the denial when it was denied', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const refused = await start(lab, 'anthropic');
    await send(lab, { code: 'bad', state: refused.state });
    assert.match(
      (await ended(lab, refused.state)).error ?? '',
      /^Failed to exchange authorization code for tokens: .*invalid_grant/,
    );
    const denied = await start(lab, 'codex');
    await send(lab, { redirect_url: `http://localhost:1455/auth/callback?error=access_denied&state=${denied.state}` });
    assert.equal((await ended(lab, denied.state)).error, 'Bad Request: access_denied');
    const late = await send(lab, { provider: 'codex', code: 'good', state: denied.state });
    assert.equal(late.statusCode, 409);
    await lab.close();
  });

  it('is over after ten minutes', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const { state } = await start(lab);
    lab.clock.now += 600_001;
    const answer = await send(lab, { provider: 'iflow', code: 'good', state });
    assert.deepEqual([answer.statusCode, answer.json().error], [404, 'unknown or expired state']);
    assert.equal((await ask(lab, state)).status, 'error');
    await lab.close();
  });

  it('on a device completes by itself and takes no callback', async () => {
    const { logins, approve } = fakeLogins();
    const lab = await openLab({ logins });
    const { state } = await start(lab, 'qwen');
    const refused = await send(lab, { provider: 'qwen', code: 'c', state });
    assert.deepEqual([refused.statusCode, refused.json().error], [400, 'provider uses device flow']);
    assert.equal((await ask(lab, state)).status, 'wait');
    approve();
    assert.equal((await ended(lab, state)).status, 'ok');
    await lab.close();
  });

  it('can be cancelled', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const { state } = await start(lab);
    assert.equal((await lab.call('DELETE', `oauth-session?state=${state}`)).statusCode, 200);
    assert.equal((await ask(lab, state)).status, 'error');
    assert.equal((await lab.call('DELETE', `oauth-session?state=${state}`)).statusCode, 409);
    assert.equal((await lab.call('DELETE', 'oauth-session?state=nobody')).statusCode, 404);
    await lab.close();
  });
});

describe('oauth-callback', () => {
  for (const [what, body, status, error] of [
    ['no JSON', '{not json', 400, 'invalid body'],
    ['an empty body', '', 400, 'invalid body'],
    ['wrong types', { state: 5 }, 400, 'invalid body'],
    ['an unknown provider', { provider: 'nope', state: 's', code: 'c' }, 400, 'unsupported provider'],
    ['an unreadable redirect URL', { provider: 'iflow', redirect_url: 'http://[::1' }, 400, 'invalid redirect_url'],
    [
      'a broken escape in the redirect URL',
      { provider: 'iflow', redirect_url: 'http://a/?%zz' },
      400,
      'invalid redirect_url',
    ],
    ['no state', { provider: 'iflow', code: 'c' }, 400, 'state is required'],
    ['a state with blanks', { provider: 'iflow', state: 'bad state!', code: 'c' }, 400, 'invalid state'],
    ['a state that climbs', { provider: 'iflow', state: '../evil', code: 'c' }, 400, 'invalid state'],
    ['a state of 129 characters', { provider: 'iflow', state: 'a'.repeat(129), code: 'c' }, 400, 'invalid state'],
    ['neither code nor error', { provider: 'iflow', state: 'abc' }, 400, 'code or error is required'],
    ['an unknown state', { provider: 'iflow', state: 'ifl-1', code: 'c' }, 404, 'unknown or expired state'],
    ['an unknown state of kimi', { provider: 'kimi', state: 'kmi-1', code: 'c' }, 404, 'unknown or expired state'],
  ] as const) {
    it(`with ${what} is ${status} ${error}`, async () => {
      const lab = await openLab({ logins: fakeLogins().logins });
      const answer = await send(lab, body);
      assert.deepEqual([answer.statusCode, answer.json().error, answer.json().status], [status, error, 'error']);
      assert.deepEqual(readdirSync(lab.authDir), []);
      await lab.close();
    });
  }

  it("with another provider's state is 400, and the session goes on", async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const { state } = await start(lab);
    const answer = await send(lab, { provider: 'codex', state, code: 'good' });
    assert.deepEqual([answer.statusCode, answer.json().error], [400, 'provider does not match state']);
    assert.equal((await ask(lab, state)).status, 'wait');
    await lab.close();
  });

  for (const [name, key] of [
    ['Claude', 'anthropic'],
    ['openai', 'codex'],
    ['GOOGLE', 'gemini-cli'],
    [' anti-gravity ', 'antigravity'],
    ['i-flow', 'iflow'],
  ] as const) {
    it(`knows ${name}`, async () => {
      const lab = await openLab({ logins: fakeLogins().logins });
      const { state } = await start(lab, key);
      assert.equal((await send(lab, { provider: name, code: 'good', state })).statusCode, 200);
      assert.equal((await ended(lab, state)).status, 'ok');
      await lab.close();
    });
  }

  it('takes code and state from a pasted URL, a fragment and CODE#STATE', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    for (const paste of [
      (state: string) => ({ redirect_url: `http://localhost:1/cb?code=good&state=${state}` }),
      (state: string) => ({ redirect_url: `http://localhost:1/cb#code=good&state=${state}` }),
      (state: string) => ({ code: `good#${state}` }),
    ]) {
      const { state } = await start(lab, 'anthropic');
      assert.equal((await send(lab, paste(state))).statusCode, 200);
      assert.equal((await ended(lab, state)).status, 'ok');
    }
    await lab.close();
  });

  it('may be a file that another program wrote', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const { state } = await start(lab);
    const file = path.join(lab.authDir, `.oauth-iflow-${state}.oauth`);
    writeFileSync(file, JSON.stringify({ code: 'good', state, error: '' }));
    const { signal } = { signal: lab.remote.sessions.signal(state) };
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    assert.equal((await ask(lab, state)).status, 'ok');
    assert.ok(!existsSync(file));
    await lab.close();
  });
});

it('a callback that cannot be kept is a 500 that says so, and can be sent again', async () => {
  const lab = await openLab({ logins: fakeLogins().logins });
  const { state } = await start(lab);
  rmSync(lab.authDir, { recursive: true });
  writeFileSync(lab.authDir, 'a file where the folder was');
  const refused = await send(lab, { provider: 'iflow', code: 'good', state });
  assert.deepEqual(
    [refused.statusCode, refused.json().error, refused.json().status],
    [500, 'failed to persist oauth callback', 'error'],
  );
  rmSync(lab.authDir);
  assert.equal((await send(lab, { provider: 'iflow', code: 'good', state })).statusCode, 200);
  assert.equal((await ended(lab, state)).status, 'ok');
  await lab.close();
});

it('iflow-auth-url takes the e-mail that the command line would ask for; unknown providers are 404', async () => {
  const lab = await openLab({ logins: fakeLogins().logins });
  assert.match((await start(lab, 'iflow', '?email=me%40example.com')).url, /&email=me@example\.com$/);
  assert.equal((await lab.call('GET', 'nobody-auth-url')).statusCode, 404);
  await lab.close();
});

describe('get-auth-status', () => {
  it('never says ok for what did not succeed', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    assert.deepEqual(
      [(await ask(lab, '0123456789abcdef')).status, (await ask(lab, '0123456789abcdef')).error],
      ['error', 'unknown or expired state'],
    );
    const bad = await lab.call('GET', 'get-auth-status?state=..%2Fx');
    assert.deepEqual([bad.statusCode, bad.json().error, bad.json().status], [400, 'invalid state', 'error']);
    await lab.close();
  });

  it('lists the sessions, by provider if asked', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const [one, two] = [await start(lab), await start(lab, 'anthropic')];
    const all = (await lab.call('GET', 'get-auth-status')).json();
    assert.deepEqual(
      all.sessions.map((session: { state: string }) => session.state).sort(),
      [one.state, two.state].sort(),
    );
    const some = (await lab.call('GET', 'get-auth-status?provider=claude')).json();
    assert.deepEqual(
      some.sessions.map((session: { state: string }) => session.state),
      [two.state],
    );
    assert.equal((await lab.call('GET', 'get-auth-status?provider=nobody')).statusCode, 400);
    await lab.close();
  });
});

describe('the callback pages on the main port', () => {
  const page = (lab: Lab, url: string) => lab.app.inject({ method: 'GET', url });

  it('complete a login without a key and say so', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const { state } = await start(lab);
    const answer = await page(lab, `/iflow/callback?code=good&state=${state}`);
    assert.equal(answer.statusCode, 200);
    assert.match(answer.body, /Login successful/);
    assert.equal((await ask(lab, state)).status, 'ok');
    await lab.close();
  });

  it('repeat nothing of what the provider sent', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const { state } = await start(lab);
    const answer = await page(lab, `/iflow/callback?state=${state}&error=%3Cscript%3Ealert(1)%3C/script%3E`);
    assert.equal(answer.statusCode, 400);
    assert.ok(!answer.body.includes('<script>'));
    assert.match(answer.body, /login failed/i);
    assert.equal(answer.headers['referrer-policy'], 'no-referrer');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal((await ended(lab, state)).status, 'error');
    await lab.close();
  });

  it('refuse what no login waits for', async () => {
    const lab = await openLab({ logins: fakeLogins().logins });
    const { state } = await start(lab);
    for (const url of [
      '/iflow/callback',
      '/iflow/callback?code=x&state=unknown',
      '/iflow/callback?code=x&state=..%2Fx',
      `/codex/callback?code=good&state=${state}`,
    ]) {
      assert.equal((await page(lab, url)).statusCode, 400, url);
    }
    assert.equal((await page(lab, `/iflow/callback?code=bad&state=${state}`)).statusCode, 400);
    for (const url of ['/qwen/callback', '/kimi/callback', '/gemini/callback']) {
      assert.equal((await page(lab, `${url}?code=x&state=${state}`)).statusCode, 404);
    }
    await lab.close();
  });
});

describe('is_webui', () => {
  const freePort = async (): Promise<number> => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  };

  it('sends the browser from the registered port to the main port', async () => {
    const port = await freePort();
    const lab = await openLab({
      logins: fakeLogins(port).logins,
      deps: { serverUrl: () => 'http://127.0.0.1:8080' },
    });
    const { state } = await start(lab, 'antigravity', '?is_webui=true');
    const answer = await fetch(`http://127.0.0.1:${port}/anything?code=good&state=${state}`, { redirect: 'manual' });
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.get('location'), `http://127.0.0.1:8080/antigravity/callback?code=good&state=${state}`);
    await send(lab, { code: 'good', state });
    assert.equal((await ended(lab, state)).status, 'ok');
    await lab.close();
  });

  it('listens on loopback only, unless oauth-callback-host opens it', {
    skip: process.platform === 'linux' ? false : 'other systems have one loopback address',
  }, async () => {
    for (const host of ['', '0.0.0.0']) {
      const port = await freePort();
      const lab = await openLab({
        config: `remote-management: {secret-key: "<management-key>"}\noauth-callback-host: "${host}"\n`,
        logins: fakeLogins(port).logins,
        deps: { serverUrl: () => 'http://127.0.0.1:8080' },
      });
      const { state } = await start(lab, 'antigravity', '?is_webui=true');
      const visit = fetch(`http://127.0.0.2:${port}/x?state=${state}`, { redirect: 'manual' });
      if (host === '') await assert.rejects(visit);
      else assert.equal((await visit).status, 302);
      await lab.close();
    }
  });

  it('says when the port cannot be had, and leaves no login behind that waits', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const lab = await openLab({
      logins: fakeLogins(port).logins,
      deps: { serverUrl: () => 'http://127.0.0.1:8080' },
    });
    const answer = await lab.call('GET', 'iflow-auth-url?is_webui=1');
    assert.deepEqual(
      [answer.statusCode, answer.json().error, answer.json().status],
      [500, 'failed to start callback server', 'error'],
    );
    const { sessions } = (await lab.call('GET', 'get-auth-status')).json();
    assert.ok(sessions.every((session: { status: string }) => session.status === 'error'));
    server.close();
    await lab.close();
  });
});

describe('the cookie endpoint', () => {
  for (const [what, payload, error] of [
    ['no body', '', 'cookie is required'],
    ['an empty object', '{}', 'cookie is required'],
    ['a blank cookie', '{"cookie":" "}', 'cookie is required'],
    ['a cookie without BXAuth', '{"cookie":"SessionID=1"}', 'cookie missing BXAuth field'],
  ] as const) {
    it(`with ${what} is 400`, async () => {
      const lab = await openLab();
      const answer = await lab.call('POST', 'iflow-auth-url', { payload });
      assert.deepEqual([answer.statusCode, answer.json().error, answer.json().status], [400, error, 'error']);
      await lab.close();
    });
  }

  it('names the file that has the cookie already, and keeps 400 for a refusal', async () => {
    const lab = await openLab({
      files: { 'iflow-a@b.c-1.json': { type: 'iflow', api_key: 'k', bx_auth: 'v1', cookie: 'BXAuth=v1;' } },
    });
    const known = await lab.call('POST', 'iflow-auth-url', { payload: '{"cookie":"BXAuth=v1; x=y"}' });
    assert.deepEqual([known.statusCode, known.json().existing_file], [409, 'iflow-a@b.c-1.json']);
    const refused = await lab.call('POST', 'iflow-auth-url', { payload: '{"cookie":"BXAuth=v2"}' });
    assert.equal(refused.statusCode, 400);
    assert.match(refused.json().error, /^iflow cookie authentication: /);
    await lab.close();
  });
});

it('an error text has the leading text of the reference and our cause once', () => {
  assert.equal(failureText('anthropic', 'access_denied'), 'Bad request: access_denied');
  assert.equal(failureText('iflow', 'status 500'), 'Authentication failed: status 500');
  assert.equal(failureText('gemini', 'Timeout waiting for OAuth callback'), 'Timeout waiting for OAuth callback');
});
