// Reads multipart/form-data (RFC 7578) from a buffer: small uploads only, the caller bounds the size.
import { ApiError } from './errors.ts';

export interface UploadedPart {
  name: string;
  /** Base name; directory parts are dropped. Absent for plain fields. */
  filename?: string;
  data: Buffer;
}

const maxParts = 50;

function broken(reason: string): ApiError {
  return new ApiError(400, `invalid multipart form: ${reason}`, { code: 'invalid_multipart_form' });
}

export function boundaryOf(contentType: string): string | undefined {
  const match = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  return boundary && boundary.length <= 70 ? boundary : undefined;
}

export function readMultipart(body: Buffer, contentType: string): UploadedPart[] {
  const boundary = boundaryOf(contentType);
  if (!boundary) throw broken('no boundary');
  const delimiter = Buffer.from(`--${boundary}`, 'latin1');
  let at = body.indexOf(delimiter);
  if (at < 0) throw broken('no part');
  const parts: UploadedPart[] = [];
  for (;;) {
    at += delimiter.length;
    if (body.subarray(at, at + 2).toString('latin1') === '--') return parts;
    const lineEnd = body.indexOf('\n', at);
    if (lineEnd < 0) throw broken('unexpected end');
    const headEnd = body.indexOf('\r\n\r\n', lineEnd - 1);
    const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), delimiter]), lineEnd - 1);
    if (next < 0) throw broken('unexpected end');
    if (headEnd < 0 || headEnd > next) throw broken('part without headers');
    if (parts.length >= maxParts) throw new ApiError(413, 'too many parts', { code: 'too_many_files' });
    const head = body.subarray(lineEnd + 1, headEnd).toString('utf8');
    parts.push({ ...disposition(head), data: body.subarray(headEnd + 4, next) });
    at = next + 2;
  }
}

function disposition(head: string): { name: string; filename?: string } {
  const line = head.split('\r\n').find((text) => /^content-disposition\s*:/i.test(text)) ?? '';
  const name = parameter(line, 'name') ?? '';
  const filename = parameter(line, 'filename');
  if (filename === undefined) return { name };
  return { name, filename: filename.split(/[/\\]/).at(-1) ?? '' };
}

function parameter(line: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`, 'i').exec(line);
  // Browsers percent-encode quotes instead of escaping them (RFC 7578 §4.2, WHATWG form encoding).
  return (match?.[1] ?? match?.[2])?.replace(/\\(["\\])/g, '$1').replace(/%22/g, '"');
}
