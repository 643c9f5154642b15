// The Gemini generateContent protocol, both ways, and the pure rules for its bodies.

import type { Protocol } from '../protocol.ts';
import { decodeRequest } from './decode-request.ts';
import { decodeResponse, GeminiStreamDecoder } from './decode-stream.ts';
import { encodeRequest } from './encode-request.ts';
import { encodeResponse } from './encode-response.ts';
import { GeminiStreamEncoder } from './encode-stream.ts';
import { encodeError } from './error.ts';

export const gemini: Protocol = {
  id: 'gemini',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  streamDecoder: (emit) => new GeminiStreamDecoder(emit),
  encodeResponse,
  streamEncoder: (context) => new GeminiStreamEncoder(context),
  encodeError,
};

export { antigravitySchema, reduceAntigravitySchemas, withoutPlaceholders } from './antigravity-schema.ts';
export { filterPlaceholders } from './placeholders.ts';
export { defaultSafetySettings } from './safety.ts';
export { dropUnansweredCalls, prepareAntigravity, prepareGemini } from './same-protocol.ts';
export { toJsonSchema } from './schema.ts';
export { SKIP_SIGNATURE } from './signatures.ts';
export { readUsage } from './usage.ts';
