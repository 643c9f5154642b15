import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import { foldAnswer } from '../../../src/protocols/fold.ts';
import type { StreamPart } from '../../../src/protocols/neutral.ts';
import { openaiResponses } from '../../../src/protocols/openai-responses/index.ts';
import type { AnswerContext } from '../../../src/protocols/protocol.ts';
import { sseParser } from '../../../src/protocols/sse.ts';
import { answers } from '../answers.ts';
import { dataOf, ids, readParts, writeAll } from '../read-parts.ts';

const context = (): AnswerContext => ({ model: 'shown', now: () => 7_000, newId: ids() });

interface Item {
  id: string;
  type: string;
  [key: string]: unknown;
}

interface Event {
  type: string;
  sequence_number: number;
  output_index?: number;
  item_id?: string;
  delta?: string;
  text?: string;
  arguments?: string;
  refusal?: string;
  part?: { text?: string; refusal?: string };
  item?: Item;
  response?: { status: string; output: Item[]; [key: string]: unknown };
}

const write = (parts: readonly StreamPart[], given = context()): Event[] =>
  dataOf(writeAll(openaiResponses.streamEncoder(given), parts)) as Event[];

const finished = (item: Item | undefined): unknown => {
  const first = (list: unknown): { text?: string; refusal?: string } | undefined =>
    (list as Array<{ text?: string; refusal?: string }> | undefined)?.[0];
  return item?.arguments ?? first(item?.summary)?.text ?? first(item?.content)?.text ?? first(item?.content)?.refusal;
};

const text = (index: number, ...pieces: string[]): StreamPart[] => [
  { type: 'text-start', index },
  ...pieces.map((piece): StreamPart => ({ type: 'text-delta', index, text: piece })),
  { type: 'text-end', index },
];

describe('streamEncoder of openai-responses', () => {
  it('writes the whole event order of a message', () => {
    const types = write([...text(0, 'a', 'b'), { type: 'finish', reason: 'stop' }]).map((event) => event.type);
    assert.deepEqual(types, [
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
  });

  it('names every event after its type', () => {
    const stream = writeAll(openaiResponses.streamEncoder(context()), [
      ...text(0, 'a'),
      { type: 'finish', reason: 'stop' },
    ]);
    const parser = sseParser(({ event, data }) => assert.equal(event, JSON.parse(data).type));
    parser.push(Buffer.from(stream));
  });

  it('keeps the contract for any answer: rising numbers, one id per item, deltas = done = finished item', () => {
    fc.assert(
      fc.property(answers(), (parts) => {
        const events = write(parts);
        const deltas = new Map<string, string>();
        const added: Item[] = [];
        const done: Item[] = [];
        events.forEach((event, index) => {
          assert.equal(event.sequence_number, index);
          if (event.type.endsWith('.delta'))
            deltas.set(event.item_id ?? '', (deltas.get(event.item_id ?? '') ?? '') + event.delta);
          if (event.type === 'response.output_item.added') {
            assert.equal(event.output_index, added.length);
            added.push(event.item as Item);
          }
          if (/(text|arguments|refusal)\.done$/.test(event.type)) {
            assert.equal(event.text ?? event.arguments ?? event.refusal, deltas.get(event.item_id ?? ''));
          }
          if (event.type.endsWith('part.done')) {
            assert.equal(event.part?.text ?? event.part?.refusal, deltas.get(event.item_id ?? ''));
          }
          if (event.type === 'response.output_item.done') {
            assert.equal(finished(event.item), deltas.get(event.item?.id ?? ''));
            done.push(event.item as Item);
          }
        });
        assert.deepEqual(
          done.map((item) => item.id),
          added.map((item) => item.id),
        );
        assert.equal(events[0]?.type, 'response.created');
        assert.deepEqual(events[0]?.response?.output, []);
        assert.equal(events.at(-1)?.type, 'response.completed');
        assert.deepEqual(events.at(-1)?.response?.output, done);
      }),
    );
  });

  it('keeps interleaved parallel calls apart', () => {
    const events = write([
      { type: 'tool-start', index: 0, id: 'a', name: 'f' },
      { type: 'tool-start', index: 1, id: 'b', name: 'g' },
      { type: 'tool-delta', index: 1, text: '{"y"' },
      { type: 'tool-delta', index: 0, text: '{}' },
      { type: 'tool-delta', index: 1, text: ':1}' },
      { type: 'tool-end', index: 1 },
      { type: 'tool-end', index: 0 },
      ...text(2, 'after'),
      { type: 'finish', reason: 'tool-calls' },
    ]);
    const output = events.at(-1)?.response?.output ?? [];
    assert.deepEqual(
      output.map((item) => [item.id, item.call_id, finished(item)]),
      [
        ['fc_a', 'a', '{}'],
        ['fc_b', 'b', '{"y":1}'],
        ['msg_id2', undefined, 'after'],
      ],
    );
  });

  it('leaves no trace of blocks that say nothing', () => {
    const events = write([
      { type: 'reasoning-start', index: 0, redacted: 'xx' },
      { type: 'reasoning-end', index: 0 },
      { type: 'text-start', index: 1 },
      { type: 'text-end', index: 1 },
      { type: 'finish', reason: 'stop' },
    ]);
    assert.equal(events.length, 3);
    assert.deepEqual(events.at(-1)?.response?.output, []);
  });

  it('ends a truncated or filtered answer as incomplete, with the reason', () => {
    for (const [reason, why] of [
      ['length', 'max_output_tokens'],
      ['content-filter', 'content_filter'],
      ['refusal', 'content_filter'],
    ] as const) {
      const last = write([...text(0, 'a'), { type: 'finish', reason }]).at(-1);
      assert.equal(last?.type, 'response.incomplete');
      assert.equal(last?.response?.status, 'incomplete');
      assert.deepEqual(last?.response?.incomplete_details, { reason: why });
    }
  });

  it('ends a failed stream with an error event that continues the numbers', () => {
    const encoder = openaiResponses.streamEncoder(context());
    const begun = text(0, 'a').map((part) => encoder.write(part));
    const failure = new Failure({ kind: 'overloaded', status: 529, message: 'Overloaded' });
    const out = encoder.fail(failure);
    assert.ok(out.startsWith('event: error\n'));
    assert.deepEqual(dataOf(out), [
      {
        type: 'error',
        code: 'server_error',
        message: 'Overloaded',
        param: null,
        sequence_number: dataOf(begun.join('')).length,
      },
    ]);
    assert.equal(encoder.end(), '');
  });

  it('echoes what the client asked for, and tells usage with both details', () => {
    const body = {
      model: 'x',
      input: 'hi',
      instructions: 'Be brief.',
      tools: [{ type: 'function', name: 'f', parameters: {}, strict: false }],
      tool_choice: 'required',
      parallel_tool_calls: false,
      temperature: 0.5,
      metadata: { k: 'v' },
      reasoning: { effort: 'low' },
      store: false,
    };
    const request = openaiResponses.decodeRequest(body);
    const parts: StreamPart[] = [
      { type: 'usage', usage: { input: 3, output: 2, cacheRead: 1 } },
      { type: 'finish', reason: 'stop' },
    ];
    const { model: _model, input: _input, ...asked } = body;
    const whole = openaiResponses.encodeResponse(parts, { ...context(), request });
    const streamed = write(parts, { ...context(), request }).at(-1)?.response;
    for (const response of [whole, streamed as unknown as typeof whole]) {
      for (const [key, value] of Object.entries(asked)) assert.deepEqual(response[key], value, key);
      assert.equal(response.model, 'shown');
      assert.deepEqual(response.usage, {
        input_tokens: 3,
        input_tokens_details: { cached_tokens: 1, cache_write_tokens: 0 },
        output_tokens: 2,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 5,
      });
    }
  });

  it('is undone by the decoder, streamed and whole, for any answer', () => {
    fc.assert(
      fc.property(answers(), (parts) => {
        const want = foldAnswer(parts);
        want.blocks = want.blocks.map((block) =>
          block.type === 'tool-call' ? { ...block, arguments: block.arguments || '{}' } : block,
        );
        const back = [
          readParts(openaiResponses.streamDecoder, writeAll(openaiResponses.streamEncoder(context()), parts)),
          openaiResponses.decodeResponse(openaiResponses.encodeResponse(parts, context())),
        ];
        for (const read of back) {
          const got = foldAnswer(read);
          assert.deepEqual(
            got.blocks.map((block) => (block.type === 'reasoning' ? { ...block, id: undefined } : block)),
            want.blocks,
          );
          assert.equal(got.finish?.reason, want.finish?.reason);
          assert.equal(got.usage?.input, want.usage?.input);
          assert.equal(got.usage?.reasoning ?? 0, want.usage?.reasoning ?? 0);
          assert.equal(got.id, 'resp_a');
        }
      }),
    );
  });
});
