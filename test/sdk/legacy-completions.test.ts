// The official `openai` package, legacy completions: a chat upstream loses nothing, every other shape answers as well.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { binaryExists, type Proxy as RunningProxy, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { clientKey, configFor, shapes } from './scenarios.ts';

const head = { id: 'c', created: 1, model: 'world-model-a' };
const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };

describe('openai: legacy completions', { skip: binaryExists ? false : 'the program is not built' }, () => {
  let world: World;
  let proxy: RunningProxy;
  let client: OpenAI;
  before(async () => {
    world = await startWorld();
    proxy = await startProxy({ config: configFor(world) });
    client = new OpenAI({ apiKey: clientKey, baseURL: `${proxy.url}/v1`, maxRetries: 0 });
  });
  after(async () => {
    await proxy?.stop();
    await world?.close();
  });

  for (const { shape, model } of shapes) {
    test(`an upstream that speaks ${shape} answers, whole and streamed`, async () => {
      const whole = await client.completions.create({ model, prompt: 'once' });
      assert.equal(whole.object, 'text_completion');
      assert.match(whole.choices[0]?.text ?? '', /echo: once/);
      assert.equal(whole.choices[0]?.finish_reason, 'stop');
      let text = '';
      const ends: unknown[] = [];
      for await (const chunk of await client.completions.create({ model, prompt: 'once', stream: true })) {
        assert.equal(chunk.object, 'text_completion');
        text += chunk.choices[0]?.text ?? '';
        if (chunk.choices[0]?.finish_reason) ends.push(chunk.choices[0].finish_reason);
      }
      assert.match(text, /echo: once/);
      assert.deepEqual(ends, ['stop']);
    });
  }

  test('all choices of a chat upstream arrive', async () => {
    const choices = ['Hi', 'Bye'].map((content, index) => ({
      index,
      message: { role: 'assistant', content },
      finish_reason: 'stop',
    }));
    world.script({ provider: 'openai' }, { body: { ...head, object: 'chat.completion', choices, usage } });
    const answer = await client.completions.create({ model: 'via-openai', prompt: 'once', n: 2 });
    assert.deepEqual(
      answer.choices.map(({ index, text, finish_reason }) => [index, text, finish_reason]),
      [
        [0, 'Hi', 'stop'],
        [1, 'Bye', 'stop'],
      ],
    );
    assert.equal(answer.model, 'via-openai');
    assert.equal(world.log.at(-1)?.json?.n, 2);
  });

  for (const asked of [false, true]) {
    test(`all choices of a streamed answer arrive, usage ${asked ? 'as asked' : 'not asked for'}`, async () => {
      const chunk = (choices: object[], more = {}) =>
        `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`;
      const delta = (index: number, content: string, finish_reason: string | null = null) =>
        chunk([{ index, delta: { content }, finish_reason }]);
      const body = [
        chunk([{ index: 0, delta: { role: 'assistant' }, finish_reason: null }]),
        delta(0, 'Hi'),
        delta(1, 'Bye'),
        delta(1, '', 'stop'),
        delta(0, '', 'length'),
        chunk([], { usage }),
        'data: [DONE]\n\n',
      ].join('');
      world.script({ provider: 'openai' }, { body, headers: { 'content-type': 'text/event-stream' } });
      const texts = ['', ''];
      const ends: unknown[] = [];
      let told = 0;
      const stream = await client.completions.create({
        model: 'via-openai',
        prompt: 'once',
        n: 2,
        stream: true,
        ...(asked ? { stream_options: { include_usage: true } } : {}),
      });
      for await (const { choices, usage: found } of stream) {
        if (found) told = found.total_tokens;
        for (const choice of choices) {
          texts[choice.index] += choice.text;
          if (choice.finish_reason) ends.push([choice.index, choice.finish_reason]);
        }
      }
      assert.deepEqual(texts, ['Hi', 'Bye']);
      assert.deepEqual(ends, [
        [1, 'stop'],
        [0, 'length'],
      ]);
      assert.equal(told, asked ? 7 : 0);
    });
  }
});
