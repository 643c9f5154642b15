import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { foldAnswer } from '../../../src/protocols/fold.ts';
import type { JsonObject, StreamPart } from '../../../src/protocols/neutral.ts';
import { decodeResponse, streamDecoder } from '../../../src/protocols/openai-chat/decode-response.ts';
import { ids, joinDeltas, type MakeDecoder, readParts, sse } from '../read-parts.ts';

const decoder: MakeDecoder = (emit) => streamDecoder(emit, ids());
const read = (...data: unknown[]): StreamPart[] => readParts(decoder, sse(...data));

const chunk = (delta: object, finish: string | null = null): object => ({
  id: 'chatcmpl-1',
  created: 7,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const call = (...deltas: object[]): object => chunk({ tool_calls: deltas });
const done = chunk({}, 'tool_calls');
const calls = (parts: readonly StreamPart[]): unknown[] =>
  foldAnswer(parts)
    .blocks.filter((block) => block.type === 'tool-call')
    .map(({ id, name, arguments: text }) => [id, name, text]);

describe('streamDecoder of openai-chat', () => {
  it('emits start, blocks, the last usage and one finish', () => {
    const parts = read(
      { ...chunk({ role: 'assistant', content: '' }), usage: null },
      chunk({ reasoning_content: 'hm' }),
      chunk({ content: 'a' }),
      { ...chunk({ content: 'b' }), usage: { prompt_tokens: 1, completion_tokens: 1 } },
      chunk({}, 'stop'),
      { choices: [], usage: { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 2 } } },
      '[DONE]',
    );
    assert.deepEqual(parts, [
      { type: 'start', id: 'chatcmpl-1', model: 'm', created: 7 },
      { type: 'reasoning-start', index: 0 },
      { type: 'reasoning-delta', index: 0, text: 'hm' },
      { type: 'reasoning-end', index: 0 },
      { type: 'text-start', index: 1 },
      { type: 'text-delta', index: 1, text: 'a' },
      { type: 'text-delta', index: 1, text: 'b' },
      { type: 'text-end', index: 1 },
      { type: 'usage', usage: { input: 5, output: 3, cacheRead: 2 } },
      { type: 'finish', reason: 'stop', raw: 'stop' },
    ]);
  });

  it('finishes without [DONE] when a finish reason came', () => {
    assert.deepEqual(read(chunk({ content: 'a' }, 'length')).at(-1), {
      type: 'finish',
      reason: 'length',
      raw: 'length',
    });
  });

  it('does not finish when the body ends before any end was told', () => {
    const parts = read(chunk({ content: 'a' }));
    assert.deepEqual(parts.at(-1), { type: 'text-end', index: 0 });
  });

  it('tells a failure inside the stream, with the status it stands for, and nothing after it', () => {
    const parts = read(
      chunk({ content: 'a' }),
      { error: { message: 'slow', type: 'rate_limit_error' } },
      chunk({}, 'stop'),
    );
    assert.deepEqual(parts.at(-1), { type: 'error', message: 'slow', status: 429, kind: 'rate_limit_error' });
  });

  it('knows an error by its event name and by its type', () => {
    const named = readParts(decoder, 'event: error\ndata: {"message":"no","code":503}\n\n');
    assert.deepEqual(named.at(-1), { type: 'error', message: 'no', status: 503, code: '503' });
    const typed = read({ type: 'error', error: { type: 'overloaded_error', message: 'full' } });
    assert.deepEqual(typed.at(-1), { type: 'error', message: 'full', status: 529, kind: 'overloaded_error' });
  });

  it('reads nothing after [DONE]', () => {
    assert.deepEqual(read(chunk({}, 'stop'), '[DONE]', chunk({ content: 'x' })).at(-1)?.type, 'finish');
  });

  it('never mixes a second choice into the first', () => {
    const second = { choices: [{ index: 1, delta: { content: 'no' }, finish_reason: 'stop' }] };
    const parts = read(chunk({ content: 'a' }), second, chunk({ content: 'b' }, 'stop'));
    assert.deepEqual(foldAnswer(parts).blocks, [{ type: 'text', text: 'ab' }]);
  });

  it('calls a normal end with tool calls what it is', () => {
    const parts = read(call({ index: 0, id: 'c', function: { name: 'f', arguments: '{}' } }), chunk({}, 'stop'));
    assert.deepEqual(parts.at(-1), { type: 'finish', reason: 'tool-calls', raw: 'stop' });
  });

  it('keeps a finish reason it does not know as `other`', () => {
    assert.deepEqual(read(chunk({}, 'network_error')).at(-1), {
      type: 'finish',
      reason: 'other',
      raw: 'network_error',
    });
  });
});

describe('tool calls of openai-chat streams', () => {
  it('follow interleaved indexes', () => {
    const parts = read(
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x":' } }),
      call({ index: 1, id: 'b', function: { name: 'g', arguments: '{' } }),
      call({ index: 0, function: { arguments: '1}' } }, { index: 1, function: { arguments: '}' } }),
      done,
    );
    assert.deepEqual(calls(parts), [
      ['a', 'f', '{"x":1}'],
      ['b', 'g', '{}'],
    ]);
  });

  it('take repeated ids and names for the same call', () => {
    const delta = (text: string): object => call({ index: 0, id: 'a', function: { name: 'f', arguments: text } });
    assert.deepEqual(calls(read(delta('{"x"'), delta(':1}'), done)), [['a', 'f', '{"x":1}']]);
  });

  it('are told apart by id when every call has index 0', () => {
    const parts = read(
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x":1' } }),
      call({ index: 0, function: { arguments: '}' } }),
      call({ index: 0, id: 'b', function: { name: 'f', arguments: '{"y":2' } }),
      call({ index: 0, function: { arguments: '}' } }),
      done,
    );
    assert.deepEqual(calls(parts), [
      ['a', 'f', '{"x":1}'],
      ['b', 'f', '{"y":2}'],
    ]);
  });

  it('may come without any index', () => {
    const parts = read(
      call({ id: 'a', function: { name: 'f', arguments: '{' } }),
      call({ function: { arguments: '}' } }),
      call({ id: 'b', function: { name: 'g', arguments: '{}' } }),
      done,
    );
    assert.deepEqual(calls(parts), [
      ['a', 'f', '{}'],
      ['b', 'g', '{}'],
    ]);
  });

  it('get an id when the server gives none, and wait for their name', () => {
    const parts = read(
      call({ index: 0, function: { arguments: '{"x"' } }),
      call({ index: 0, function: { name: 'f', arguments: ':1}' } }),
      done,
    );
    assert.deepEqual(calls(parts), [['call_id1', 'f', '{"x":1}']]);
  });

  it('may have their arguments as an object', () => {
    const parts = read(call({ index: 0, id: 'a', function: { name: 'f', arguments: { x: 1 } } }), done);
    assert.deepEqual(calls(parts), [['a', 'f', '{"x":1}']]);
  });

  it('may be spelt as a legacy function_call', () => {
    const parts = read(
      chunk({ function_call: { name: 'f', arguments: '{' } }),
      chunk({ function_call: { arguments: '}' } }),
      chunk({}, 'function_call'),
    );
    assert.deepEqual(calls(parts), [['call_id1', 'f', '{}']]);
  });

  it('keep arguments that are not JSON as they are', () => {
    const parts = read(call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x": oops' } }), done);
    assert.deepEqual(calls(parts), [['a', 'f', '{"x": oops']]);
  });

  it('end when the stream is cut only if their arguments are whole', () => {
    const cut = (text: string): boolean =>
      read(call({ index: 0, id: 'a', function: { name: 'f', arguments: text } })).some(
        (part) => part.type === 'tool-end',
      );
    assert.deepEqual(['', '{"x":', '{"x":1}'].map(cut), [false, false, true]);
  });

  it('come out the same wherever the arguments were cut', () => {
    const argument = JSON.stringify({ city: 'Malmö "x" \\ \n 👩‍🚀', list: [1, [2]] });
    const cuts = fc.array(fc.nat(argument.length), { maxLength: 6 });
    fc.assert(
      fc.property(cuts, (points) => {
        const sorted = [0, ...points.sort((a, b) => a - b), argument.length];
        const pieces = sorted.slice(1).map((end, i) => argument.slice(sorted[i], end));
        const parts = read(
          call({ index: 0, id: 'a', function: { name: 'f', arguments: '' } }),
          ...pieces.map((text) => call({ index: 0, function: { arguments: text } })),
          done,
        );
        assert.deepEqual(calls(parts), [['a', 'f', argument]]);
      }),
    );
  });
});

describe('a recorded chat stream', () => {
  const recorded = sse(
    chunk({ role: 'assistant', content: null }),
    chunk({ reasoning_content: 'dénk ' }),
    chunk({ content: 'café 你好 👩‍🚀' }),
    call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"ø":' } }),
    call({ index: 1, id: 'b', function: { name: 'g', arguments: '' } }),
    call({ index: 0, function: { arguments: '"x\\n"}' } }, { index: 1, function: { arguments: '{}' } }),
    chunk({}, 'tool_calls'),
    { choices: [], usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 } },
    '[DONE]',
  );

  it('gives the same parts for every size of read and every line end', () => {
    const whole = readParts(decoder, recorded);
    for (const text of [
      recorded,
      recorded.replaceAll('\n', '\r\n'),
      recorded.replaceAll('data: ', ': ping\n\ndata:'),
    ]) {
      for (let size = 1; size < 200; size++) assert.deepEqual(readParts(decoder, text, size), whole);
    }
  });

  it('never finishes when it is cut before its finish reason', () => {
    const end = Buffer.from(recorded).indexOf('"tool_calls"}]');
    for (let length = 0; length < end; length++) {
      const parts = readParts(decoder, Buffer.from(recorded).subarray(0, length));
      assert.ok(!parts.some((part) => part.type === 'finish' || part.type === 'error'), `cut at ${length}`);
    }
  });

  it('says the same as the whole answer', () => {
    const tool = (id: string, name: string, text: string): JsonObject => ({
      id,
      type: 'function',
      function: { name, arguments: text },
    });
    const message = {
      role: 'assistant',
      content: 'café 你好 👩‍🚀',
      reasoning_content: 'dénk ',
      tool_calls: [tool('a', 'f', '{"ø":"x\\n"}'), tool('b', 'g', '{}')],
    };
    const body = {
      id: 'chatcmpl-1',
      created: 7,
      model: 'm',
      choices: [{ index: 0, message, finish_reason: 'tool_calls' }],
      usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
    };
    assert.deepEqual(foldAnswer(decodeResponse(body)), foldAnswer(readParts(decoder, recorded)));
    assert.deepEqual(joinDeltas(decodeResponse(body)).at(0), {
      type: 'start',
      id: 'chatcmpl-1',
      model: 'm',
      created: 7,
    });
  });
});

describe('a chat stream of any texts', () => {
  it('is read the same whether its chunks repeat or not', () => {
    const said = fc.record({
      member: fc.constantFrom('content', 'reasoning_content', 'refusal'),
      text: fc.string({ unit: 'grapheme', maxLength: 8 }),
      odd: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(said, { maxLength: 20 }), (saids) => {
        const even = saids.map(({ member, text }) => chunk({ [member]: text }));
        const uneven = even.map((data, i) => ({ ...data, padding: i }));
        const spaced = even.map((data, i) =>
          saids[i]?.odd ? JSON.stringify(data, null, 1).replaceAll('\n', '') : data,
        );
        const want = read(...uneven, chunk({}, 'stop'));
        assert.deepEqual(read(...even, chunk({}, 'stop')), want);
        assert.deepEqual(read(...spaced, chunk({}, 'stop')), want);
      }),
    );
  });
});

describe('decodeResponse of openai-chat', () => {
  it('does not finish an answer without choices and usage', () => {
    assert.deepEqual(decodeResponse({ choices: [] }), [{ type: 'start' }]);
    assert.ok(!decodeResponse({}).some((part) => part.type === 'finish'));
  });

  it('tells an error body as an error', () => {
    assert.deepEqual(decodeResponse({ error: { message: 'no', code: 403 } }), [
      { type: 'error', message: 'no', status: 403, code: '403' },
    ]);
  });

  it('keeps two calls apart that share an id', () => {
    const one = { id: 'a', function: { name: 'f', arguments: '{}' } };
    const parts = decodeResponse({ choices: [{ message: { tool_calls: [one, one] }, finish_reason: 'stop' }] });
    assert.equal(calls(parts).length, 2);
  });
});
