// Which names a credential file may have, and what of it may be shown in a header (R11).
import { ApiError } from './errors.ts';

const maxBytes = 128;
// Control characters, quotes, separators of both families and drive letters; spaces and brackets stay legal.
const forbidden = /[\u0000-\u001f\u007f"'`/\\:]/;

/** For OpenAPI: what `credentialFileName` accepts. */
export const fileNamePattern = '^[^\\u0000-\\u001f\\u007f"\'`/\\\\:.][^\\u0000-\\u001f\\u007f"\'`/\\\\:]*\\.json$';

/** The name as given, or 400. */
export function credentialFileName(name: string | undefined, suffixText = 'name must end with .json'): string {
  const text = name ?? '';
  if (text === '' || forbidden.test(text) || text.startsWith('.')) {
    throw new ApiError(400, 'invalid name');
  }
  if (Buffer.byteLength(text) > maxBytes || !text.isWellFormed()) throw new ApiError(400, 'invalid name');
  if (!text.endsWith('.json')) throw new ApiError(400, suffixText, { code: 'invalid_extension' });
  return text;
}

/** RFC 6266: an ASCII fallback, and the exact name by RFC 8187. */
export function attachment(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const plain = `attachment; filename="${ascii}"`;
  if (ascii === name) return plain;
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `${plain}; filename*=UTF-8''${encoded}`;
}
