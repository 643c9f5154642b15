import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { foldAnswer } from '../../../src/protocols/fold.ts';
import type { JsonObject, StreamPart } from '../../../src/protocols/neutral.ts';
import { decodeResponse, streamDecoder } from '../../../src/protocols/openai-responses/decode-response.ts';
import { ids, joinDeltas, type MakeDecoder, readParts, sse } from '../read-parts.ts';

const decoder: MakeDecoder = (emit) => streamDecoder(emit, ids());
const read = (...data: JsonObject[]): StreamPart[] => readParts(decoder, sse(...data));
const blocks = (parts: readonly StreamPart[]): unknown[] =>
  foldAnswer(parts).blocks.map((block) => JSON.parse(JSON.stringify(block)));

const created: JsonObject = { type: 'response.created', response: { id: 'resp_1', model: 'm', created_at: 7 } };
const usage: JsonObject = { input_tokens: 5, output_tokens: 3, output_tokens_details: { reasoning_tokens: 1 } };
const completed = (output: JsonObject[] = [], rest: JsonObject = {}): JsonObject => ({
  type: 'response.completed',
  response: { id: 'resp_1', status: 'completed', output, usage, ...rest },
});
const item = (moment: 'added' | 'done', output_index: number, wire: JsonObject): JsonObject => ({
  type: `response.output_item.${moment}`,
  output_index,
  item: wire,
});
const textDelta = (output_index: number, delta: string, content_index = 0): JsonObject => ({
  type: 'response.output_text.delta',
  output_index,
  content_index,
  delta,
});
const message = (text: string, id = 'msg_1'): JsonObject => ({
  type: 'message',
  id,
  content: [{ type: 'output_text', text }],
});
const thought = (encrypted_content: string, ...texts: string[]): JsonObject => ({
  type: 'reasoning',
  id: 'rs_1',
  summary: texts.map((text) => ({ type: 'summary_text', text })),
  encrypted_content,
});
const call = (args: string): JsonObject => ({
  type: 'function_call',
  id: 'fc_1',
  call_id: 'c1',
  name: 'f',
  arguments: args,
});

describe('streamDecoder of openai-responses', () => {
  it('emits start, blocks, usage and finish', () => {
    const parts = read(
      created,
      item('added', 0, { type: 'message', id: 'msg_1', content: [] }),
      textDelta(0, 'a'),
      textDelta(0, 'b'),
      item('done', 0, message('ab')),
      completed([message('ab')]),
    );
    assert.deepEqual(parts, [
      { type: 'start', id: 'resp_1', model: 'm', created: 7 },
      { type: 'text-start', index: 0 },
      { type: 'text-delta', index: 0, text: 'a' },
      { type: 'text-delta', index: 0, text: 'b' },
      { type: 'text-end', index: 0 },
      { type: 'usage', usage: { input: 5, output: 3, reasoning: 1 } },
      { type: 'finish', reason: 'stop' },
    ]);
  });

  it('joins summary parts with a blank line and keeps the encrypted thought as signature', () => {
    const delta = (summary_index: number, text: string): JsonObject => ({
      type: 'response.reasoning_summary_text.delta',
      output_index: 0,
      summary_index,
      delta: text,
    });
    const parts = read(
      item('added', 0, thought('')),
      delta(0, 'A'),
      delta(0, 'a'),
      delta(1, 'B'),
      item('done', 0, thought('gAAA', 'Aa', 'B')),
      completed(),
    );
    assert.deepEqual(blocks(parts), [{ type: 'reasoning', text: 'Aa\n\nB', signature: 'gAAA', id: 'rs_1' }]);
  });

  it('reads the raw reasoning of open models', () => {
    const parts = read(
      { type: 'response.reasoning_text.delta', output_index: 0, content_index: 0, delta: 'hm' },
      completed(),
    );
    assert.deepEqual(blocks(parts), [{ type: 'reasoning', text: 'hm' }]);
  });

  it('repairs what the deltas left out: from the finished item, else from the finished response', () => {
    const late = read(
      created,
      item('added', 0, { type: 'message', id: 'msg_1', content: [] }),
      textDelta(0, 'He'),
      item('done', 0, message('Hello')),
      item('done', 1, call('{"x":1}')),
      completed(),
    );
    const want = [
      { type: 'text', text: 'Hello' },
      { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"x":1}' },
    ];
    assert.deepEqual(blocks(late), want);
    assert.deepEqual(blocks(read(created, completed([message('Hello'), call('{"x":1}')]))), want);
    assert.equal(late.at(-1)?.type, 'finish');
  });

  it('repeats nothing that was told already', () => {
    const parts = read(item('done', 0, message('Hi')), item('done', 0, message('Hi')), completed([message('Hi')]));
    assert.deepEqual(blocks(parts), [{ type: 'text', text: 'Hi' }]);
  });

  it('tells refusals as refusals', () => {
    const parts = read(
      { type: 'response.refusal.delta', output_index: 0, content_index: 0, delta: 'No' },
      { type: 'response.refusal.done', output_index: 0, content_index: 0, refusal: 'No.' },
      completed(),
    );
    assert.deepEqual(blocks(parts), [{ type: 'refusal', text: 'No.' }]);
  });

  it('keeps several content parts of one message apart and in order', () => {
    const parts = read(textDelta(0, 'a', 0), textDelta(0, 'b', 1), completed());
    assert.deepEqual(blocks(parts), [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]);
  });

  it('tells the free text of a custom tool call as its one argument', () => {
    const custom: JsonObject = { type: 'custom_tool_call', id: 'ct_1', call_id: 'c1', name: 'patch', input: '*** "x"' };
    const parts = read(
      item('added', 0, { ...custom, input: '' }),
      { type: 'response.custom_tool_call_input.delta', output_index: 0, delta: '*** ' },
      item('done', 0, custom),
      completed(),
    );
    assert.deepEqual(blocks(parts), [
      { type: 'tool-call', id: 'c1', name: 'patch', arguments: '{"input":"*** \\"x\\""}' },
    ]);
  });

  it('passes over items that mean nothing elsewhere', () => {
    const search: JsonObject = { type: 'web_search_call', id: 'ws_1', status: 'completed' };
    const parts = read(
      item('added', 0, search),
      item('done', 0, search),
      textDelta(1, 'x'),
      completed([search, message('x')]),
    );
    assert.deepEqual(blocks(parts), [{ type: 'text', text: 'x' }]);
  });

  it('finishes an incomplete response with its reason, also when calls exist', () => {
    const incomplete = (reason: string): StreamPart | undefined =>
      read(item('done', 0, call('{}')), {
        type: 'response.incomplete',
        response: { status: 'incomplete', incomplete_details: { reason } },
      }).at(-1);
    assert.deepEqual(incomplete('max_output_tokens'), { type: 'finish', reason: 'length', raw: 'max_output_tokens' });
    assert.deepEqual(incomplete('content_filter'), { type: 'finish', reason: 'content-filter', raw: 'content_filter' });
  });

  it('takes response.done for an end', () => {
    assert.equal(read({ type: 'response.done', response: {} }).at(-1)?.type, 'finish');
  });

  it('tells response.failed and error events with code, message and status', () => {
    const failed = (code: string): StreamPart | undefined =>
      read(created, { type: 'response.failed', response: { status: 'failed', error: { code, message: 'no' } } }).at(-1);
    assert.deepEqual(failed('server_is_overloaded'), {
      type: 'error',
      message: 'no',
      status: 503,
      code: 'server_is_overloaded',
    });
    assert.deepEqual(failed('rate_limit_exceeded'), {
      type: 'error',
      message: 'no',
      status: 429,
      code: 'rate_limit_exceeded',
    });
    const bare = { type: 'error', code: 'server_error', message: 'bad', param: null };
    assert.deepEqual(read(bare).at(-1), { type: 'error', message: 'bad', status: 500, code: 'server_error' });
    const nested = { type: 'error', error: { type: 'usage_limit_reached', message: 'later' } };
    assert.deepEqual(read(nested).at(-1), {
      type: 'error',
      message: 'later',
      status: 429,
      kind: 'usage_limit_reached',
    });
  });

  it('does not finish when the body ends early', () => {
    const parts = read(created, textDelta(0, 'a'));
    assert.deepEqual(parts.at(-1), { type: 'text-end', index: 0 });
  });

  it('ends a call of a cut stream only if its arguments are whole', () => {
    const cut = (delta: string): boolean =>
      read(item('added', 0, call('')), { type: 'response.function_call_arguments.delta', output_index: 0, delta }).some(
        (part) => part.type === 'tool-end',
      );
    assert.deepEqual(['', '{"x":', '{"x":1}'].map(cut), [false, false, true]);
  });

  it('gives the same parts for every size of read and line end', () => {
    const recorded = [
      created,
      item('added', 0, thought('')),
      item('done', 0, thought('g', 'é')),
      textDelta(1, '你好 👩‍🚀'),
      completed(),
    ]
      .map((data) => `event: ${String(data.type)}\ndata: ${JSON.stringify(data)}\n\n`)
      .join('');
    const whole = readParts(decoder, recorded);
    for (const text of [recorded, recorded.replaceAll('\n', '\r\n')]) {
      for (let size = 1; size < 150; size++) assert.deepEqual(readParts(decoder, text, size), whole);
    }
  });
});

describe('decodeResponse of openai-responses', () => {
  const response: JsonObject = {
    id: 'resp_1',
    object: 'response',
    model: 'm',
    created_at: 7,
    status: 'completed',
    error: null,
    output: [thought('g', 'A', 'B'), message('Hi'), call('{}')],
    usage,
  };

  it('reads thoughts, text, calls, usage and finish', () => {
    assert.deepEqual(joinDeltas(decodeResponse(response)).slice(-2), [
      { type: 'usage', usage: { input: 5, output: 3, reasoning: 1 } },
      { type: 'finish', reason: 'tool-calls' },
    ]);
    assert.deepEqual(blocks(decodeResponse(response)), [
      { type: 'reasoning', text: 'A\n\nB', signature: 'g', id: 'rs_1' },
      { type: 'text', text: 'Hi' },
      { type: 'tool-call', id: 'c1', name: 'f', arguments: '{}' },
    ]);
  });

  it('tells a failed response as an error', () => {
    const failed = { ...response, status: 'failed', error: { code: 'server_error', message: 'no' } };
    assert.deepEqual(decodeResponse(failed), [{ type: 'error', message: 'no', status: 500, code: 'server_error' }]);
  });
});
