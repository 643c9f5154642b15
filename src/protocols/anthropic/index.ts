// The Anthropic Messages protocol, both ways, and the pure rules for its bodies.

import type { Protocol } from '../protocol.ts';
import { decodeRequest } from './decode-request.ts';
import { decodeResponse } from './decode-response.ts';
import { AnthropicStreamDecoder } from './decode-stream.ts';
import { encodeRequest } from './encode-request.ts';
import { encodeResponse } from './encode-response.ts';
import { AnthropicStreamEncoder } from './encode-stream.ts';
import { encodeError } from './error.ts';

export const anthropic: Protocol = {
  id: 'anthropic',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  streamDecoder: (emit) => new AnthropicStreamDecoder(emit),
  encodeResponse,
  streamEncoder: (context) => new AnthropicStreamEncoder(context),
  encodeError,
};

export { mergeBetas, takeBetas } from './betas.ts';
export { addBreakpoints, withCacheBreakpoints } from './cache-breakpoints.ts';
export { DEFAULT_MAX_TOKENS } from './encode-request.ts';
export { errorStatus } from './error.ts';
export { forcesTool, type ModelLimits, withoutThinking, withThinkingLimits } from './thinking-limits.ts';
export { mergeUsage, readUsage } from './usage.ts';
