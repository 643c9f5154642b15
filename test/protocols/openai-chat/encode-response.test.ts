import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import { foldAnswer } from '../../../src/protocols/fold.ts';
import type { StreamPart } from '../../../src/protocols/neutral.ts';
import { openaiChat } from '../../../src/protocols/openai-chat/index.ts';
import { answers } from '../answers.ts';
import { dataOf, ids, readParts, writeAll } from '../read-parts.ts';

const context = (includeUsage = false) => ({
  model: 'shown',
  now: () => 7_000,
  newId: ids(),
  request: { model: 'x', stream: true, messages: [], tools: [], includeUsage },
});

type Chunk = {
  id: string;
  object: string;
  created: number;
  model: string;
  choices: Array<{ delta: Record<string, unknown>; finish_reason: string | null }>;
  usage?: unknown;
};

const write = (parts: StreamPart[], includeUsage = false): Chunk[] =>
  dataOf(writeAll(openaiChat.streamEncoder(context(includeUsage)), parts)) as Chunk[];

const said: StreamPart[] = [
  { type: 'text-start', index: 0 },
  { type: 'text-delta', index: 0, text: 'Hi "x"\n' },
  { type: 'text-end', index: 0 },
  { type: 'usage', usage: { input: 3, output: 2 } },
  { type: 'finish', reason: 'stop' },
];

describe('streamEncoder of openai-chat', () => {
  it('writes role, content, one finish reason and [DONE]', () => {
    const chunks = write(said);
    assert.equal(chunks.at(-1), '[DONE]');
    const data = chunks.slice(0, -1);
    assert.deepEqual(
      data.map((chunk) => [chunk.choices[0]?.delta, chunk.choices[0]?.finish_reason]),
      [
        [{ role: 'assistant', content: '' }, null],
        [{ content: 'Hi "x"\n' }, null],
        [{}, 'stop'],
      ],
    );
    for (const { id, object, created, model } of data) {
      assert.deepEqual([id, object, created, model], ['chatcmpl-id1', 'chat.completion.chunk', 7, 'shown']);
    }
  });

  it('tells usage only to a client that asked for it', () => {
    assert.ok(write(said).every((chunk) => chunk.usage === undefined));
    const asked = write(said, true).at(-2);
    assert.deepEqual(asked?.choices, []);
    assert.deepEqual(asked?.usage, { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 });
  });

  it('numbers tool calls from 0 and gives a call without arguments an empty object', () => {
    const chunks = write([
      { type: 'tool-start', index: 4, id: 'a', name: 'f' },
      { type: 'tool-start', index: 9, id: 'b', name: 'g' },
      { type: 'tool-delta', index: 9, text: '{"x":1}' },
      { type: 'tool-end', index: 4 },
      { type: 'tool-end', index: 9 },
      { type: 'finish', reason: 'stop' },
    ]);
    const deltas = chunks.slice(1, -2).flatMap((chunk) => chunk.choices[0]?.delta.tool_calls);
    assert.deepEqual(deltas, [
      { index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } },
      { index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '' } },
      { index: 1, function: { arguments: '{"x":1}' } },
      { index: 0, function: { arguments: '{}' } },
    ]);
    assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'tool_calls');
  });

  it('ends a failed stream with an error and without [DONE]', () => {
    const encoder = openaiChat.streamEncoder(context());
    const failure = new Failure({ kind: 'transient', status: 502, message: 'cut' });
    assert.deepEqual(dataOf(encoder.fail(failure)), [
      { error: { message: 'cut', type: 'server_error', code: 'internal_server_error' } },
    ]);
    assert.equal(encoder.end(), '');
  });

  it('is undone by the decoder, for any answer', () => {
    fc.assert(
      fc.property(answers(), (parts) => {
        const stream = writeAll(openaiChat.streamEncoder(context(true)), parts);
        const back = readParts(openaiChat.streamDecoder, stream);
        const [want, got] = [foldAnswer(parts), foldAnswer(back)];
        assert.deepEqual(got.usage, want.usage && { ...want.usage, total: want.usage.input + want.usage.output });
        for (const type of ['text', 'refusal', 'reasoning'] as const) {
          const texts = (answer: typeof want): string =>
            answer.blocks.flatMap((block) => (block.type === type ? [block.text] : [])).join('');
          assert.equal(texts(got).replaceAll('\n\n', ''), texts(want).replaceAll('\n\n', ''));
        }
        assert.deepEqual(
          got.blocks.filter((block) => block.type === 'tool-call'),
          want.blocks
            .filter((block) => block.type === 'tool-call')
            .map((block) => ({ ...block, arguments: block.arguments || '{}' })),
        );
      }),
    );
  });
});

describe('encodeResponse of openai-chat', () => {
  it('has null content beside calls, and an empty text when nothing was said', () => {
    const message = (parts: StreamPart[]): Record<string, unknown> => {
      const body = openaiChat.encodeResponse([...parts, { type: 'finish', reason: 'stop' }], context());
      return (body.choices as unknown as Array<{ message: Record<string, unknown> }>)[0]?.message ?? {};
    };
    assert.equal(message([]).content, '');
    assert.equal(message([{ type: 'tool-start', index: 0, id: 'a', name: 'f' }]).content, null);
  });

  it('joins separate thoughts with a blank line and shows images', () => {
    const body = openaiChat.encodeResponse(
      [
        { type: 'reasoning-start', index: 0 },
        { type: 'reasoning-delta', index: 0, text: 'a' },
        { type: 'reasoning-start', index: 1 },
        { type: 'reasoning-delta', index: 1, text: 'b' },
        { type: 'file', index: 2, mediaType: 'image/png', base64: 'QUJD' },
        { type: 'finish', reason: 'length' },
      ],
      context(),
    );
    assert.deepEqual(body.choices, [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: null,
          refusal: null,
          reasoning_content: 'a\n\nb',
          images: [{ index: 0, type: 'image_url', image_url: { url: 'data:image/png;base64,QUJD' } }],
        },
        logprobs: null,
        finish_reason: 'length',
      },
    ]);
  });
});

describe('encodeError of openai-chat', () => {
  it('puts message, type and code in the envelope, and more when the failure has it', () => {
    const failure = new Failure({
      kind: 'unavailable',
      status: 429,
      message: 'all cooling',
      code: 'model_cooldown',
      details: { reset_seconds: 3 },
    });
    assert.deepEqual(openaiChat.encodeError(failure), {
      status: 429,
      body: {
        error: { message: 'all cooling', type: 'rate_limit_error', code: 'model_cooldown', reset_seconds: 3 },
      },
    });
  });

  it('quotes an upstream of its own family verbatim, and no other', () => {
    const upstreamBody = '{"error":{"message":"slow","type":"requests"}}';
    const failure = (upstreamProtocol: string) =>
      new Failure({ kind: 'quota', status: 429, message: 'slow', upstreamBody, upstreamProtocol });
    assert.deepEqual(openaiChat.encodeError(failure('openai-responses')).body, JSON.parse(upstreamBody));
    assert.deepEqual(openaiChat.encodeError(failure('anthropic')).body, {
      error: { message: 'slow', type: 'rate_limit_error', code: 'rate_limit_exceeded' },
    });
  });
});
