// Reads a request body into one Buffer, within the limit, decoded.
import type { IncomingMessage } from 'node:http';
import { Failure, invalidRequest } from '../failure.ts';
import { DecodeError, decodeBody } from '../net/decode.ts';
import type { ClientPresence } from '../routing/presence.ts';

/**
 * Rejects with `Failure`: 413 over `limit` bytes, 415 for an unknown encoding, 400 for a broken one, 408 when nothing
 * comes any more, 499 when the client leaves.
 */
export function readBody(request: IncomingMessage, limit: number, presence: ClientPresence): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limit) {
      refuse(request, reject, limit);
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const reading: Reading = { silentLooks: 0, silent: () => reject(silent()) };
    const left = (): void => {
      unfinished.delete(reading);
      reject(gone());
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      reading.silentLooks = 0;
      if (size > limit) {
        request.off('data', onData);
        unfinished.delete(reading);
        refuse(request, reject, limit);
        return;
      }
      chunks.push(chunk);
    };
    watch(reading);
    presence.onLeave(left);
    request.on('data', onData);
    request.on('error', left);
    request.on('end', () => {
      unfinished.delete(reading);
      presence.off(left);
      const received = joined(chunks);
      const encoding = request.headers['content-encoding'];
      if (encoding === undefined || encoding === 'identity') resolve(received);
      else decoded(received, encoding, limit, resolve, reject);
    });
  });
}

/** A body on its way. */
interface Reading {
  /** Looks since its last byte. */
  silentLooks: number;
  silent(): void;
}

const unfinished = new Set<Reading>();
let looking: NodeJS.Timeout | undefined;

/** One timer looks at all bodies: most are complete before it comes, and a timer for each is felt. */
function watch(reading: Reading): void {
  unfinished.add(reading);
  looking ??= setInterval(look, lookEveryMs).unref();
}

function look(): void {
  for (const reading of unfinished) {
    if (++reading.silentLooks <= silenceMs / lookEveryMs) continue;
    unfinished.delete(reading);
    reading.silent();
  }
  if (unfinished.size > 0) return;
  clearInterval(looking);
  looking = undefined;
}

/**
 * One Buffer of all chunks. What the chunks held is given back at once instead of by a collection: half of what a large
 * body costs is the collector's work otherwise (docs/performance.md).
 */
function joined(chunks: readonly Buffer[]): Buffer {
  if (chunks.length === 1) return chunks[0] as Buffer;
  const whole = Buffer.concat(chunks);
  for (const { buffer, byteLength } of chunks) {
    // Smaller ones may be parts of memory that others use too.
    if (byteLength === buffer.byteLength && buffer instanceof ArrayBuffer && buffer !== whole.buffer)
      buffer.transfer(0);
  }
  return whole;
}

/** ms without a byte of a body that is not complete: a slow link sends more often than this. */
const silenceMs = 60_000;
const lookEveryMs = 2_000;

function silent(): Failure {
  return new Failure({
    kind: 'invalid-request',
    status: 408,
    code: 'request_timeout',
    message: `no byte of the request body came for ${silenceMs / 1000} s`,
  });
}

function gone(): Failure {
  return new Failure({ kind: 'aborted', status: 499, message: 'the client closed the connection', scope: 'request' });
}

function refuse(request: IncomingMessage, reject: (failure: Failure) => void, limit: number): void {
  request.resume();
  reject(
    new Failure({
      kind: 'invalid-request',
      status: 413,
      code: 'request_too_large',
      message: `the request body is larger than ${Math.round(limit / 1024 / 1024)} MiB (body-limit-mb)`,
    }),
  );
}

/** Text and JSON compress to a tenth, rarely to a fiftieth; a bomb to a thousandth. Small bodies may be anything. */
const mostExpansion = 200;
const anyRatioBytes = 8 * 1024 * 1024;

function decoded(
  received: Buffer,
  encoding: string,
  limit: number,
  resolve: (body: Buffer) => void,
  reject: (failure: Failure) => void,
): void {
  const plausible = Math.max(anyRatioBytes, received.length * mostExpansion);
  try {
    resolve(decodeBody(received, encoding, Math.min(limit, plausible)));
  } catch (error) {
    const reason = error instanceof DecodeError ? error.reason : 'broken';
    if (reason === 'too-large' && plausible < limit) {
      reject(
        new Failure({
          kind: 'invalid-request',
          status: 413,
          code: 'request_too_large',
          message: `the request body expands to more than ${mostExpansion} times its size: send it less compressed`,
        }),
      );
    } else if (reason === 'too-large') {
      reject(
        new Failure({
          kind: 'invalid-request',
          status: 413,
          code: 'request_too_large',
          message: `the decoded request body is larger than ${Math.round(limit / 1024 / 1024)} MiB`,
        }),
      );
    } else if (reason === 'unsupported') {
      reject(
        new Failure({
          kind: 'invalid-request',
          status: 415,
          message: 'the content encoding of the request is not supported: use gzip, deflate, br, zstd or none',
        }),
      );
    } else reject(invalidRequest('the request body does not decode with its content encoding'));
  }
}
