import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { createDecoder, decodeBody, isEncoded } from '../../src/net/decode.ts';

const text = Buffer.from(`data: {"answer":"${'grüße '.repeat(500)}"}\n\n`);
const cap = 1 << 20;
const rows: [string, string | undefined, (body: Buffer) => Buffer][] = [
  ['plain', undefined, (body) => body],
  ['identity', 'identity', (body) => body],
  ['gzip', 'gzip', (body) => zlib.gzipSync(body)],
  ['x-gzip in capitals', 'X-GZIP', (body) => zlib.gzipSync(body)],
  ['deflate with zlib framing', 'deflate', (body) => zlib.deflateSync(body)],
  ['deflate raw', 'deflate', (body) => zlib.deflateRawSync(body)],
  ['brotli', 'br', (body) => zlib.brotliCompressSync(body)],
  ['zstd', 'zstd', (body) => zlib.zstdCompressSync(body)],
  ['gzip without a header', undefined, (body) => zlib.gzipSync(body)],
  ['zstd without a header', undefined, (body) => zlib.zstdCompressSync(body)],
  ['stacked gzip, br', 'gzip, br', (body) => zlib.brotliCompressSync(zlib.gzipSync(body))],
  ['stacked deflate, gzip', 'deflate, gzip', (body) => zlib.gzipSync(zlib.deflateSync(body))],
];

async function stream(encoded: Buffer, header: string | undefined, size: number, maxBytes?: number): Promise<Buffer> {
  const decoder = createDecoder(header, maxBytes);
  const chunks: Buffer[] = [];
  decoder.on('data', (chunk: Buffer) => chunks.push(chunk));
  const end = new Promise<void>((resolve, reject) => decoder.on('end', resolve).on('error', reject));
  for (let at = 0; at < encoded.length; at += size) decoder.write(encoded.subarray(at, at + size));
  decoder.end();
  await end;
  return Buffer.concat(chunks);
}

describe('decoding bodies', () => {
  for (const [name, header, encode] of rows) {
    it(`reads ${name}, whole and streamed in any cut`, async () => {
      assert.deepEqual(decodeBody(encode(text), header, cap), text);
      for (const size of [1, 2, 3, 7, 4096]) assert.deepEqual(await stream(encode(text), header, size), text);
    });
  }
  const compressed = rows.filter(([, , encode]) => encode(text).length < text.length);
  for (const [name, header, encode] of compressed) {
    it(`reports ${name} that is cut short`, async () => {
      const cut = encode(text).subarray(0, -12);
      assert.throws(() => decodeBody(cut, header, cap), { name: 'DecodeError', reason: 'broken' });
      await assert.rejects(stream(cut, header, 64), { name: 'DecodeError', reason: 'broken' });
    });
    it(`stops ${name} at the cap`, async () => {
      assert.throws(() => decodeBody(encode(text), header, 100), { reason: 'too-large' });
      await assert.rejects(stream(encode(text), header, 64, 100), { reason: 'too-large' });
    });
  }
  it('believes a gzip body that says it is too large, before anything is decoded', () => {
    const body = zlib.gzipSync(text);
    body.writeUInt32LE(cap + 1, body.length - 4);
    // 24 KB of padding in a header field: now the size that is told could be true (RFC 1952 §2.3, FEXTRA).
    const padding = Buffer.alloc(24 << 10);
    const head = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, padding.length & 255, padding.length >> 8]);
    const padded = Buffer.concat([head, padding, body.subarray(10)]);
    assert.throws(() => decodeBody(padded, 'gzip', cap), { reason: 'too-large' });
    assert.throws(() => decodeBody(padded, 'gzip', cap + 1), { reason: 'broken' });
  });
  it('takes two gzip members and padding behind them for no size', () => {
    const twice = Buffer.concat([zlib.gzipSync(text), zlib.gzipSync('and more')]);
    assert.deepEqual(decodeBody(twice, 'gzip', cap), Buffer.concat([text, Buffer.from('and more')]));
    assert.deepEqual(decodeBody(Buffer.concat([zlib.gzipSync(text), Buffer.alloc(9)]), 'gzip', cap), text);
  });
  it('refuses an unknown encoding and damaged data', () => {
    assert.throws(() => decodeBody(text, 'compress', cap), { reason: 'unsupported' });
    assert.throws(() => createDecoder('aes128gcm'), { reason: 'unsupported' });
    assert.throws(() => decodeBody(text, 'gzip', cap), { reason: 'broken' });
  });
  it('takes an empty body as empty whatever the header says', async () => {
    assert.equal(decodeBody(Buffer.alloc(0), 'gzip', cap).length, 0);
    assert.equal((await stream(Buffer.alloc(0), 'br', 1)).length, 0);
  });
  it('gives the start of a compressed stream before its end (SSE)', async () => {
    const gzip = zlib.createGzip();
    const decoder = gzip.pipe(createDecoder('gzip'));
    gzip.write('data: first\n\n');
    gzip.flush(zlib.constants.Z_SYNC_FLUSH);
    const [first] = await new Promise<Buffer[]>((resolve) => decoder.once('data', (chunk) => resolve([chunk])));
    assert.equal(String(first), 'data: first\n\n');
    decoder.destroy();
    gzip.destroy();
  });
  it('does not hold back the first bytes of plain text', async () => {
    const decoder = createDecoder(undefined);
    decoder.write('{');
    assert.equal(String(await new Promise((resolve) => decoder.once('data', resolve))), '{');
  });
  it('keeps at most a few buffers of a bomb while nobody reads', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(64 << 20));
    const decoder = createDecoder('gzip');
    decoder.end(bomb);
    await new Promise((resolve) => decoder.once('readable', resolve));
    assert.ok(decoder.readableLength < 1 << 20, `${decoder.readableLength}`);
    decoder.destroy();
  });
  it('tells cheaply whether there is something to undo', () => {
    assert.equal(isEncoded(undefined, Buffer.from('{"a"')), false);
    assert.equal(isEncoded('identity'), false);
    assert.equal(isEncoded('gzip'), true);
    assert.equal(isEncoded(undefined, zlib.gzipSync('x')), true);
  });
  it('passes any plain bytes through unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 50 }), fc.integer({ min: 1, max: 9 }), async (bytes, size) => {
        const body = Buffer.from(bytes);
        fc.pre(!isEncoded(undefined, body));
        assert.deepEqual(await stream(body, undefined, size), body);
      }),
      { numRuns: 100 },
    );
  });
});
