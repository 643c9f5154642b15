// OpenAI chat completions, as a client's protocol and as an upstream's.
import type { Protocol } from '../protocol.ts';
import { decodeRequest } from './decode-request.ts';
import { decodeResponse, streamDecoder } from './decode-response.ts';
import { encodeRequest } from './encode-request.ts';
import { encodeResponse, streamEncoder } from './encode-response.ts';
import { encodeError } from './error.ts';

export { chatToCompletion, chunkToCompletion, completions } from './completions.ts';
export { isResponsesShaped } from './decode-request.ts';

export const openaiChat: Protocol = {
  id: 'openai-chat',
  decodeRequest,
  encodeRequest,
  decodeResponse: (body) => decodeResponse(body),
  streamDecoder: (emit) => streamDecoder(emit),
  encodeResponse,
  streamEncoder,
  encodeError,
};
