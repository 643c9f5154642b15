// Usage statistics of a running server: one record per upstream attempt, without secrets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credential } from '../../src/credentials/credential.ts';
import { keyLabel, sourceOf } from '../../src/observe/usage-observer.ts';
import { Secret } from '../../src/secret.ts';
import { keyDigest } from '../../src/server/access.ts';
import { clientKey, type Lab, openLab, until, upstreamKey } from './lab.ts';

const on = 'usage-statistics-enabled: true';

async function inLab(config: string, run: (lab: Lab) => Promise<void>, keyless = false): Promise<void> {
  const lab = await openLab({ config, keyless });
  try {
    await run(lab);
  } finally {
    await lab.close();
  }
}

test('an answer is one record with its tokens, under the client key and the upstream model', () =>
  inLab(on, async (lab) => {
    await (await lab.chat('m-ok')).text();
    const usage = lab.usage.snapshot();
    const label = keyLabel(clientKey, keyDigest(clientKey));
    assert.ok(!JSON.stringify(usage).includes(clientKey), 'no client key in the statistics');
    const [detail, ...more] = usage.apis[label]?.models['up-ok']?.details ?? [];
    assert.deepEqual(more, []);
    assert.deepEqual(detail?.tokens, {
      input_tokens: 11,
      output_tokens: 7,
      reasoning_tokens: 0,
      cached_tokens: 3,
      total_tokens: 18,
    });
    assert.equal(detail?.failed, false);
    assert.equal(detail?.source, 'sk-c...6789');
    assert.match(detail?.auth_index ?? '', /^[0-9a-f]{16}$/);
    assert.equal(detail?.alias, 'm-ok');
  }));

test('a stream is one record with the usage of its last event', () =>
  inLab(on, async (lab) => {
    await (await lab.chat('m-ok', { stream: true })).text();
    await until(() => lab.over() === 1, 'the end of the request');
    const { total_requests, total_tokens } = lab.usage.snapshot();
    assert.deepEqual([total_requests, total_tokens], [1, 18]);
  }));

test('every attempt of a request counts, the failed one as failed', () =>
  inLab(`${on}\nmodel-fallback: [{ from: m-limit, to: [m-ok] }]`, async (lab) => {
    await (await lab.chat('m-limit')).text();
    const { total_requests, success_count, failure_count } = lab.usage.snapshot();
    assert.deepEqual([total_requests, success_count, failure_count], [2, 1, 1]);
  }));

test('a request that its client ended is one failed record', () =>
  inLab(on, async (lab) => {
    const leave = new AbortController();
    const answer = await lab.chat('m-hang', { stream: true }, { signal: leave.signal });
    await answer.body?.getReader().read();
    leave.abort();
    await until(() => lab.over() === 1, 'the end of the request');
    const { total_requests, failure_count } = lab.usage.snapshot();
    assert.deepEqual([total_requests, failure_count], [1, 1]);
  }));

test('unknown models and cooling credentials are not counted', () =>
  inLab(on, async (lab) => {
    await (await lab.chat('nobody-has-this-one')).text();
    await (await lab.chat('m-limit')).text();
    await (await lab.chat('m-limit')).text();
    assert.equal(lab.usage.snapshot().total_requests, 1);
  }));

test('without client keys records are under method and path', () =>
  inLab(
    on,
    async (lab) => {
      await (await lab.chat('m-ok')).text();
      assert.deepEqual(Object.keys(lab.usage.snapshot().apis), ['POST /v1/chat/completions']);
    },
    true,
  ));

test('nothing is recorded while statistics are off', () =>
  inLab('', async (lab) => {
    await (await lab.chat('m-ok')).text();
    assert.equal(lab.usage.snapshot().total_requests, 0);
  }));

test('the source names the account and never holds a key', () => {
  const source = (more: Partial<Credential>) =>
    sourceOf({ id: 'file.json', provider: 'codex', label: 'label', kind: 'oauth', ...more } as Credential);
  assert.equal(source({ email: 'a@example.com' }), 'a@example.com');
  assert.equal(source({ provider: 'gemini-cli', email: 'a@example.com' }), 'file.json');
  assert.equal(source({ provider: 'vertex', projectId: 'my-project', email: 'a@example.com' }), 'my-project');
  assert.equal(source({ kind: 'api-key', token: new Secret(upstreamKey) }), 'sk-c...6789');
  assert.equal(source({}), 'label');
});
