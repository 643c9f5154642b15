// Server-sent events: bytes in, events out (WHATWG HTML §9.2.6), and back to text.
import { Failure } from '../failure.ts';
import type { SseEvent } from './protocol.ts';

/** Bytes of one line (and of one event in `splitEvents`) before the stream is given up (upstreams.md §8 row 10). */
export const maxLineBytes = 50 * 1024 * 1024;

const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;

export interface SseParser {
  /** Next bytes of the body. Events are emitted before it returns. Throws `Failure` for a line over the limit. */
  push(chunk: Uint8Array): void;
  /**
   * End of the body. A last event without its blank line is emitted only when its data is whole (`[DONE]` or JSON):
   * a frame cut by a lost connection never looks like data (upstreams.md §8 row 1).
   */
  end(): void;
}

export function sseParser(emit: (event: SseEvent) => void, options: { maxLine?: number } = {}): SseParser {
  const limit = options.maxLine ?? maxLineBytes;
  let held: Buffer[] = [];
  let heldBytes = 0;
  let skipLf = false;
  let first = true;
  let event = '';
  let data: string | undefined;

  const dispatch = (): void => {
    if (data !== undefined) emit({ event, data });
    data = undefined;
    event = '';
  };

  const line = (buffer: Buffer, from: number, end: number): void => {
    let start = from;
    if (first) {
      first = false;
      if (buffer[start] === 0xef && buffer[start + 1] === 0xbb && buffer[start + 2] === 0xbf) start += 3;
    }
    if (start >= end) {
      dispatch();
      return;
    }
    const initial = buffer[start];
    if (initial === 100 && isName(buffer, start, end, 'data')) {
      const text = buffer.toString('utf8', valueStart(buffer, start + 4, end), end);
      data = data === undefined ? text : `${data}\n${text}`;
    } else if (initial === 101 && isName(buffer, start, end, 'event')) {
      event = buffer.toString('utf8', valueStart(buffer, start + 5, end), end);
    }
    // `id`, `retry`, comments and unknown fields say nothing to us.
  };

  return {
    push(chunk) {
      let buffer = asBuffer(chunk);
      if (buffer.length === 0) return;
      let at = 0;
      if (skipLf) {
        skipLf = false;
        if (buffer[0] === LF) at = 1;
      }
      let lf = buffer.indexOf(LF, at);
      let cr = buffer.indexOf(CR, at);
      if (lf < 0 && cr < 0) {
        heldBytes += buffer.length - at;
        if (heldBytes > limit) throw tooLong(limit);
        held.push(at === 0 ? buffer : buffer.subarray(at));
        return;
      }
      if (heldBytes > 0) {
        held.push(at === 0 ? buffer : buffer.subarray(at));
        buffer = Buffer.concat(held);
        const shift = heldBytes - at;
        if (lf >= 0) lf += shift;
        if (cr >= 0) cr += shift;
        at = 0;
        held = [];
        heldBytes = 0;
      }
      while (lf >= 0 || cr >= 0) {
        const end = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr;
        if (end - at > limit) throw tooLong(limit);
        line(buffer, at, end);
        at = end + 1;
        if (end === cr) {
          if (at === buffer.length) skipLf = true;
          else if (buffer[at] === LF) at++;
        }
        if (lf >= 0 && lf < at) lf = buffer.indexOf(LF, at);
        if (cr >= 0 && cr < at) cr = buffer.indexOf(CR, at);
      }
      if (at < buffer.length) {
        heldBytes = buffer.length - at;
        if (heldBytes > limit) throw tooLong(limit);
        held.push(buffer.subarray(at));
      }
    },
    end() {
      if (heldBytes > 0) {
        const rest = Buffer.concat(held);
        held = [];
        heldBytes = 0;
        line(rest, 0, rest.length);
      }
      if (data !== undefined && !isWhole(data)) data = undefined;
      dispatch();
    },
  };
}

/** One event as text, ready to be written. */
export function formatSse(event: string, data: string): string {
  return event === '' ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;
}

export interface EventSplitter {
  /** Whole events among the bytes so far, untouched; undefined while none is complete. */
  push(chunk: Uint8Array): Buffer | undefined;
  /** What follows the last whole event: a frame that was cut, or nothing. */
  rest(): Buffer;
}

/** For pass-through: hands on raw bytes, but only up to the end of a complete event (upstreams.md §8 row 1). */
export function splitEvents(limit: number = maxLineBytes): EventSplitter {
  let held: Buffer[] = [];
  let heldBytes = 0;
  const hold = (rest: Buffer): void => {
    if (rest.length === 0) return;
    held.push(rest);
    heldBytes += rest.length;
    if (heldBytes > limit) throw tooLong(limit);
  };
  return {
    push(chunk) {
      const buffer = asBuffer(chunk);
      let end = lastEventEnd(buffer, 0);
      if (end < 0 && heldBytes > 0) {
        // The blank line may straddle the seam: look at the three bytes before it.
        const tail = Buffer.concat(held.slice(-3)).subarray(-3);
        const seam = lastEventEnd(Buffer.concat([tail, buffer.subarray(0, 3)]), 0) - tail.length;
        if (seam > 0) end = seam;
      }
      if (end < 0) {
        hold(buffer);
        return undefined;
      }
      const whole = end === buffer.length ? buffer : buffer.subarray(0, end);
      const out = heldBytes === 0 ? whole : Buffer.concat([...held, whole]);
      held = [];
      heldBytes = 0;
      if (end < buffer.length) hold(buffer.subarray(end));
      return out;
    },
    rest: () => (held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held)),
  };
}

/** Offset after the last blank line, or -1. */
function lastEventEnd(buffer: Buffer, from: number): number {
  for (let at = buffer.length - 1; at > from; ) {
    const lf = buffer.lastIndexOf(LF, at);
    if (lf <= from) break;
    const before = buffer[lf - 1];
    if (before === LF) return lf + 1;
    if (before === CR && lf - 2 >= from && (buffer[lf - 2] === LF || buffer[lf - 2] === CR)) return lf + 1;
    at = lf - 1;
  }
  // Streams whose lines end with CR alone hold no LF at all.
  const cr = buffer.lastIndexOf('\r\r', buffer.length - 1, 'latin1');
  return cr < from ? -1 : cr + 2;
}

function isName(buffer: Buffer, start: number, end: number, name: 'data' | 'event'): boolean {
  const after = start + name.length;
  if (after > end || (after < end && buffer[after] !== COLON)) return false;
  for (let i = 1; i < name.length; i++) if (buffer[start + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** `after` points at the colon, or at the end for a field without one. */
function valueStart(buffer: Buffer, after: number, end: number): number {
  if (after >= end) return end;
  return after + 1 < end && buffer[after + 1] === SPACE ? after + 2 : after + 1;
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function isWhole(data: string): boolean {
  if (data.trim() === '[DONE]') return true;
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

function tooLong(limit: number): Failure {
  return new Failure({ kind: 'transient', status: 502, message: `upstream sent an event line over ${limit} bytes` });
}
