// Reads a request body within its limit and turns it into what the route declared.
import type { Readable } from 'node:stream';
import { ApiError, issueDetails } from './errors.ts';
import { readMultipart } from './multipart.ts';
import type { BodySpec, UploadBody } from './route.ts';

const mebibyte = 1024 * 1024;
export const limits = {
  json: mebibyte,
  yaml: 2 * mebibyte,
  multipart: 10 * mebibyte,
  usageImport: 64 * mebibyte,
} as const;

/** The whole body, or 413 as soon as it is too long; the rest is never kept. */
export async function readBody(
  source: Readable,
  limit: number,
  contentLength: string | undefined,
  brokenText = 'failed to read body',
): Promise<Buffer> {
  if (Number(contentLength ?? 0) > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError(400, brokenText);
  }
  return Buffer.concat(chunks, size);
}

function tooLarge(limit: number): ApiError {
  return new ApiError(413, 'request body too large', {
    code: 'payload_too_large',
    message: `The body may have at most ${limit} bytes.`,
  });
}

export function parseBody(spec: BodySpec<unknown>, bytes: Buffer, contentType: string): unknown {
  if (spec.kind === 'yaml') return bytes.toString('utf8');
  if (spec.kind === 'multipart' || spec.kind === 'upload') return parseUpload(spec, bytes, contentType);
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  if (text.trim() === '' && spec.optional) return undefined;
  const invalid = spec.invalid ?? 'invalid body';
  let json: unknown;
  try {
    json = JSON.parse(text, text.includes('__proto__') || text.includes('\\u') ? withoutPrototype : undefined);
  } catch {
    throw new ApiError(400, spec.unreadable ?? invalid, { message: 'The body is not valid JSON.' });
  }
  if (!spec.schema) return json;
  const parsed = spec.schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ApiError(400, ownText(parsed.error.issues) ?? invalid, { details: issueDetails(parsed.error) });
}

/** A member of this name could become the prototype of what it is copied to. */
function withoutPrototype(name: string, value: unknown): unknown {
  return name === '__proto__' ? undefined : value;
}

/** Issues of our own checks carry the recorded text behind this mark. */
export const textMark = 'text:';

function ownText(issues: readonly { message: string }[]): string | undefined {
  const marked = issues.find(({ message }) => message.startsWith(textMark));
  return marked?.message.slice(textMark.length);
}

function parseUpload(spec: BodySpec<unknown>, bytes: Buffer, contentType: string): UploadBody {
  if (/^multipart\/form-data/i.test(contentType)) return { parts: readMultipart(bytes, contentType) };
  return spec.kind === 'upload' ? { raw: bytes } : { parts: [] };
}

export function defaultLimit(spec: BodySpec<unknown>): number {
  if (spec.limit !== undefined) return spec.limit;
  if (spec.kind === 'yaml') return limits.yaml;
  return spec.kind === 'json' ? limits.json : limits.multipart;
}
