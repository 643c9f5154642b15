import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../../../src/failure.ts';
import type { StreamPart } from '../../../src/protocols/neutral.ts';
import { chatToCompletion, chunkToCompletion, completions } from '../../../src/protocols/openai-chat/index.ts';
import { dataOf, ids, writeAll } from '../read-parts.ts';

const context = () => ({ model: 'shown', now: () => 7_000, newId: ids() });
const parts: StreamPart[] = [
  { type: 'start', id: 'x' },
  { type: 'reasoning-start', index: 0 },
  { type: 'reasoning-delta', index: 0, text: 'hm' },
  { type: 'text-start', index: 1 },
  { type: 'text-delta', index: 1, text: 'Hi' },
  { type: 'tool-start', index: 2, id: 'a', name: 'f' },
  { type: 'usage', usage: { input: 3, output: 2 } },
  { type: 'finish', reason: 'tool-calls' },
];

describe('legacy completions', () => {
  it('turn the prompt into one user message and keep the sampling', () => {
    const body = { model: 'm', prompt: ['a', 'b'], max_tokens: 5, n: 2, seed: 1, logprobs: 2, echo: true, suffix: 's' };
    assert.deepEqual(completions.toChat(body), {
      model: 'm',
      max_tokens: 5,
      n: 2,
      seed: 1,
      logprobs: true,
      top_logprobs: 2,
      messages: [{ role: 'user', content: 'a\nb' }],
    });
    assert.equal(completions.decodeRequest(body).candidates, 2);
  });

  it('ask for something when the prompt is empty, and refuse a prompt that is no text', () => {
    for (const prompt of ['', [], null]) {
      assert.deepEqual(completions.toChat({ model: 'm', prompt }).messages, [
        { role: 'user', content: 'Complete this:' },
      ]);
    }
    assert.throws(() => completions.toChat({ model: 'm', prompt: [1, 2] }), Failure);
  });

  it('stream text only, with one finish reason that this API knows', () => {
    const chunks = dataOf(writeAll(completions.streamEncoder(context()), parts));
    const chunk = (text: string, finish_reason: string | null) => ({
      id: 'x',
      object: 'text_completion',
      created: 7,
      model: 'shown',
      choices: [{ index: 0, text, logprobs: null, finish_reason }],
    });
    assert.deepEqual(chunks, [chunk('Hi', null), chunk('', 'stop'), '[DONE]']);
  });

  it('answer whole with text and usage', () => {
    assert.deepEqual(completions.encodeResponse(parts, context()), {
      id: 'x',
      object: 'text_completion',
      created: 7,
      model: 'shown',
      choices: [{ index: 0, text: 'Hi', logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
  });

  it('keep every choice of a chat upstream', () => {
    const choice = (index: number, content: string) => ({ index, message: { content }, finish_reason: 'stop' });
    const whole = chatToCompletion({ id: 'x', object: 'chat.completion', choices: [choice(0, 'a'), choice(1, 'b')] });
    assert.deepEqual(whole, {
      id: 'x',
      object: 'text_completion',
      choices: [
        { index: 0, text: 'a', logprobs: null, finish_reason: 'stop' },
        { index: 1, text: 'b', logprobs: null, finish_reason: 'stop' },
      ],
    });
    const delta = { choices: [{ index: 1, delta: { content: 'x' }, finish_reason: null }] };
    assert.deepEqual(JSON.parse(chunkToCompletion(JSON.stringify(delta)) ?? ''), {
      object: 'text_completion',
      choices: [{ index: 1, text: 'x', logprobs: null, finish_reason: null }],
    });
  });

  it('leave out chunks without text, and let errors and [DONE] through', () => {
    const role = { choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] };
    assert.equal(chunkToCompletion(JSON.stringify(role)), undefined);
    for (const data of ['[DONE]', '{"error":{"message":"no"}}']) assert.equal(chunkToCompletion(data), data);
  });
});
