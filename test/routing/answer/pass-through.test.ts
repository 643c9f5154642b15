// Bytes of the same protocol, forwarded by whole events however they were cut on the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import { PassThroughPipe } from '../../../src/routing/answer/pass-through.ts';

const pipe = () =>
  new PassThroughPipe({
    protocol: 'openai-chat',
    model: undefined,
    wantsUsage: true,
    failureOf: () => new Failure({ kind: 'transient', status: 502, message: 'told' }),
    encodeFailure: () => 'data: {"error":{}}\n\n',
  });
const event = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const events = [
  event({ role: 'assistant', content: '' }),
  event({ content: 'Grüße 🙂 \\r\\n' }),
  event({ content: 'b' }),
  event({}, 'stop'),
  'data: [DONE]\n\n',
];
const stream = Buffer.from(events.join(''));

function run(chunks: Buffer[]): { text: string; pieces: string[]; failure: Failure | undefined } {
  const built = pipe();
  const pieces = [...chunks.map((chunk) => built.push(chunk)), built.end()].map((piece) => piece.toString());
  return { text: pieces.join(''), pieces, failure: built.failure };
}

function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((to, i) => bytes.subarray(sorted[i], to));
}

test('the same bytes come out wherever the stream is cut, and only whole events', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 40 }), (places) => {
      const { text, pieces, failure } = run(cut(stream, places));
      assert.equal(failure, undefined);
      assert.equal(text, stream.toString());
      for (const piece of pieces) assert.ok(piece === '' || piece.endsWith('\n\n'));
    }),
  );
});

test('line ends of two characters become one, also when the cut is between them', () => {
  const windows = Buffer.from(events.join('').replaceAll('\n', '\r\n'));
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 40 }), (places) => {
      assert.equal(run(cut(windows, places)).text, stream.toString());
    }),
  );
});

test('an event that never ends is given up after 50 MiB, and its pieces are not copied again and again', () => {
  const built = pipe();
  built.push(Buffer.from(events.slice(0, 2).join('')));
  const piece = Buffer.alloc(16 * 1024, 'a');
  const started = performance.now();
  let pushed = 0;
  while (built.failure === undefined && pushed < 64 * 1024 * 1024) {
    built.push(piece);
    pushed += piece.length;
  }
  assert.match(built.failure?.message ?? '', /50 MiB/);
  // Copying the whole for each piece took 80 s; once, it is a fraction of a second.
  assert.ok(performance.now() - started < 5_000);
});
