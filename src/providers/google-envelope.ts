// The envelope that Google's Cloud Code Assist puts around Gemini (upstreams.md §2.5, §2.8): Gemini CLI and
// Antigravity share it.
import type { JsonObject } from '../protocols/neutral.ts';
import type { Operation } from './provider.ts';

/** `/v1internal:<method>`; streams are asked for as SSE. */
export function codeAssistPath(operation: Operation, stream: boolean): string {
  if (operation === 'count-tokens') return '/v1internal:countTokens';
  return stream ? '/v1internal:streamGenerateContent?alt=sse' : '/v1internal:generateContent';
}

/**
 * The Gemini JSON inside `{"response":{...},"traceId":"..."}`. The usual form, `response` first, is cut out without
 * parsing: this runs once per streamed chunk. Errors and bare answers come back as they are.
 */
export function unwrapEnvelope(data: string): string {
  const head = /^\s*\{\s*"response"\s*:\s*(?=\{)/.exec(data);
  if (head !== null) {
    const end = objectEnd(data, head[0].length);
    if (end > 0) return data.slice(head[0].length, end);
  }
  if (!data.includes('"response"')) return data;
  try {
    const parsed = JSON.parse(data) as JsonObject;
    const { response } = parsed;
    return response !== null && typeof response === 'object' ? JSON.stringify(response) : data;
  } catch {
    return data;
  }
}

/** Index after the object that opens at `start`; -1 when it does not end. */
function objectEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22:
        i = stringEnd(text, i);
        if (i < 0) return -1;
        break;
      case 0x7b:
      case 0x5b:
        depth++;
        break;
      case 0x7d:
      case 0x5d:
        if (--depth === 0) return i + 1;
        break;
    }
  }
  return -1;
}

/** Index of the quote that ends the string opened at `start`. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}
