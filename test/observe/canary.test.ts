// No secret reaches a log file, the metrics or the usage export: known canaries are sent through every door of a running
// server, at debug level, before an upstream that repeats whatever it is sent; then every file is searched for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerCookie, clientKey, openLab, textsBelow, upstreamKey } from './lab.ts';

const canaries = {
  apiKey: 'iflow-canary-api-key-77777777',
  accessToken: 'canary-access-token-aaaaaaaaaaaa',
  refreshToken: 'canary-refresh-token-rrrrrrrrrr',
  cookie: 'BXAuth=canary-bxauth-cookie-zzzz',
  clientCookie: 'canary-client-cookie-yyyyyyyy',
  wrongKey: 'canary-guessed-key-xxxxxxxxxx',
  code: 'canary-authorization-code-1234',
};

const files = {
  'iflow-a@example.com-1.json': {
    type: 'iflow',
    email: 'a@example.com',
    api_key: canaries.apiKey,
    access_token: canaries.accessToken,
    refresh_token: canaries.refreshToken,
    cookie: canaries.cookie,
    expired: '2001-01-01T00:00:00Z',
    base_url: '<upstream>/v1',
  },
};

const everywhere = {
  cookie: `sid=${canaries.clientCookie}`,
  'x-api-key': canaries.wrongKey,
  'x-some-token': canaries.accessToken,
  authorization: `Bearer ${clientKey}`,
};

for (const requestLog of [true, false]) {
  test(`no canary in any output, request logs ${requestLog ? 'on' : 'off'}`, async () => {
    const endpoints = 'endpoints: { iflow: { token: "<upstream>/oauth/token", api: "<upstream>/v1" } }';
    const config = `request-log: ${requestLog}\nusage-statistics-enabled: true\n${endpoints}`;
    const lab = await openLab({ config, files });
    try {
      for (const model of [
        'm-ok',
        'm-limit',
        'm-quote',
        'm-quote',
        'glm-4.6',
        'qwen3-coder-plus',
        'nobody-has-this-one',
      ]) {
        await (await lab.chat(model, {}, { headers: everywhere })).text();
        await (await lab.chat(model, { stream: true }, { headers: everywhere })).text();
      }
      await (await lab.chat('m-ok', {}, { headers: { authorization: `Bearer ${canaries.wrongKey}` } })).text();
      await (await lab.chat('m-ok', {}, { headers: everywhere, body: `{"model": "m-ok", ${clientKey}` })).text();
      const query = `key=${clientKey}&auth_token=${canaries.wrongKey}&code=${canaries.code}`;
      for (const path of [
        '/v1beta/models/m-quote:generateContent',
        '/v1beta/models/none:generateContent',
        '/nowhere',
      ]) {
        const body = JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'hi' }] }] });
        await (await fetch(`${lab.url}${path}?${query}`, { method: 'POST', body })).text();
      }
      for (const credential of lab.store.list()) {
        if (credential.source === 'file')
          await lab.refresher.ensureFresh(credential, { force: true }).catch(() => undefined);
      }
      const metrics = await lab.metrics();
      const sources = JSON.stringify(Object.values(lab.usage.snapshot().apis));
      await lab.logs();
      await lab.settled();
      const outputs = [
        ...textsBelow(lab.logDir),
        { file: 'metrics', text: metrics },
        { file: 'usage records', text: sources },
      ];
      assert.ok(
        outputs.some(({ file, text }) => file.endsWith('main.log') && text.includes('bad key: Bearer sk-c...6789')),
      );
      assert.ok(outputs.filter(({ file }) => /-[0-9a-f]{8}\.log$/.test(file)).length >= 5);
      const secrets = [clientKey, upstreamKey, answerCookie.slice(8, 31), ...Object.values(canaries)];
      for (const { file, text } of outputs) {
        for (const secret of secrets) assert.ok(!text.includes(secret), `${secret} is in ${file}`);
      }
    } finally {
      await lab.close();
    }
  });
}
