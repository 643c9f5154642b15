// Anthropic messages, as a service speaks them (https://docs.anthropic.com/en/api/messages).
import type { Json, JsonObject } from '../../../src/protocols/neutral.ts';
import type { Call } from '../call.ts';
import { type Answer, answerTo, asList, asObject, asText, emptyAsk, fingerprint, splitText, sse } from '../model.ts';
import { type ErrorKind, retryAfterHeader, statusOf, type Wire } from '../types.ts';

const words: Record<ErrorKind, [type: string, message: string]> = {
  'rate-limit': ['rate_limit_error', "This request would exceed your account's rate limit."],
  quota: ['rate_limit_error', "This request would exceed your account's rate limit."],
  unauthorized: ['authentication_error', 'OAuth token has expired. Please obtain a new token.'],
  forbidden: ['permission_error', 'Your account does not have permission'],
  'server-error': ['api_error', 'Internal server error'],
  overloaded: ['overloaded_error', 'Overloaded'],
  'invalid-request': ['invalid_request_error', 'messages: at least one message is required'],
  'not-found': ['not_found_error', 'model not found'],
  'invalid-grant': ['invalid_request_error', 'Invalid grant'],
};

export const anthropic: Wire = {
  error: (kind, { retryAfter }) => {
    const [type, message] = words[kind];
    return {
      status: kind === 'overloaded' ? 529 : statusOf[kind],
      headers: retryAfterHeader(retryAfter),
      body: { type: 'error', error: { type, message }, request_id: 'req_world' },
    };
  },
  errorEvent: () =>
    sse({ type: 'error', error: { type: 'overloaded_error', message: 'error inside the stream' } }, 'error'),
};

export function readMessages(call: Call): void {
  const { json, entry } = call;
  const ask = { ...emptyAsk(), model: asText(json.model), stream: json.stream === true, includeUsage: true };
  const messages = asList(json.messages).map(asObject);
  ask.messages = messages.length;
  ask.system = blockText(json.system);
  for (const [i, message] of messages.entries()) {
    if (message.role !== 'user') continue;
    const text = blockText(message.content);
    for (const block of asList(message.content).map(asObject)) {
      const source = asObject(block.source);
      if (block.type === 'image') ask.images.push(fingerprint(asText(source.data) || asText(source.url)));
      if (block.type === 'tool_result') {
        ask.toolResult = blockText(block.content);
        ask.afterTool = i === messages.length - 1;
      }
    }
    if (text !== '') ask.lastText = text;
  }
  ask.tools = asList(json.tools)
    .map((tool) => asText(asObject(tool).name))
    .filter((name) => name !== '');
  if (call.header('anthropic-version') === '') call.problem('no anthropic-version header');
  if (call.route.kind === 'chat' && typeof json.max_tokens !== 'number') call.problem('no max_tokens');
  call.ask = ask;
  entry.model = ask.model;
  entry.stream = ask.stream;
}

function blockText(content: Json | undefined): string {
  if (typeof content === 'string') return content;
  return asList(content)
    .map((block) => (asObject(block).type === 'text' ? asText(asObject(block).text) : ''))
    .join('');
}

export async function serveMessages(call: Call): Promise<void> {
  const ask = call.ask ?? emptyAsk();
  if (ask.messages === 0 || typeof call.json.max_tokens !== 'number') return call.fail('invalid-request');
  const answer = answerTo(call);
  const head = { id: `msg_${call.entry.id}`, type: 'message', role: 'assistant', model: ask.model };
  if (ask.stream) return call.stream(events(head, answer));
  call.reply(200, {
    ...head,
    content: blocks(answer).map((block) => block.whole),
    stop_reason: stopReason(answer),
    stop_sequence: null,
    usage: usageOf(answer),
  });
}

export function serveTokenCount(call: Call): void {
  call.reply(200, { input_tokens: 11 * Math.max(1, call.ask?.messages ?? 0) });
}

interface Block {
  whole: JsonObject;
  start: JsonObject;
  deltas: JsonObject[];
}

const signature = 'd29ybGQtc2lnbmF0dXJl';

function blocks(answer: Answer): Block[] {
  const list: Block[] = [];
  if (answer.reasoning.length > 0) {
    list.push({
      whole: { type: 'thinking', thinking: answer.reasoning.join(''), signature },
      start: { type: 'thinking', thinking: '', signature: '' },
      deltas: [
        ...answer.reasoning.map((thinking) => ({ type: 'thinking_delta', thinking })),
        { type: 'signature_delta', signature },
      ],
    });
  }
  if (answer.text.length > 0) {
    list.push({
      whole: { type: 'text', text: answer.text.join('') },
      start: { type: 'text', text: '' },
      deltas: answer.text.map((text) => ({ type: 'text_delta', text })),
    });
  }
  for (const tool of answer.tools) {
    const block = { type: 'tool_use', id: `toolu_${tool.id}`, name: tool.name };
    list.push({
      whole: { ...block, input: JSON.parse(tool.arguments) as Json },
      start: { ...block, input: {} },
      deltas: ['', ...splitText(tool.arguments, 2)].map((partial_json) => ({ type: 'input_json_delta', partial_json })),
    });
  }
  return list;
}

function events(head: JsonObject, answer: Answer): string[] {
  const event = (type: string, members: JsonObject = {}): string => sse({ type, ...members }, type);
  const usage = usageOf(answer);
  return [
    event('message_start', {
      message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } },
    }),
    event('ping'),
    ...blocks(answer).flatMap((block, index) => [
      event('content_block_start', { index, content_block: block.start }),
      ...block.deltas.map((delta) => event('content_block_delta', { index, delta })),
      event('content_block_stop', { index }),
    ]),
    event('message_delta', { delta: { stop_reason: stopReason(answer), stop_sequence: null }, usage }),
    event('message_stop'),
  ];
}

function stopReason(answer: Answer): string {
  return { stop: 'end_turn', length: 'max_tokens', 'tool-calls': 'tool_use' }[answer.finish];
}

/** Anthropic's `input_tokens` leave the cached ones out. */
function usageOf({ usage }: Answer): JsonObject {
  return {
    input_tokens: usage.input - usage.cached,
    output_tokens: usage.output,
    cache_read_input_tokens: usage.cached,
    cache_creation_input_tokens: 0,
  };
}
