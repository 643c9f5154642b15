import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../src/failure.ts';
import type { SseEvent } from '../../src/protocols/protocol.ts';
import { formatSse, splitEvents, sseParser } from '../../src/protocols/sse.ts';

function parse(...chunks: Array<string | Uint8Array>): SseEvent[] {
  const events: SseEvent[] = [];
  const parser = sseParser((event) => events.push(event));
  for (const chunk of chunks) parser.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  parser.end();
  return events;
}

const one = (data: string, event = ''): SseEvent[] => [{ event, data }];

describe('sseParser', () => {
  it('reads LF, CRLF and CR line ends alike', () => {
    for (const eol of ['\n', '\r\n', '\r']) {
      assert.deepEqual(parse(`event: a${eol}data: 1${eol}${eol}data: 2${eol}${eol}`), [
        { event: 'a', data: '1' },
        { event: '', data: '2' },
      ]);
    }
  });

  it('does not take the LF of a CRLF that is split over two reads for a blank line', () => {
    assert.deepEqual(parse('data: 1\r', '\ndata: 2\r', '\n\r', '\n'), one('1\n2'));
  });

  it('skips a byte order mark, also one that is split', () => {
    const bytes = Buffer.from('\ufeffdata: 1\n\n');
    assert.deepEqual(parse(bytes), one('1'));
    assert.deepEqual(parse(bytes.subarray(0, 1), bytes.subarray(1, 2), bytes.subarray(2)), one('1'));
  });

  it('ignores comments, id, retry and unknown fields', () => {
    assert.deepEqual(parse(': ping\n\nid: 7\nretry: 10\nfoo: bar\ndatax: no\ndata: 1\n\n'), one('1'));
  });

  it('joins several data lines with a line feed', () => {
    assert.deepEqual(parse('data: a\ndata:\ndata: b\n\n'), one('a\n\nb'));
  });

  it('takes off one space after the colon and no more', () => {
    assert.deepEqual(parse('data:x\n\ndata:  y\n\ndata\n\n'), [...one('x'), ...one(' y'), ...one('')]);
  });

  it('forgets an event name that came without data', () => {
    assert.deepEqual(parse('event: ping\n\ndata: 1\n\n'), one('1'));
  });

  it('gives a last event without its blank line only when its data is whole', () => {
    assert.deepEqual(parse('data: [DONE]'), one('[DONE]'));
    assert.deepEqual(parse('data: {"a":1}\n'), one('{"a":1}'));
    assert.deepEqual(parse('data: {"a"'), []);
    assert.deepEqual(parse('data: {"a"\n'), []);
  });

  it('throws a Failure for a line over the limit instead of hoarding it', () => {
    const parser = sseParser(() => {}, { maxLine: 100 });
    parser.push(Buffer.alloc(60, 'x'));
    assert.throws(() => parser.push(Buffer.alloc(60, 'x')), Failure);
    assert.throws(() => sseParser(() => {}, { maxLine: 100 }).push(Buffer.from(`${'x'.repeat(101)}\n`)), Failure);
  });

  it('reads one line of many megabytes in small pieces in linear time', () => {
    const piece = Buffer.alloc(64 * 1024, 'x');
    const events: SseEvent[] = [];
    const parser = sseParser((event) => events.push(event));
    parser.push(Buffer.from('data: '));
    for (let i = 0; i < 256; i++) parser.push(piece);
    parser.push(Buffer.from('\n\n'));
    assert.equal(events[0]?.data.length, 256 * piece.length);
  });

  it('gives the same events however the bytes are cut', () => {
    const field = fc.constantFrom('data: ', 'data:', 'event: ', ': ', 'id: ', '');
    const line = fc.tuple(field, fc.string({ unit: 'grapheme', maxLength: 6 })).map(([name, text]) => name + text);
    const eol = fc.constantFrom('\n', '\r\n', '\r');
    fc.assert(
      fc.property(fc.array(fc.tuple(line, eol), { maxLength: 12 }), fc.infiniteStream(fc.nat(9)), (lines, cuts) => {
        const bytes = Buffer.from(lines.flat().join(''));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = (cuts.next().value as number) + 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        assert.deepEqual(parse(...chunks), parse(bytes));
      }),
    );
  });
});

describe('formatSse', () => {
  it('is read back by the parser', () => {
    assert.deepEqual(parse(formatSse('', '{"a":1}') + formatSse('e', '{"b":2}')), [
      { event: '', data: '{"a":1}' },
      { event: 'e', data: '{"b":2}' },
    ]);
  });
});

describe('splitEvents', () => {
  it('hands on whole events and holds back the frame under way', () => {
    const split = splitEvents();
    assert.equal(split.push(Buffer.from('data: 1\n'))?.toString(), undefined);
    assert.equal(split.push(Buffer.from('\ndata: 2\n\ndata: 3'))?.toString(), 'data: 1\n\ndata: 2\n\n');
    assert.equal(split.rest().toString(), 'data: 3');
  });

  it('gives the very same buffer when it ends with an event', () => {
    const chunk = Buffer.from('data: 1\n\n');
    assert.equal(splitEvents().push(chunk), chunk);
  });

  it('loses and changes no byte, and cuts only after blank lines, for every line end and cut', () => {
    for (const eol of ['\n', '\r\n', '\r']) {
      const bytes = Buffer.from(`event: a${eol}data: é${eol}${eol}: ping${eol}${eol}data: 2${eol}${eol}data: cut`);
      for (let size = 1; size <= bytes.length; size++) {
        const split = splitEvents();
        const out: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) {
          const whole = split.push(bytes.subarray(at, at + size));
          if (whole) {
            out.push(whole);
            assert.ok(Buffer.concat(out).toString().trimStart().endsWith(eol));
          }
        }
        const events = Buffer.concat(out).toString();
        assert.equal(Buffer.concat([...out, split.rest()]).toString(), bytes.toString());
        assert.equal(split.rest().toString().replace(/^\n/, ''), 'data: cut');
        assert.equal(parse(events).length, 2);
      }
    }
  });

  it('throws for an event over the limit', () => {
    const split = splitEvents(100);
    assert.throws(() => split.push(Buffer.alloc(101, 'x')), Failure);
  });
});
