// OpenAI chat completions, as a service speaks them (https://platform.openai.com/docs/api-reference/chat).
import type { Json, JsonObject } from '../../../src/protocols/neutral.ts';
import type { Call } from '../call.ts';
import { type Answer, answerTo, asList, asObject, asText, emptyAsk, fingerprint, splitText, sse } from '../model.ts';
import { type ErrorKind, retryAfterHeader, statusOf, type Wire } from '../types.ts';

const words: Record<ErrorKind, [type: string, code: string, message: string]> = {
  'rate-limit': ['rate_limit_error', 'rate_limit_exceeded', 'Rate limit reached'],
  quota: ['insufficient_quota', 'insufficient_quota', 'You exceeded your current quota'],
  unauthorized: ['authentication_error', 'invalid_api_key', 'invalid access token or token expired'],
  forbidden: ['permission_error', 'forbidden', 'Access denied'],
  'server-error': ['server_error', 'internal_server_error', 'The server had an error'],
  overloaded: ['server_error', 'overloaded', 'The engine is currently overloaded'],
  'invalid-request': ['invalid_request_error', 'invalid_value', 'Invalid value'],
  'not-found': ['invalid_request_error', 'model_not_found', 'The model does not exist'],
  'invalid-grant': ['invalid_request_error', 'invalid_grant', 'Invalid grant'],
};

export const openaiChat: Wire = {
  error: (kind, { retryAfter }) => {
    const [type, code, message] = words[kind];
    return {
      status: statusOf[kind],
      headers: retryAfterHeader(retryAfter),
      body: { error: { message, type, param: null, code } },
    };
  },
  errorEvent: () => sse({ error: { message: 'error inside the stream', type: 'server_error', code: 'stream_error' } }),
};

/** Reads the body into `call.ask`. */
export function readChat(call: Call): void {
  const { json, entry } = call;
  const ask = { ...emptyAsk(), model: asText(json.model), stream: json.stream === true };
  ask.includeUsage = asObject(json.stream_options).include_usage === true;
  const messages = asList(json.messages).map(asObject);
  ask.messages = messages.length;
  for (const [i, message] of messages.entries()) {
    const text = contentText(message.content, ask.images);
    if (message.role === 'user') ask.lastText = text;
    if (message.role === 'system' || message.role === 'developer') ask.system += text;
    if (message.role === 'tool') {
      ask.toolResult = text;
      ask.afterTool = i === messages.length - 1;
      if (asText(message.tool_call_id) === '') call.problem('tool message without tool_call_id');
    }
  }
  ask.tools = asList(json.tools)
    .map((tool) => asText(asObject(asObject(tool).function).name))
    .filter((name) => name !== '');
  if (ask.model === '') call.problem('no model');
  if (ask.messages === 0) call.problem('no messages');
  call.ask = ask;
  entry.model = ask.model;
  entry.stream = ask.stream;
}

function contentText(content: Json | undefined, images: string[]): string {
  if (typeof content === 'string') return content;
  let text = '';
  for (const part of asList(content).map(asObject)) {
    if (part.type === 'text') text += asText(part.text);
    if (part.type === 'image_url') images.push(fingerprint(asText(asObject(part.image_url).url)));
  }
  return text;
}

export async function serveChat(call: Call): Promise<void> {
  const ask = call.ask ?? emptyAsk();
  if (ask.messages === 0) return call.fail('invalid-request');
  const answer = answerTo(call);
  const head = { id: `chatcmpl-${call.entry.id}`, created: 1_700_000_000, model: ask.model };
  if (!ask.stream) return call.reply(200, wholeAnswer(head, answer));
  const events = streamEvents(head, answer);
  if (ask.includeUsage) events.push(chunk(head, [], usageOf(answer)));
  await call.stream([...events, sse('[DONE]')]);
}

function wholeAnswer(head: JsonObject, answer: Answer): JsonObject {
  const text = answer.text.join('');
  return {
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.tools.length > 0 && text === '' ? null : text,
          ...(answer.reasoning.length > 0 ? { reasoning_content: answer.reasoning.join('') } : {}),
          ...(answer.tools.length > 0 ? { tool_calls: answer.tools.map(toolCall) } : {}),
        },
        finish_reason: finishWord(answer),
      },
    ],
    usage: usageOf(answer),
  };
}

function streamEvents(head: JsonObject, answer: Answer): string[] {
  const delta = (content: JsonObject, finish: string | null = null): string =>
    chunk(head, [{ index: 0, delta: content, finish_reason: finish }]);
  return [
    delta({ role: 'assistant', content: '' }),
    ...answer.reasoning.map((text) => delta({ reasoning_content: text })),
    ...answer.text.map((text) => delta({ content: text })),
    ...answer.tools.flatMap((tool, index) => [
      delta({ tool_calls: [{ index, ...toolCall({ ...tool, arguments: '' }) }] }),
      ...splitText(tool.arguments, 2).map((text) => delta({ tool_calls: [{ index, function: { arguments: text } }] })),
    ]),
    delta({}, finishWord(answer)),
  ];
}

function chunk(head: JsonObject, choices: Json[], usage?: JsonObject): string {
  return sse({ ...head, object: 'chat.completion.chunk', choices, ...(usage === undefined ? {} : { usage }) });
}

function toolCall(tool: { id: string; name: string; arguments: string }): JsonObject {
  return { id: tool.id, type: 'function', function: { name: tool.name, arguments: tool.arguments } };
}

function finishWord(answer: Answer): string {
  return answer.finish === 'tool-calls' ? 'tool_calls' : answer.finish;
}

function usageOf({ usage }: Answer): JsonObject {
  return {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: { cached_tokens: usage.cached },
    ...(usage.reasoning > 0 ? { completion_tokens_details: { reasoning_tokens: usage.reasoning } } : {}),
  };
}

export function serveModelList(call: Call): void {
  call.reply(200, {
    object: 'list',
    data: ['world-model-a', 'world-model-b'].map((id) => ({ id, object: 'model', created: 1, owned_by: 'world' })),
  });
}
