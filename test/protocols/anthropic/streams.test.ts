import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import { anthropic } from '../../../src/protocols/anthropic/index.ts';
import { foldAnswer } from '../../../src/protocols/fold.ts';
import type { JsonObject, StreamPart } from '../../../src/protocols/neutral.ts';
import { sseParser } from '../../../src/protocols/sse.ts';

const context = { model: 'shown', newId: () => 'id', now: () => 0 };

function decode(...events: JsonObject[]): StreamPart[] {
  const parts: StreamPart[] = [];
  const decoder = anthropic.streamDecoder((part) => parts.push(part));
  for (const data of events) decoder.event({ event: String(data.type), data: JSON.stringify(data) });
  decoder.end();
  return parts;
}

function events(text: string): Array<{ event: string; data: JsonObject }> {
  const read: Array<{ event: string; data: JsonObject }> = [];
  const parser = sseParser(({ event, data }) => read.push({ event, data: JSON.parse(data) }));
  parser.push(Buffer.from(text));
  parser.end();
  return read;
}

function encode(parts: readonly StreamPart[]): string {
  const encoder = anthropic.streamEncoder(context);
  return parts.map((part) => encoder.write(part)).join('') + encoder.end();
}

const start = {
  type: 'message_start',
  message: {
    id: 'msg_1',
    model: 'claude',
    usage: { input_tokens: 100, output_tokens: 1, cache_read_input_tokens: 1000, cache_creation_input_tokens: 200 },
  },
};
const toolStart = (index: number, id: string): JsonObject => ({
  type: 'content_block_start',
  index,
  content_block: { type: 'tool_use', id, name: 'f', input: {} },
});
const json = (index: number, partial_json: string): JsonObject => ({
  type: 'content_block_delta',
  index,
  delta: { type: 'input_json_delta', partial_json },
});
const stop = (index: number): JsonObject => ({ type: 'content_block_stop', index });
const finish = (stop_reason: string, output_tokens = 12): JsonObject[] => [
  { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens } },
  { type: 'message_stop' },
];

describe('anthropic: reading a stream', () => {
  it('adds cache reads and writes to the input and merges the counts of start and end', () => {
    const { usage } = foldAnswer(decode(start, ...finish('end_turn')));
    assert.deepEqual(usage, { input: 1300, output: 12, cacheRead: 1000, cacheWrite: 200 });
  });

  it('keeps the input counts when the end repeats them as zeros', () => {
    const end = {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
      usage: { input_tokens: 0, output_tokens: 3 },
    };
    assert.equal(foldAnswer(decode(start, end, { type: 'message_stop' })).usage?.input, 1300);
  });

  it('joins arguments cut anywhere and gives {} to a call without any', () => {
    const { blocks } = foldAnswer(
      decode(
        start,
        toolStart(0, 'a'),
        json(0, '{"x"'),
        json(0, ':1}'),
        stop(0),
        toolStart(1, 'b'),
        json(1, ''),
        stop(1),
        ...finish('tool_use'),
      ),
    );
    assert.deepEqual(
      blocks.map((block) => (block.type === 'tool-call' ? block.arguments : '')),
      ['{"x":1}', '{}'],
    );
  });

  it('numbers blocks without gaps where a server tool is left out', () => {
    const server = {
      type: 'content_block_start',
      index: 0,
      content_block: { type: 'server_tool_use', id: 's', name: 'web_search' },
    };
    const parts = decode(start, server, json(0, '{"q":1}'), stop(0), toolStart(1, 'a'), stop(1), ...finish('tool_use'));
    assert.deepEqual(
      parts.flatMap((part) => (part.type === 'tool-start' ? [part.index] : [])),
      [0],
    );
    assert.ok(!parts.some((part) => part.type === 'tool-delta' && part.text.includes('q')));
  });

  it('keeps thinking with its signature, and redacted thinking', () => {
    const { blocks } = foldAnswer(
      decode(
        start,
        { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'sig' } },
        stop(0),
        { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'xx' } },
        stop(1),
        ...finish('end_turn'),
      ),
    );
    assert.equal(blocks[0]?.type === 'reasoning' && blocks[0].signature, 'sig');
    assert.equal(blocks[1]?.type === 'reasoning' && blocks[1].redacted, 'xx');
  });

  it('has no finish without message_stop', () => {
    const parts = decode(start, toolStart(0, 'a'), finish('end_turn')[0] as JsonObject);
    assert.ok(!parts.some((part) => part.type === 'finish'));
    assert.ok(parts.some((part) => part.type === 'tool-end'));
  });

  it('tells an error event with its status and nothing after it', () => {
    const parts = decode(
      start,
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
      ...finish('end_turn'),
    );
    assert.deepEqual(parts.at(-1), { type: 'error', message: 'Overloaded', status: 529, kind: 'overloaded_error' });
  });

  it('maps every stop reason', () => {
    const reason = (name: string): unknown => foldAnswer(decode(start, ...finish(name))).finish?.reason;
    assert.deepEqual(
      ['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'refusal', 'pause_turn', 'new'].map(reason),
      ['stop', 'length', 'stop-sequence', 'tool-calls', 'refusal', 'pause', 'other'],
    );
  });

  it('reads the same whatever way the bytes are cut', () => {
    const script = [
      start,
      { type: 'ping' },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'café 👩‍🚀\r\n"q"' } },
      stop(0),
      toolStart(1, 'a'),
      json(1, '{"city":"Åm'),
      json(1, 'ål"}'),
      stop(1),
      ...finish('tool_use'),
    ];
    const bytes = Buffer.from(script.map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`).join(''));
    const read = (cuts: number[]): StreamPart[] => {
      const parts: StreamPart[] = [];
      const decoder = anthropic.streamDecoder((part) => parts.push(part));
      const parser = sseParser((event) => decoder.event(event));
      let from = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
        parser.push(bytes.subarray(from, cut));
        from = cut;
      }
      parser.end();
      decoder.end();
      return parts;
    };
    const whole = read([]);
    for (let cut = 0; cut <= bytes.length; cut++) assert.deepEqual(read([cut]), whole);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => assert.deepEqual(read(cuts), whole)),
      { numRuns: 50 },
    );
  });
});

describe('anthropic: writing a stream', () => {
  it('writes blocks one after another although their parts interleave', () => {
    const text = encode([
      { type: 'start', id: 'msg_1' },
      { type: 'tool-start', index: 0, id: 'a', name: 'f' },
      { type: 'tool-start', index: 1, id: 'b', name: 'g' },
      { type: 'tool-delta', index: 1, text: '{"y":' },
      { type: 'tool-delta', index: 0, text: '{"x":1}' },
      { type: 'tool-delta', index: 1, text: '2}' },
      { type: 'tool-end', index: 1 },
      { type: 'tool-end', index: 0 },
      { type: 'finish', reason: 'tool-calls' },
    ]);
    const log = events(text).map(({ data }) => {
      const delta = data.delta as JsonObject | undefined;
      return `${data.type}${data.index === undefined ? '' : ` ${data.index}`}${delta?.partial_json ? ` ${delta.partial_json}` : ''}`;
    });
    assert.deepEqual(log, [
      'message_start',
      'content_block_start 0',
      'content_block_delta 0 {"x":1}',
      'content_block_stop 0',
      'content_block_start 1',
      'content_block_delta 1 {"y":2}',
      'content_block_stop 1',
      'message_delta',
      'message_stop',
    ]);
  });

  it('names every event as its type and ends with message_delta even without usage', () => {
    const read = events(encode([{ type: 'finish', reason: 'stop' }]));
    for (const { event, data } of read) assert.equal(event, data.type);
    assert.deepEqual(
      read.map(({ event }) => event),
      ['message_start', 'message_delta', 'message_stop'],
    );
    assert.equal((read[0]!.data.message as JsonObject).id, 'msg_id');
  });

  it('subtracts cached tokens again', () => {
    const read = events(
      encode([
        { type: 'usage', usage: { input: 1200, output: 340, cacheRead: 1000, reasoning: 300 } },
        { type: 'finish', reason: 'stop' },
      ]),
    );
    assert.deepEqual(read.find(({ event }) => event === 'message_delta')?.data.usage, {
      input_tokens: 200,
      output_tokens: 340,
      cache_read_input_tokens: 1000,
      cache_creation_input_tokens: 0,
    });
  });

  it('calls a normal end with calls tool_use, and a limit max_tokens', () => {
    const reason = (last: StreamPart): unknown => {
      const parts: StreamPart[] = [{ type: 'tool-start', index: 0, id: 'a', name: 'f' }, last];
      return (events(encode(parts)).find(({ event }) => event === 'message_delta')!.data.delta as JsonObject)
        .stop_reason;
    };
    assert.equal(reason({ type: 'finish', reason: 'stop' }), 'tool_use');
    assert.equal(reason({ type: 'finish', reason: 'length' }), 'max_tokens');
    assert.equal(reason({ type: 'finish', reason: 'content-filter' }), 'refusal');
  });

  it('gives what it held and then one error event when the upstream breaks', () => {
    const encoder = anthropic.streamEncoder(context);
    let text = '';
    for (const part of [
      { type: 'text-start', index: 0 },
      { type: 'text-delta', index: 0, text: 'Par' },
      { type: 'tool-start', index: 1, id: 'a', name: 'f' },
      { type: 'tool-delta', index: 1, text: '{' },
    ] satisfies StreamPart[])
      text += encoder.write(part);
    text += encoder.fail(new Failure({ kind: 'overloaded', status: 529, message: 'busy' }));
    assert.equal(encoder.end(), '');
    const read = events(text);
    assert.deepEqual(read.at(-1)?.data, { type: 'error', error: { type: 'overloaded_error', message: 'busy' } });
    assert.ok(read.some(({ data }) => (data.delta as JsonObject | undefined)?.partial_json === '{'));
  });

  it('reads back what it wrote, whatever the order of parallel parts', () => {
    const block = fc.record({
      kind: fc.constantFrom('text', 'tool', 'reasoning'),
      pieces: fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 5 }), fc.infiniteStream(fc.nat()), (blocks, order) => {
        const queues = blocks.map((item, index) => partsOf(item.kind, index, item.pieces));
        const parts: StreamPart[] = queues.flatMap((queue) => queue.splice(0, 1));
        for (const pick of order) {
          const left = queues.filter((queue) => queue.length > 0);
          if (left.length === 0) break;
          parts.push(...left[pick % left.length]!.splice(0, 1));
        }
        parts.push({ type: 'finish', reason: 'stop' });
        const read = decodeText(encode([{ type: 'start', id: 'x' }, ...parts]));
        assert.deepEqual(foldAnswer(read).blocks, foldAnswer(parts).blocks);
      }),
    );
  });
});

function partsOf(kind: string, index: number, pieces: string[]): StreamPart[] {
  if (kind === 'tool') {
    return [
      { type: 'tool-start', index, id: `t${index}`, name: 'f' },
      ...pieces.map((text): StreamPart => ({ type: 'tool-delta', index, text })),
      { type: 'tool-end', index },
    ];
  }
  if (kind === 'reasoning') {
    return [
      { type: 'reasoning-start', index },
      ...pieces.map((text): StreamPart => ({ type: 'reasoning-delta', index, text })),
      { type: 'reasoning-end', index, signature: `s${index}` },
    ];
  }
  return [
    { type: 'text-start', index },
    ...pieces.map((text): StreamPart => ({ type: 'text-delta', index, text })),
    { type: 'text-end', index },
  ];
}

function decodeText(text: string): StreamPart[] {
  return decode(...events(text).map(({ data }) => data));
}

describe('anthropic: whole answers', () => {
  const body: JsonObject = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'shown',
    content: [
      { type: 'thinking', thinking: 'hm', signature: 's' },
      { type: 'redacted_thinking', data: 'xx' },
      { type: 'text', text: 'Hi' },
      { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: [1] } },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 2, cache_read_input_tokens: 3, cache_creation_input_tokens: 4 },
  };

  it('come back as they were', () => {
    assert.deepEqual(anthropic.encodeResponse(anthropic.decodeResponse(body), context), body);
  });

  it('may be empty', () => {
    const encoded = anthropic.encodeResponse([{ type: 'finish', reason: 'stop' }], context);
    assert.deepEqual(encoded.content, []);
    assert.equal(encoded.stop_reason, 'end_turn');
  });

  it('that are errors are told as such', () => {
    assert.deepEqual(
      anthropic.decodeResponse({ type: 'error', error: { type: 'rate_limit_error', message: 'slow' } }),
      [{ type: 'error', message: 'slow', status: 429, kind: 'rate_limit_error' }],
    );
  });
});

describe('anthropic: errors', () => {
  it('use the type of their status', () => {
    const type = (status: number): unknown =>
      (anthropic.encodeError(new Failure({ kind: 'transient', status, message: 'm' })).body.error as JsonObject).type;
    assert.deepEqual([400, 401, 403, 404, 413, 429, 500, 502, 503, 529].map(type), [
      'invalid_request_error',
      'authentication_error',
      'permission_error',
      'not_found_error',
      'request_too_large',
      'rate_limit_error',
      'api_error',
      'api_error',
      'api_error',
      'overloaded_error',
    ]);
  });

  it("hand on an Anthropic upstream's own body and no other", () => {
    const upstreamBody = '{"type":"error","error":{"type":"api_error","message":"x"},"request_id":"r"}';
    const failure = (upstreamProtocol: string): Failure =>
      new Failure({ kind: 'transient', status: 500, message: 'm', upstreamBody, upstreamProtocol });
    assert.deepEqual(anthropic.encodeError(failure('anthropic')).body, JSON.parse(upstreamBody));
    assert.deepEqual(anthropic.encodeError(failure('gemini')).body, {
      type: 'error',
      error: { type: 'api_error', message: 'm' },
    });
  });
});
