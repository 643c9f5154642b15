// What a client was told, put together from a body or a stream, in one form for all protocols.
import { readMessage, readMessageStream } from './answer-anthropic.ts';
import { readGemini, readGeminiStream } from './answer-gemini.ts';
import { readChat, readChatStream, readCompletion, readCompletionStream } from './answer-openai.ts';
import type { Answer, DataEvent } from './answer-parts.ts';
import { readResponse, readResponseStream } from './answer-responses.ts';
import { type ClientName, isObject, type Json, type JsonObject } from './format.ts';

export { type Answer, type Block, type DataEvent, dataEvents, parsed } from './answer-parts.ts';

/** Reads a body or events of `client`'s protocol. */
export function readAnswer(client: ClientName, source: Json | DataEvent[], streamed: boolean): Answer {
  if (streamed) return streamReaders[client](source as DataEvent[]);
  return bodyReaders[client](isObject(source as Json) ? (source as JsonObject) : {});
}

const bodyReaders: Record<ClientName, (body: JsonObject) => Answer> = {
  openai: readChat,
  completions: readCompletion,
  responses: readResponse,
  claude: readMessage,
  gemini: readGemini,
};

const streamReaders: Record<ClientName, (events: DataEvent[]) => Answer> = {
  openai: readChatStream,
  completions: readCompletionStream,
  responses: readResponseStream,
  claude: readMessageStream,
  gemini: readGeminiStream,
};
