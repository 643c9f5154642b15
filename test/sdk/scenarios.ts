// The scenario list that every official SDK must complete against every upstream shape, through the built program.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { binaryExists, type Proxy as RunningProxy, startProxy } from '../world/binary.ts';
import { type Entry, type FakeProviderId, startWorld, type World } from '../world/index.ts';
import { fingerprint } from '../world/model.ts';
import type { Ask, Connect, FunctionSpec, SdkClient } from './client.ts';

/** Upstream shape → the fake service behind it and the alias that clients use. */
export const shapes = [
  { shape: 'openai', service: 'openai', model: 'via-openai' },
  { shape: 'anthropic', service: 'anthropic', model: 'via-anthropic' },
  { shape: 'gemini', service: 'gemini', model: 'via-gemini' },
  { shape: 'responses', service: 'codex-key', model: 'via-responses' },
] as const satisfies readonly { shape: string; service: FakeProviderId; model: string }[];

export const clientKey = 'sk-sdk-tests';

export function configFor(world: World): Record<string, unknown> {
  return {
    'api-keys': [clientKey],
    'request-retry': 0,
    'disable-cooling': true,
    'openai-compatibility': [
      {
        name: 'fake',
        'base-url': world.url('openai', '/v1'),
        'api-key-entries': [{ 'api-key': world.apiKey('openai') }],
        models: [{ name: 'world-model-a', alias: 'via-openai' }],
      },
    ],
    'claude-api-key': [
      {
        'api-key': world.apiKey('anthropic'),
        'base-url': world.url('anthropic'),
        models: [{ name: 'claude-sonnet-4-5-20250929', alias: 'via-anthropic' }],
      },
    ],
    'gemini-api-key': [
      {
        'api-key': world.apiKey('gemini'),
        'base-url': world.url('gemini'),
        models: [{ name: 'gemini-2.5-pro', alias: 'via-gemini' }],
      },
    ],
    'codex-api-key': [
      {
        'api-key': world.apiKey('codex-key'),
        'base-url': world.url('codex-key'),
        models: [{ name: 'gpt-5', alias: 'via-responses' }],
      },
    ],
  };
}

const tool = (name: string): FunctionSpec => ({
  name,
  description: `Looks ${name} up`,
  parameters: {
    type: 'object',
    properties: { q: { type: 'string' }, n: { type: 'integer' } },
    required: ['q', 'n'],
    additionalProperties: false,
  },
});
const twoTools = [tool('weather'), tool('news')];

/** A red dot. */
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==';

const person: JsonObject = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
};

/** Input includes cached tokens, output includes reasoning ones; told by the fake model. */
const usage = { input: 11, output: 7 };

export function playScenarios(name: string, connect: Connect): void {
  describe(name, { skip: binaryExists ? false : 'the program is not built', concurrency: false }, () => {
    let world: World;
    let proxy: RunningProxy;
    let client: SdkClient;
    before(async () => {
      world = await startWorld();
      proxy = await startProxy({ config: configFor(world) });
      client = connect({ url: proxy.url, key: clientKey });
    });
    after(async () => {
      await proxy?.stop();
      await world?.close();
    });

    for (const { shape, service, model } of shapes) {
      describe(`an upstream that speaks ${shape}`, { concurrency: false }, () => {
        let from = 0;
        const seen = (): Entry[] => world.log.slice(from);
        const last = (): Entry => {
          const entry = seen().at(-1);
          assert.ok(entry, 'no request reached the upstream');
          assert.equal(entry.provider, service);
          return entry;
        };
        const play = (title: string, body: () => Promise<void>): void => {
          test(title, async () => {
            from = world.log.length;
            await body();
            assert.deepEqual(
              seen().flatMap((entry) => entry.problems),
              [],
            );
          });
        };

        play('a text with a system prompt is answered', async () => {
          const answer = await client.ask({ model, prompt: 'hello', system: 'Be exact-41.' });
          assert.match(answer.text, /echo: hello .*✓é漢😀/);
          assert.equal(answer.finish, 'stop');
          assert.deepEqual({ input: answer.input, output: answer.output }, usage);
          assert.match(last().body, /Be exact-41\./);
        });

        play('a stream comes in pieces and ends well', async () => {
          const pieces: string[] = [];
          const answer = await client.stream({ model, prompt: 'long-12' }, (text) => pieces.push(text));
          assert.ok(pieces.length >= 3, `${pieces.length} pieces`);
          assert.match(answer.text, /echo: long-12 .*✓é漢😀/);
          assert.equal(pieces.join(''), answer.text);
          assert.equal(answer.finish, 'stop');
          assert.deepEqual({ input: answer.input, output: answer.output }, usage);
        });

        for (const way of ['whole', 'streamed'] as const) {
          const tell = (ask: Ask) => (way === 'whole' ? client.ask(ask) : client.stream(ask, () => {}));
          play(`parallel tool calls go there and back, ${way}`, async () => {
            const ask: Ask = { model, prompt: 'use-tools-2', tools: twoTools };
            const calls = await tell(ask);
            assert.equal(calls.finish, 'tools');
            assert.deepEqual(
              calls.calls.map((call) => [call.name, call.arguments]),
              [
                ['weather', { q: 'v0', n: 1 }],
                ['news', { q: 'v1', n: 2 }],
              ],
            );
            const answer = await tell({ ...ask, after: { answer: calls, results: ['sunny-1', 'quiet-2'] } });
            assert.match(answer.text, /tool_result=.*quiet-2/);
            assert.deepEqual(answer.calls, []);
            const { body } = last();
            assert.ok(body.indexOf('sunny-1') >= 0 && body.indexOf('sunny-1') < body.indexOf('quiet-2'), body);
          });
        }

        play('an image arrives unchanged', async () => {
          const answer = await client.ask({ model, prompt: 'what is it', image: png });
          assert.ok(answer.text.includes(`images=${fingerprint(png)}`), answer.text);
        });

        play('structured output is asked for and parsed', async () => {
          world.script({ provider: service, kind: 'chat' }, { reply: { text: '{"name":"Ada","age":36}' } });
          const answer = await client.ask({ model, prompt: 'who', schema: person });
          assert.deepEqual(JSON.parse(answer.text), { name: 'Ada', age: 36 });
          // The schema travels in the place that the service has for it, with its properties.
          assert.match(last().body, /"properties":\{"name":/);
        });

        play('reasoning is asked for and shown, whole and streamed', async () => {
          for (const answer of [
            await client.ask({ model, prompt: 'think hard', think: true }),
            await client.stream({ model, prompt: 'think hard', think: true }, () => {}),
          ]) {
            assert.match(answer.text, /echo: think hard/);
            if (!client.hidesReasoning) assert.equal(answer.reasoning.trim(), 'thinking about it');
          }
          assert.match(last().body, /reasoning_effort|"thinking"|thinkingConfig|"reasoning"/);
        });

        for (const [kind, status] of [
          ['rate-limit', 429],
          ['invalid-request', 400],
          ['server-error', 500],
        ] as const) {
          play(`an upstream's ${status} is the SDK's error with that status`, async () => {
            for (const way of ['whole', 'streamed']) {
              world.script({ provider: service, kind: 'chat' }, { error: kind });
              const ask: Ask = { model, prompt: 'hello' };
              const attempt = way === 'whole' ? client.ask(ask) : client.stream(ask, () => {});
              const error = await attempt.then(
                (answer) => assert.fail(`no error was raised: ${answer.text}`),
                (reason: unknown) => reason,
              );
              assert.equal(client.status(error), status, String(error));
            }
          });
        }

        for (const [what, action] of [
          ['breaks', { cutAfter: 5 }],
          ['reports an error', { errorEventAfter: 5 }],
        ] as const) {
          play(`a stream that ${what} in the middle is not taken for complete`, async () => {
            world.script({ provider: service, kind: 'chat' }, action);
            const outcome = await client
              .stream({ model, prompt: 'long-20' }, () => {})
              .then(
                (answer) => answer.finish,
                () => 'raised',
              );
            assert.ok(outcome === 'raised' || outcome === 'other', `it ended with ${outcome}`);
          });
        }

        play('an abort reaches the upstream', async () => {
          const script = world.script({ provider: service, kind: 'chat' }, { holdAfter: 6 });
          const abort = new AbortController();
          const ask: Ask = { model, prompt: 'long-20', signal: abort.signal };
          await client.stream(ask, () => abort.abort()).catch(() => {});
          await world.until(() => last().state === 'aborted', 'the end of the upstream request');
          script.release();
        });
      });
    }
  });
}
