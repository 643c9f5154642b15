// Reads a request body into one Buffer, within the limit, decoded.
import type { IncomingMessage } from 'node:http';
import { Failure, invalidRequest } from '../failure.ts';
import { DecodeError, decodeBody } from '../net/decode.ts';

/** Rejects with `Failure`: 413 over `limit` bytes, 415 for an unknown encoding, 400 for a broken one. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limit) {
      refuse(request, reject, limit);
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) {
        request.off('data', onData);
        refuse(request, reject, limit);
        return;
      }
      chunks.push(chunk);
    };
    request.on('data', onData);
    request.on('end', () => {
      const received = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      const encoding = request.headers['content-encoding'];
      if (encoding === undefined || encoding === 'identity') resolve(received);
      else decoded(received, encoding, limit, resolve, reject);
    });
    request.on('error', () => reject(gone()));
    request.on('close', () => {
      if (!request.complete) reject(gone());
    });
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

function decoded(
  received: Buffer,
  encoding: string,
  limit: number,
  resolve: (body: Buffer) => void,
  reject: (failure: Failure) => void,
): void {
  try {
    resolve(decodeBody(received, encoding, limit));
  } catch (error) {
    const reason = error instanceof DecodeError ? error.reason : 'broken';
    if (reason === 'too-large') {
      reject(
        new Failure({
          kind: 'invalid-request',
          status: 413,
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
