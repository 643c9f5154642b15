// What web panels of the field rely on in the management API, beyond the recorded answers (spec/panel.md §4.5).
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allRoutes } from '../../src/server/management/routes/index.ts';
import { type Lab, openLab } from './lab.ts';

const claude = (email: string) => ({
  type: 'claude',
  email,
  access_token: 'tok-a',
  refresh_token: 'tok-r',
  expired: '2099-01-01T00:00:00Z',
});

describe('a panel', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
  });
  after(() => lab.close());

  it('is never told null where it expects a list or a map', async () => {
    for (const path of [
      'config',
      'oauth-excluded-models',
      'oauth-model-alias',
      'gemini-api-key',
      'claude-api-key',
      'codex-api-key',
      'vertex-api-key',
      'openai-compatibility',
      'auth-files',
      'request-error-logs',
      'ampcode',
    ]) {
      const answer = await lab.call('GET', path);
      assert.equal(answer.statusCode, 200, path);
      // One switch has three states.
      assert.doesNotMatch(answer.body.replace('"stabilize-device-profile":null', ''), /:null/, path);
    }
  });

  it('is sent away with 401 for a wrong key only, whatever else is wrong', async () => {
    for (const route of allRoutes) {
      if (route.path === 'events') continue;
      lab.clock.now += 1_000;
      const answer = await lab.call(route.method, route.path.replace(/:\w+/g, 'x'), { payload: '{"x":1}' });
      assert.notEqual(answer.statusCode, 401, `${route.method} ${route.path}`);
    }
  });

  it('may send the configuration under any type of text', async () => {
    const own = await openLab();
    for (const type of ['application/yaml', 'text/yaml', 'text/plain; charset=utf-8', 'application/octet-stream']) {
      const { body } = await own.call('GET', 'config.yaml');
      const answer = await own.call('PUT', 'config.yaml', { payload: body, headers: { 'content-type': type } });
      assert.equal(answer.statusCode, 200, `${type}: ${answer.body}`);
    }
    await own.close();
  });

  it('may name what it deletes in a body, and upload several files in one form', async () => {
    const names = ['claude-a@b.c.json', 'claude-d@e.f.json'];
    const parts = names.map(
      (name) =>
        `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(claude(name.slice(7, -5)))}\r\n`,
    );
    const stored = await lab.call('POST', 'auth-files', {
      payload: `${parts.join('')}--b--\r\n`,
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    assert.equal(stored.statusCode, 200, stored.body);
    assert.deepEqual([stored.json().uploaded, stored.json().files], [2, names]);
    const gone = await lab.call('DELETE', 'auth-files', {
      payload: JSON.stringify({ names }),
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(gone.statusCode, 200, gone.body);
    assert.equal((await lab.call('GET', 'auth-files')).json().total, 0);
  });

  it('gives back a whole list as it got it, and loses nothing', async () => {
    const own = await openLab({
      config: `remote-management: { secret-key: "<management-key>" }
claude-api-key:
  - api-key: sk-ant-0123456789-abcdef
    base-url: https://one.example.com
    models: [{ name: a, alias: b }]
    headers: { X-Own: "1" }
`,
    });
    const before = (await own.call('GET', 'claude-api-key')).json();
    assert.equal(before['claude-api-key'][0]['api-key'], 'sk-ant-0123456789-abcdef');
    const back = await own.call('PUT', 'claude-api-key', { payload: JSON.stringify(before['claude-api-key']) });
    assert.equal(back.statusCode, 200, back.body);
    assert.deepEqual((await own.call('GET', 'claude-api-key')).json(), before);
    await own.close();
  });
});
