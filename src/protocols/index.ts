// The four wire protocols, by id. A client protocol is one folder here and one route file in server/.
import { anthropic } from './anthropic/index.ts';
import { gemini } from './gemini/index.ts';
import type { ProtocolId } from './neutral.ts';
import { openaiChat } from './openai-chat/index.ts';
import { openaiResponses } from './openai-responses/index.ts';
import type { Protocol } from './protocol.ts';

export const protocols: Readonly<Record<ProtocolId, Protocol>> = {
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  anthropic,
  gemini,
};
