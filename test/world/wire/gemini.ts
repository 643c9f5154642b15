// Gemini generateContent, as Google's services speak it (https://ai.google.dev/api/generate-content), bare or in the
// envelope of Cloud Code Assist.
import type { Json, JsonObject } from '../../../src/protocols/neutral.ts';
import type { Call } from '../call.ts';
import { type Answer, answerTo, asList, asObject, asText, emptyAsk, fingerprint, sse } from '../model.ts';
import { type ErrorKind, statusOf, type Wire } from '../types.ts';

const words: Record<ErrorKind, [status: string, message: string]> = {
  'rate-limit': ['RESOURCE_EXHAUSTED', 'Resource has been exhausted (e.g. check quota).'],
  quota: ['RESOURCE_EXHAUSTED', 'Resource has been exhausted (e.g. check quota).'],
  unauthorized: ['UNAUTHENTICATED', 'Request had invalid authentication credentials.'],
  forbidden: ['PERMISSION_DENIED', 'The caller does not have permission'],
  'server-error': ['INTERNAL', 'Internal error encountered.'],
  overloaded: ['UNAVAILABLE', 'The service is currently unavailable.'],
  'invalid-request': ['INVALID_ARGUMENT', 'Request contains an invalid argument.'],
  'not-found': ['NOT_FOUND', 'Requested entity was not found.'],
  'invalid-grant': ['INVALID_ARGUMENT', 'Invalid grant'],
};

export const gemini: Wire = {
  error: (kind, { retryAfter, model }) => {
    const [status, message] = words[kind];
    const details = status === 'RESOURCE_EXHAUSTED' && retryAfter !== undefined ? quota(kind, retryAfter, model) : [];
    const error = { code: statusOf[kind], message, status, ...(details.length > 0 ? { details } : {}) };
    return { status: statusOf[kind], body: { error } };
  },
  errorEvent: () => sse({ error: { code: 503, message: 'error inside the stream', status: 'UNAVAILABLE' } }),
};

/** `google.rpc` error details (https://cloud.google.com/apis/design/errors#error_details). */
function quota(kind: ErrorKind, seconds: number, model: string): Json[] {
  return [
    {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: kind === 'quota' ? 'QUOTA_EXHAUSTED' : 'RATE_LIMIT_EXCEEDED',
      domain: 'cloudcode-pa.googleapis.com',
      metadata: { model, quotaResetDelay: `${seconds}s` },
    },
    { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` },
  ];
}

/** `request`: the Gemini body, without an envelope. */
export function readGemini(call: Call, request: JsonObject, model: string): void {
  const stream = call.url.pathname.endsWith(':streamGenerateContent');
  const ask = { ...emptyAsk(), model, stream, includeUsage: true };
  const contents = asList(request.contents).map(asObject);
  ask.messages = contents.length;
  ask.system = asList(asObject(request.systemInstruction).parts)
    .map((part) => asText(asObject(part).text))
    .join('');
  for (const [i, content] of contents.entries()) {
    let text = '';
    for (const part of asList(content.parts).map(asObject)) {
      text += asText(part.text);
      if (part.inlineData !== undefined) ask.images.push(fingerprint(asText(asObject(part.inlineData).data)));
      if (part.functionResponse !== undefined) {
        ask.toolResult = JSON.stringify(asObject(part.functionResponse).response ?? null);
        ask.afterTool = i === contents.length - 1;
      }
    }
    if (content.role !== 'model' && text !== '') ask.lastText = text;
    if (content.role !== 'user' && content.role !== 'model') call.problem(`role ${JSON.stringify(content.role)}`);
    if (asList(content.parts).length === 0) call.problem('content without parts');
  }
  ask.tools = asList(request.tools)
    .flatMap((tool) => asList(asObject(tool).functionDeclarations))
    .map((declaration) => asText(asObject(declaration).name))
    .filter((name) => name !== '');
  call.ask = ask;
  call.entry.model = model;
  call.entry.stream = stream;
}

export async function serveGemini(call: Call, options: { envelope: boolean }): Promise<void> {
  const ask = call.ask ?? emptyAsk();
  if (ask.messages === 0) return call.fail('invalid-request');
  const answer = answerTo(call);
  const wrap = (parts: Json[], last: boolean): JsonObject => {
    const response = {
      candidates: [
        { content: { role: 'model', parts }, index: 0, ...(last ? { finishReason: finishWord(answer) } : {}) },
      ],
      usageMetadata: usageOf(answer),
      modelVersion: ask.model,
      responseId: `world-${call.entry.id}`,
    };
    return options.envelope ? { response, traceId: `trace-${call.entry.id}` } : response;
  };
  const thoughts = answer.reasoning.map((text): Json => ({ text, thought: true }));
  const texts = answer.text.map((text): Json => ({ text }));
  const calls = answer.tools.map(
    (tool): Json => ({ functionCall: { name: tool.name, args: JSON.parse(tool.arguments) as Json } }),
  );
  if (!ask.stream) {
    const joined = (pieces: readonly string[], members: JsonObject): Json[] =>
      pieces.length > 0 ? [{ text: pieces.join(''), ...members }] : [];
    const parts = [...joined(answer.reasoning, { thought: true }), ...joined(answer.text, {}), ...calls];
    return call.reply(200, wrap(parts, true));
  }
  const parts = [...thoughts, ...texts, ...calls];
  const chunks = (parts.length > 0 ? parts : [{ text: '' }]).map((part, i, all) => wrap([part], i === all.length - 1));
  if (call.url.searchParams.get('alt') !== 'sse') return call.reply(200, chunks);
  // Google ends its lines with CRLF.
  await call.stream(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`));
}

export function serveGeminiCount(call: Call): void {
  call.reply(200, { totalTokens: 11 * Math.max(1, call.ask?.messages ?? 0) });
}

function finishWord(answer: Answer): string {
  return answer.finish === 'length' ? 'MAX_TOKENS' : 'STOP';
}

function usageOf({ usage }: Answer): JsonObject {
  return {
    promptTokenCount: usage.input,
    candidatesTokenCount: usage.output - usage.reasoning,
    totalTokenCount: usage.input + usage.output,
    cachedContentTokenCount: usage.cached,
    ...(usage.reasoning > 0 ? { thoughtsTokenCount: usage.reasoning } : {}),
  };
}
