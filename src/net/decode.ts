// Undoes Content-Encoding: gzip, deflate (zlib and raw), br, zstd, stacked, and gzip or zstd that the header forgot
// (upstreams.md §8 row 11). Truncated or oversized input is an error, never silently short text.
import { Duplex, type Transform } from 'node:stream';

export class DecodeError extends Error {
  /** `unsupported`: unknown encoding; `broken`: damaged or truncated; `too-large`: more than the cap. */
  readonly reason: 'unsupported' | 'broken' | 'too-large';
  constructor(reason: DecodeError['reason'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DecodeError';
    this.reason = reason;
  }
}

type Encoding = 'gzip' | 'zlib' | 'raw-deflate' | 'br' | 'zstd';
type Announced = Exclude<Encoding, 'zlib' | 'raw-deflate'> | 'deflate';
type Done = (error?: Error | null) => void;

/** RFC 9110 §8.4.1, RFC 8878 §6. `x-gzip` is an old alias. */
const announcements: Readonly<Record<string, Announced>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
  zstd: 'zstd',
};

let loaded: typeof import('node:zlib') | undefined;

/** With the first compressed body, not with the program: it is a tenth of what Node loads for a start. */
function zlib(): typeof import('node:zlib') {
  loaded ??= process.getBuiltinModule('node:zlib');
  return loaded;
}

const streams: Readonly<Record<Encoding, () => Transform>> = {
  gzip: () => zlib().createGunzip(),
  zlib: () => zlib().createInflate(),
  'raw-deflate': () => zlib().createInflateRaw(),
  br: () => zlib().createBrotliDecompress(),
  zstd: () => zlib().createZstdDecompress(),
};

const wholes: Readonly<
  Record<Encoding, (body: Buffer, options: { maxOutputLength: number; chunkSize: number }) => Buffer>
> = {
  gzip: (body, options) => zlib().gunzipSync(body, options),
  zlib: (body, options) => zlib().inflateSync(body, options),
  'raw-deflate': (body, options) => zlib().inflateRawSync(body, options),
  br: (body, options) => zlib().brotliDecompressSync(body, options),
  zstd: (body, options) => zlib().zstdDecompressSync(body, options),
};

/** What we can undo, for `Accept-Encoding`. */
export const acceptEncoding = 'gzip, deflate, br, zstd';

/** Encodings in the order they must be undone (RFC 9110 §8.4: listed in the order applied). */
function announced(header: string | readonly string[] | undefined): Announced[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',');
  const names = text
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  return names.reverse().map((name) => {
    const encoding = announcements[name];
    if (encoding === undefined) throw new DecodeError('unsupported', 'the answer has an unknown content encoding');
    return encoding;
  });
}

/** gzip and zstd have magic numbers that no JSON, SSE or HTML text starts with. */
function sniff(start: Buffer): Encoding | undefined {
  if (start.length >= 2 && start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  if (start.length >= 4 && start.readUInt32LE(0) === 0xfd2fb528) return 'zstd';
  return undefined;
}

/** RFC 1950 §2.2: the first two bytes of a zlib stream are a method of 8 and a multiple of 31. */
function settle(encoding: Announced, start: Buffer): Encoding {
  if (encoding !== 'deflate') return encoding;
  const first = start[0] ?? 0;
  const isZlib = (first & 0x0f) === 8 && (start.length < 2 || ((first << 8) | (start[1] as number)) % 31 === 0);
  return isZlib ? 'zlib' : 'raw-deflate';
}

/** True when a body with this header and beginning must go through `decodeBody` or `createDecoder`. */
export function isEncoded(header: string | readonly string[] | undefined, start?: Buffer): boolean {
  const text = typeof header === 'string' ? header : (header?.join(',') ?? '');
  if (text !== '' && text.split(',').some((name) => !['', 'identity'].includes(name.trim().toLowerCase()))) return true;
  return start !== undefined && sniff(start) !== undefined;
}

/** Text and JSON compress to a fifth or so: the output is then one piece that need not be joined. */
const usualExpansion = 8;
/** Bytes; few large pieces leave the C heap as it was, thousands of small ones leave holes. */
const largestPiece = 8 * 1024 * 1024;

/** Deflate makes at most 1032 bytes of one. */
const deflateExpansion = 1032;

/**
 * Bytes that a gzip body says it decodes to: what its last member ends with (RFC 1952 §2.3.1), so the whole is not smaller.
 * A bomb that says so is refused before it takes any memory. 0: nothing to go by.
 */
function gzipTold(body: Buffer): number {
  if (body.length < 18) return 0;
  const told = body.readUInt32LE(body.length - 4);
  // What cannot be true is something else behind the last member.
  return told <= body.length * deflateExpansion ? told : 0;
}

/**
 * A whole body, decoded. `maxBytes` caps each stage.
 * @throws DecodeError
 */
export function decodeBody(body: Buffer, header: string | readonly string[] | undefined, maxBytes: number): Buffer {
  if (body.length === 0) return body;
  const stages = announced(header);
  let bytes = body;
  const undo = (encoding: Encoding) => {
    if (encoding === 'gzip' && gzipTold(bytes) > maxBytes) throw tooLarge(maxBytes);
    try {
      const chunkSize = Math.min(Math.max(bytes.length * usualExpansion, 16 * 1024), largestPiece);
      bytes = wholes[encoding](bytes, { maxOutputLength: maxBytes, chunkSize });
    } catch (error) {
      throw asDecodeError(error, maxBytes);
    }
  };
  for (const stage of stages) undo(settle(stage, bytes));
  const forgotten = stages.length === 0 ? sniff(bytes) : undefined;
  if (forgotten !== undefined) undo(forgotten);
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/**
 * A stream that takes the bytes as received and gives the decoded ones, as soon as they can be told (SSE). `maxBytes`
 * caps the output; default none. Fails with DecodeError.
 * @throws DecodeError at once for an unknown encoding
 */
export function createDecoder(header: string | readonly string[] | undefined, maxBytes = Infinity): Duplex {
  return new Decoder(announced(header), maxBytes);
}

class Decoder extends Duplex {
  readonly #stages: readonly Announced[];
  readonly #maxBytes: number;
  #start = Buffer.alloc(0);
  /** Undefined until the first bytes (or the end) told what it is; empty when nothing is to be undone. */
  #chain: Transform[] | undefined;
  #produced = 0;
  /** A plain chunk that waits until the reader wants more. */
  #blocked: (() => void) | undefined;

  constructor(stages: readonly Announced[], maxBytes: number) {
    super();
    this.#stages = stages;
    this.#maxBytes = maxBytes;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#chain === undefined) {
      this.#start = Buffer.concat([this.#start, chunk]);
      if (this.#start.length < 4 && !isCertainlyPlain(this.#stages, this.#start)) {
        done();
        return;
      }
      this.#open();
      this.#feed(this.#start, done);
    } else {
      this.#feed(chunk, done);
    }
  }

  override _final(done: Done): void {
    if (this.#chain === undefined && this.#start.length > 0) {
      this.#open();
      this.#feed(this.#start, (error) => (error ? done(error) : this.#end(done)));
    } else {
      this.#end(done);
    }
  }

  #end(done: Done): void {
    const [first] = this.#chain ?? [];
    if (first === undefined) this.push(null);
    else first.end();
    done();
  }

  override _read(): void {
    this.#chain?.at(-1)?.resume();
    const resume = this.#blocked;
    this.#blocked = undefined;
    resume?.();
  }

  override _destroy(error: Error | null, done: Done): void {
    for (const stage of this.#chain ?? []) stage.destroy();
    done(error);
  }

  #open(): void {
    const [outer, ...inner] = this.#stages;
    const first = outer === undefined ? sniff(this.#start) : settle(outer, this.#start);
    const chain = first === undefined ? [] : [streams[first]()];
    // An inner deflate cannot be looked at beforehand: zlib framing is what RFC 9110 §8.4.1.2 asks for.
    for (const stage of inner) chain.push(streams[stage === 'deflate' ? 'zlib' : stage]());
    for (const [index, stage] of chain.entries()) {
      stage.on('error', (error) => this.destroy(asDecodeError(error, this.#maxBytes)));
      const next = chain[index + 1];
      if (next !== undefined) stage.pipe(next);
      else stage.on('data', (chunk: Buffer) => this.#give(chunk) || stage.pause()).on('end', () => this.push(null));
    }
    this.#chain = chain;
  }

  #feed(chunk: Buffer, done: Done): void {
    const first = this.#chain?.[0];
    if (first !== undefined) first.write(chunk, (error) => error || done());
    else if (this.#give(chunk)) done();
    else if (!this.destroyed) this.#blocked = done;
  }

  /** False when the reader has enough for now. */
  #give(chunk: Buffer): boolean {
    this.#produced += chunk.length;
    if (this.#produced <= this.#maxBytes) return this.push(chunk);
    this.destroy(tooLarge(this.#maxBytes));
    return false;
  }
}

/** A beginning that no magic number has need not wait for more bytes. */
function isCertainlyPlain(stages: readonly Announced[], start: Buffer): boolean {
  return stages.length === 0 && start[0] !== 0x1f && start[0] !== 0x28;
}

function tooLarge(maxBytes: number): DecodeError {
  return new DecodeError('too-large', `the answer is larger than ${maxBytes} bytes`);
}

function asDecodeError(error: unknown, maxBytes: number): DecodeError {
  if (error instanceof DecodeError) return error;
  if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(maxBytes);
  return new DecodeError('broken', 'the compressed answer is damaged or cut short', error);
}
