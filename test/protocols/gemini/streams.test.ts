import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import { foldAnswer } from '../../../src/protocols/fold.ts';
import { gemini } from '../../../src/protocols/gemini/index.ts';
import type { JsonObject, StreamPart } from '../../../src/protocols/neutral.ts';
import { sseParser } from '../../../src/protocols/sse.ts';

const context = { model: 'shown', newId: () => 'id', now: () => 0 };

function chunk(parts: JsonObject[], more: JsonObject = {}, top: JsonObject = {}): JsonObject {
  return {
    candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
    modelVersion: 'up',
    responseId: 'resp',
    ...top,
  };
}

function decode(...chunks: JsonObject[]): StreamPart[] {
  const parts: StreamPart[] = [];
  const decoder = gemini.streamDecoder((part) => parts.push(part));
  for (const data of chunks) decoder.event({ event: '', data: JSON.stringify(data) });
  decoder.end();
  return parts;
}

function chunks(text: string): JsonObject[] {
  const read: JsonObject[] = [];
  const parser = sseParser(({ data }) => read.push(JSON.parse(data)));
  parser.push(Buffer.from(text));
  parser.end();
  return read;
}

function encode(parts: readonly StreamPart[]): string {
  const encoder = gemini.streamEncoder(context);
  return parts.map((part) => encoder.write(part)).join('') + encoder.end();
}

const STOP = { finishReason: 'STOP' };

describe('gemini: reading a stream', () => {
  it('keeps text, thoughts, calls and images in their order', () => {
    const { blocks } = foldAnswer(
      decode(
        chunk([{ text: 'First.', thought: true }]),
        chunk([{ text: 'One. ' }]),
        chunk([{ text: 'more' }, { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'sig' }]),
        chunk([{ inlineData: { mimeType: 'image/png', data: 'AA' } }]),
        chunk([{ text: '' }], STOP),
      ),
    );
    assert.deepEqual(
      blocks.map((block) =>
        block.type === 'tool-call' ? [block.type, block.arguments, block.signature] : [block.type],
      ),
      [['reasoning'], ['text'], ['tool-call', '{"a":1}', 'sig'], ['file']],
    );
  });

  it('gives calls without id one of their own, different in every answer', () => {
    const id = (): string => {
      const { blocks } = foldAnswer(decode(chunk([{ functionCall: { name: 'f' } }], STOP)));
      return blocks[0]?.type === 'tool-call' ? blocks[0].id : '';
    };
    assert.match(id(), /^[A-Za-z0-9_-]+$/);
    assert.notEqual(id(), id());
    const given = foldAnswer(decode(chunk([{ functionCall: { name: 'f', id: 'up_1' } }], STOP))).blocks[0];
    assert.equal(given?.type === 'tool-call' && given.id, 'up_1');
  });

  it('takes the last usage, wherever it came, and adds thoughts to the output', () => {
    const usage = (usageMetadata: JsonObject | null): JsonObject => ({ usageMetadata });
    const parts = decode(
      chunk([{ text: 'a' }], {}, usage({ promptTokenCount: 1200, totalTokenCount: 1200 })),
      chunk([], STOP),
      usage({
        promptTokenCount: 1200,
        candidatesTokenCount: 40,
        thoughtsTokenCount: 300,
        totalTokenCount: 1540,
        cachedContentTokenCount: 1000,
      }),
      usage(null),
    );
    assert.deepEqual(foldAnswer(parts).usage, {
      input: 1200,
      output: 340,
      cacheRead: 1000,
      reasoning: 300,
      total: 1540,
    });
    assert.equal(parts.at(-1)?.type, 'finish');
  });

  it('reads chunks in the Google envelope', () => {
    const parts = decode({ response: chunk([{ text: 'hi' }], STOP), traceId: 't' });
    assert.deepEqual(foldAnswer(parts).blocks, [{ type: 'text', text: 'hi' }]);
  });

  it('shows only the first candidate', () => {
    const second = { candidates: [{ content: { parts: [{ text: 'Bye' }] }, index: 1, finishReason: 'STOP' }] };
    const parts = decode(chunk([{ text: 'Hi' }]), second, chunk([], STOP));
    assert.deepEqual(foldAnswer(parts).blocks, [{ type: 'text', text: 'Hi' }]);
  });

  it('calls a blocked prompt filtered', () => {
    const parts = decode({
      promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
      usageMetadata: { promptTokenCount: 21 },
    });
    assert.deepEqual(parts.at(-1), { type: 'finish', reason: 'content-filter', raw: 'PROHIBITED_CONTENT' });
  });

  it('has no finish without a finish reason', () => {
    const parts = decode(chunk([{ text: 'Hel' }]));
    assert.deepEqual(
      parts.map((part) => part.type),
      ['start', 'text-start', 'text-delta', 'text-end'],
    );
  });

  it('finishes once although the reason is repeated', () => {
    const parts = decode(chunk([{ text: 'a' }], STOP), chunk([{ text: 'b' }], STOP));
    assert.equal(parts.filter((part) => part.type === 'finish').length, 1);
    assert.deepEqual(foldAnswer(parts).blocks, [{ type: 'text', text: 'ab' }]);
  });

  it('tells an error inside the stream and nothing after it', () => {
    const parts = decode(
      chunk([{ text: 'Par' }]),
      { error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } },
      chunk([], STOP),
    );
    assert.deepEqual(parts.at(-1), { type: 'error', message: 'overloaded', status: 503, kind: 'UNAVAILABLE' });
  });

  it('maps finish reasons; calls make a normal end a tool call but not a cut one', () => {
    const reason = (finishReason: string, parts: JsonObject[] = []): unknown =>
      foldAnswer(decode(chunk(parts, { finishReason }))).finish?.reason;
    const call = [{ functionCall: { name: 'f' } }];
    assert.equal(reason('STOP'), 'stop');
    assert.equal(reason('STOP', call), 'tool-calls');
    assert.equal(reason('MAX_TOKENS', call), 'length');
    for (const name of ['SAFETY', 'RECITATION', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'IMAGE_SAFETY']) {
      assert.equal(reason(name), 'content-filter');
    }
    assert.equal(reason('MALFORMED_FUNCTION_CALL'), 'other');
  });

  it('reads the same whatever way the bytes are cut', () => {
    const script = [
      chunk([{ text: 'Ünï 👩‍🚀', thought: true }]),
      chunk([{ text: 'a\r\nb "q"' }]),
      chunk([{ functionCall: { name: 'f', id: 'x', args: { city: 'Åmål' } } }], STOP),
    ];
    const bytes = Buffer.from(script.map((data) => `data: ${JSON.stringify(data)}\r\n\r\n`).join(''));
    const read = (cuts: number[]): StreamPart[] => {
      const parts: StreamPart[] = [];
      const decoder = gemini.streamDecoder((part) => parts.push(part));
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

describe('gemini: writing a stream', () => {
  it('writes calls whole, in the order of their start, and one finish reason with the usage', () => {
    const written = chunks(
      encode([
        { type: 'start', id: 'r1' },
        { type: 'text-start', index: 0 },
        { type: 'text-delta', index: 0, text: 'Hi "you"' },
        { type: 'tool-start', index: 1, id: 'a', name: 'f' },
        { type: 'tool-start', index: 2, id: 'b', name: 'g' },
        { type: 'tool-delta', index: 2, text: '{"y":2}' },
        { type: 'tool-delta', index: 1, text: '{"x"' },
        { type: 'tool-end', index: 2 },
        { type: 'tool-delta', index: 1, text: ':1}' },
        { type: 'tool-end', index: 1 },
        { type: 'usage', usage: { input: 21, output: 14, reasoning: 5 } },
        { type: 'finish', reason: 'tool-calls' },
      ]),
    );
    const identity = { modelVersion: 'shown', responseId: 'r1' };
    const candidate = (parts: JsonObject[], more: JsonObject = {}): JsonObject => ({
      candidates: [{ content: { role: 'model', parts }, ...more, index: 0 }],
    });
    assert.deepEqual(written, [
      { ...candidate([{ text: 'Hi "you"' }]), ...identity },
      { ...candidate([{ functionCall: { name: 'f', args: { x: 1 } } }]), ...identity },
      { ...candidate([{ functionCall: { name: 'g', args: { y: 2 } } }]), ...identity },
      {
        ...candidate([], STOP),
        usageMetadata: { promptTokenCount: 21, candidatesTokenCount: 9, totalTokenCount: 35, thoughtsTokenCount: 5 },
        ...identity,
      },
    ]);
  });

  it('marks thoughts', () => {
    const [first] = chunks(encode([{ type: 'reasoning-delta', index: 0, text: 'hm' }]));
    assert.deepEqual((first!.candidates as JsonObject[])[0]?.content, {
      role: 'model',
      parts: [{ text: 'hm', thought: true }],
    });
  });

  it('ends a broken answer with an error object and shows no cut call', () => {
    const encoder = gemini.streamEncoder(context);
    encoder.write({ type: 'tool-start', index: 0, id: 'a', name: 'f' });
    encoder.write({ type: 'tool-delta', index: 0, text: '{"x' });
    const text = encoder.fail(new Failure({ kind: 'transient', status: 502, message: 'cut' }));
    assert.deepEqual(chunks(text), [{ error: { code: 502, message: 'cut', status: 'INTERNAL' } }]);
    assert.equal(encoder.write({ type: 'finish', reason: 'stop' }) + encoder.end(), '');
  });

  it("keeps Gemini's own word for a reason", () => {
    const reason = (part: StreamPart): unknown =>
      (chunks(encode([part]))[0]!.candidates as JsonObject[])[0]?.finishReason;
    assert.equal(reason({ type: 'finish', reason: 'content-filter', raw: 'RECITATION' }), 'RECITATION');
    assert.equal(reason({ type: 'finish', reason: 'content-filter', raw: 'content_filter' }), 'SAFETY');
    assert.equal(reason({ type: 'finish', reason: 'length', raw: 'max_tokens' }), 'MAX_TOKENS');
  });

  it('reads back what it wrote', () => {
    const block = fc.record({ kind: fc.constantFrom('text', 'reasoning', 'tool'), text: fc.string({ minLength: 1 }) });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 6 }), (blocks) => {
        const parts: StreamPart[] = [{ type: 'start', id: 'r' }];
        blocks.forEach(({ kind, text }, index) => {
          if (kind === 'tool') {
            parts.push({ type: 'tool-start', index, id: '', name: 'f' });
            parts.push({ type: 'tool-delta', index, text: JSON.stringify({ [text]: text }) });
            parts.push({ type: 'tool-end', index });
          } else {
            const name = kind as 'text' | 'reasoning';
            parts.push(
              { type: `${name}-start`, index },
              { type: `${name}-delta`, index, text },
              { type: `${name}-end`, index },
            );
          }
        });
        parts.push({ type: 'finish', reason: 'stop' });
        assert.deepEqual(shown(decode(...chunks(encode(parts)))), shown(parts));
      }),
    );
  });
});

/** Blocks with neighbours of one kind joined and without ids: what the protocol can say. */
function shown(parts: readonly StreamPart[]): string[] {
  const log: string[] = [];
  for (const block of foldAnswer(parts).blocks) {
    const text = block.type === 'tool-call' ? block.arguments : 'text' in block ? block.text : '';
    if (block.type !== 'tool-call' && log.at(-1)?.startsWith(`${block.type}:`)) log.push(`${log.pop()}${text}`);
    else log.push(`${block.type}:${text}`);
  }
  return log;
}

describe('gemini: whole answers', () => {
  it('come back as they were', () => {
    const body = chunk(
      [
        { text: 'hm', thought: true },
        { text: 'Hi' },
        { functionCall: { name: 'f', args: { a: [1] } }, thoughtSignature: 's' },
        { inlineData: { mimeType: 'image/png', data: 'AA' } },
      ],
      STOP,
      {
        modelVersion: 'shown',
        usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 6, thoughtsTokenCount: 1 },
      },
    );
    assert.deepEqual(gemini.encodeResponse(gemini.decodeResponse(body), context), body);
  });

  it('end although they give no reason, but not when they are empty', () => {
    assert.deepEqual(gemini.decodeResponse(chunk([{ text: 'a' }])).at(-1), { type: 'finish', reason: 'stop' });
    assert.ok(!gemini.decodeResponse({ candidates: [] }).some((part) => part.type === 'finish'));
  });

  it('that are empty have an empty list of parts', () => {
    const body = gemini.encodeResponse([{ type: 'finish', reason: 'stop' }], context);
    assert.deepEqual((body.candidates as JsonObject[])[0]?.content, { role: 'model', parts: [] });
    assert.equal(body.usageMetadata, undefined);
  });
});

describe('gemini: errors', () => {
  it('use the status word of their status', () => {
    const word = (status: number): unknown =>
      (gemini.encodeError(new Failure({ kind: 'transient', status, message: 'm' })).body.error as JsonObject).status;
    assert.deepEqual([400, 401, 403, 404, 413, 429, 500, 502, 503, 529].map(word), [
      'INVALID_ARGUMENT',
      'UNAUTHENTICATED',
      'PERMISSION_DENIED',
      'NOT_FOUND',
      'INVALID_ARGUMENT',
      'RESOURCE_EXHAUSTED',
      'INTERNAL',
      'INTERNAL',
      'UNAVAILABLE',
      'UNAVAILABLE',
    ]);
  });

  it('carry extra members but keep a numeric code', () => {
    const failure = new Failure({
      kind: 'unavailable',
      status: 429,
      message: 'cooling',
      details: { code: 'model_cooldown', reset_seconds: 7 },
    });
    assert.deepEqual(gemini.encodeError(failure).body, {
      error: { code: 429, reset_seconds: 7, message: 'cooling', status: 'RESOURCE_EXHAUSTED' },
    });
  });

  it("hand on a Gemini upstream's own body", () => {
    const upstreamBody = '{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[]}}';
    const failure = new Failure({
      kind: 'invalid-request',
      status: 400,
      message: 'm',
      upstreamBody,
      upstreamProtocol: 'gemini',
    });
    assert.deepEqual(gemini.encodeError(failure).body, JSON.parse(upstreamBody));
  });
});
