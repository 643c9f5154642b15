// Runs recorded bytes through the SSE parser and a protocol's decoder.
import type { StreamPart } from '../../src/protocols/neutral.ts';
import type { Emit, StreamDecoder, StreamEncoder } from '../../src/protocols/protocol.ts';
import { sseParser } from '../../src/protocols/sse.ts';

export type MakeDecoder = (emit: Emit) => StreamDecoder;

/** `size`: bytes per read; all at once by default. */
export function readParts(makeDecoder: MakeDecoder, body: string | Buffer, size?: number): StreamPart[] {
  const bytes = Buffer.from(body);
  const parts: StreamPart[] = [];
  const decoder = makeDecoder((part) => parts.push(part));
  const parser = sseParser((event) => decoder.event(event));
  const step = size ?? Math.max(bytes.length, 1);
  for (let at = 0; at < bytes.length; at += step) parser.push(bytes.subarray(at, at + step));
  parser.end();
  decoder.end();
  return parts;
}

/** Neighbouring deltas of one block joined: how bytes were cut must not matter beyond that. */
export function joinDeltas(parts: readonly StreamPart[]): StreamPart[] {
  const joined: StreamPart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (last && 'text' in part && 'text' in last && part.type === last.type && part.index === last.index) {
      last.text += part.text;
    } else joined.push({ ...part });
  }
  return joined;
}

export function writeAll(encoder: StreamEncoder, parts: readonly StreamPart[]): string {
  let out = '';
  for (const part of parts) out += encoder.write(part);
  return out + encoder.end();
}

/** Data of each event, parsed; `[DONE]` stays text. */
export function dataOf(stream: string): unknown[] {
  const data: unknown[] = [];
  const parser = sseParser((event) => data.push(event.data === '[DONE]' ? event.data : JSON.parse(event.data)));
  parser.push(Buffer.from(stream));
  parser.end();
  return data;
}

export function sse(...data: unknown[]): string {
  return data.map((value) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`).join('');
}

/** A counter instead of randomness. */
export function ids(): () => string {
  let n = 0;
  return () => `id${++n}`;
}
