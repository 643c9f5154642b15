// The services reached with keys from the config file: OpenAI, Anthropic, Gemini and a Codex-like Responses host.
import type { Call } from '../call.ts';
import { asText } from '../model.ts';
import type { FakeProvider } from '../types.ts';
import { anthropic as anthropicWire, readMessages, serveMessages, serveTokenCount } from '../wire/anthropic.ts';
import { gemini as geminiWire, readGemini, serveGemini, serveGeminiCount } from '../wire/gemini.ts';
import { openaiChat, readChat, serveChat, serveModelList } from '../wire/openai-chat.ts';
import { readResponses, responses, serveResponses } from '../wire/responses.ts';

const bearer = (call: Call): void => call.authenticate(call.bearer());

export const openai: FakeProvider = {
  id: 'openai',
  endpoints: {},
  routes: [
    {
      method: 'POST',
      path: '/v1/chat/completions',
      kind: 'chat',
      wire: openaiChat,
      identify: (call) => {
        bearer(call);
        readChat(call);
      },
      serve: serveChat,
    },
    {
      method: 'POST',
      path: /^\/v1\/responses(?:\/compact)?$/,
      kind: 'chat',
      wire: responses,
      identify: (call) => {
        bearer(call);
        readResponses(call);
      },
      serve: serveResponses,
    },
    { method: 'GET', path: '/v1/models', kind: 'models', wire: openaiChat, identify: bearer, serve: serveModelList },
  ],
};

export const codexKey: FakeProvider = {
  id: 'codex-key',
  endpoints: {},
  routes: [
    {
      method: 'POST',
      path: /^\/responses(?:\/compact)?$/,
      kind: 'chat',
      wire: responses,
      identify: (call) => {
        bearer(call);
        readResponses(call);
      },
      serve: serveResponses,
    },
  ],
};

function identifyAnthropic(call: Call): void {
  call.authenticate(call.header('x-api-key') || call.bearer());
  readMessages(call);
}

export const anthropic: FakeProvider = {
  id: 'anthropic',
  endpoints: {},
  routes: [
    {
      method: 'POST',
      path: '/v1/messages',
      kind: 'chat',
      wire: anthropicWire,
      identify: identifyAnthropic,
      serve: serveMessages,
    },
    {
      method: 'POST',
      path: '/v1/messages/count_tokens',
      kind: 'count',
      wire: anthropicWire,
      identify: identifyAnthropic,
      serve: serveTokenCount,
    },
  ],
};

function identifyGemini(call: Call): void {
  call.authenticate(call.header('x-goog-api-key') || asText(call.entry.query.key));
  readGemini(call, call.json, call.groups[0] ?? '');
}

export const gemini: FakeProvider = {
  id: 'gemini',
  endpoints: { api: '' },
  routes: [
    {
      method: 'POST',
      // Vertex' express mode has the publisher in the path.
      path: /^\/v1(?:beta)?\/(?:publishers\/google\/)?models\/([^/:]+):(?:generateContent|streamGenerateContent)$/,
      kind: 'chat',
      wire: geminiWire,
      identify: identifyGemini,
      serve: (call) => serveGemini(call, { envelope: false }),
    },
    {
      method: 'POST',
      path: /^\/v1(?:beta)?\/(?:publishers\/google\/)?models\/([^/:]+):countTokens$/,
      kind: 'count',
      wire: geminiWire,
      identify: identifyGemini,
      serve: serveGeminiCount,
    },
  ],
};
