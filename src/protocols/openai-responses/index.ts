// OpenAI Responses, as a client's protocol and as the dialect of the Codex backend.
import { encodeError } from '../openai-chat/error.ts';
import type { Protocol } from '../protocol.ts';
import { decodeRequest } from './decode-request.ts';
import { decodeResponse, streamDecoder } from './decode-response.ts';
import { encodeRequest } from './encode-request.ts';
import { encodeResponse, streamEncoder } from './encode-response.ts';

export { codexAfterRules, codexBody } from './codex-dialect.ts';

export const openaiResponses: Protocol = {
  id: 'openai-responses',
  decodeRequest,
  encodeRequest,
  decodeResponse: (body) => decodeResponse(body),
  streamDecoder: (emit) => streamDecoder(emit),
  encodeResponse,
  streamEncoder,
  encodeError,
};
