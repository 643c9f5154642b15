// OpenAI Responses, as a service speaks them (https://platform.openai.com/docs/api-reference/responses).
import type { Json, JsonObject } from '../../../src/protocols/neutral.ts';
import type { Call } from '../call.ts';
import { type Answer, answerTo, asList, asObject, asText, emptyAsk, fingerprint, splitText, sse } from '../model.ts';
import { type ErrorKind, retryAfterHeader, statusOf, type Wire } from '../types.ts';

const words: Record<Exclude<ErrorKind, 'rate-limit' | 'quota'>, JsonObject> = {
  unauthorized: { type: null, code: 'token_expired', message: 'Provided authentication token is expired.' },
  forbidden: { type: 'permission_error', message: 'Forbidden' },
  'server-error': { type: 'server_error', message: 'An error occurred while processing your request.' },
  overloaded: { type: 'server_overloaded', message: 'Our servers are currently overloaded.' },
  'invalid-request': { type: 'invalid_request_error', message: 'Invalid value', code: 'invalid_value' },
  'not-found': { type: 'invalid_request_error', message: 'The model does not exist', code: 'model_not_found' },
  'invalid-grant': { type: 'invalid_request_error', message: 'Invalid grant', code: 'invalid_grant' },
};

export const responses: Wire = {
  error: (kind, { retryAfter }) => {
    if (kind !== 'rate-limit' && kind !== 'quota') {
      return { status: statusOf[kind], headers: retryAfterHeader(retryAfter), body: { error: words[kind] } };
    }
    const resets: JsonObject = retryAfter === undefined ? {} : { resets_in_seconds: Math.ceil(retryAfter) };
    const message = 'The usage limit has been reached';
    return { status: 429, body: { error: { type: 'usage_limit_reached', message, plan_type: 'plus', ...resets } } };
  },
  errorEvent: () =>
    sse(
      {
        type: 'response.failed',
        response: { status: 'failed', error: { code: 'server_error', message: 'error inside the stream' } },
      },
      'response.failed',
    ),
};

export function readResponses(call: Call): void {
  const { json, entry } = call;
  const ask = { ...emptyAsk(), model: asText(json.model), stream: json.stream === true, includeUsage: true };
  ask.system = asText(json.instructions);
  const items = typeof json.input === 'string' ? [{ role: 'user', content: json.input }] : asList(json.input);
  ask.messages = items.length;
  for (const [i, item] of items.map(asObject).entries()) {
    if (item.type === 'function_call_output') {
      ask.toolResult = asText(item.output) || JSON.stringify(item.output ?? '');
      ask.afterTool = i === items.length - 1;
      continue;
    }
    if (item.type !== undefined && item.type !== 'message') continue;
    const text = contentText(item.content, ask.images);
    if (item.role === 'user') ask.lastText = text;
    if (item.role === 'developer' || item.role === 'system') ask.system += text;
  }
  ask.tools = asList(json.tools)
    .map(asObject)
    .flatMap((tool) => (tool.type === 'function' ? [asText(tool.name)] : []));
  call.ask = ask;
  entry.model = ask.model;
  entry.stream = ask.stream;
}

function contentText(content: Json | undefined, images: string[]): string {
  if (typeof content === 'string') return content;
  let text = '';
  for (const part of asList(content).map(asObject)) {
    if (part.type === 'input_text' || part.type === 'output_text') text += asText(part.text);
    if (part.type === 'input_image') images.push(fingerprint(asText(part.image_url)));
  }
  return text;
}

export async function serveResponses(call: Call): Promise<void> {
  const ask = call.ask ?? emptyAsk();
  if (ask.messages === 0) return call.fail('invalid-request');
  const answer = answerTo(call);
  const id = `resp_${call.entry.id}`;
  const items = outputItems(id, answer);
  const body = (status: string, output: Json[], usage: Json): JsonObject => ({
    id,
    object: 'response',
    created_at: 1_700_000_000,
    status,
    model: ask.model,
    output,
    usage,
    error: null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    parallel_tool_calls: true,
    store: false,
    tool_choice: 'auto',
    tools: [],
    metadata: {},
  });
  const status = answer.finish === 'length' ? 'incomplete' : 'completed';
  const done = items.map((item) => item.whole);
  const final = body(status, done, usageOf(answer));
  if (!ask.stream) return call.reply(200, final);
  let sequence = 0;
  const event = (type: string, members: JsonObject): string =>
    sse({ type, sequence_number: sequence++, ...members }, type);
  await call.stream([
    event('response.created', { response: body('in_progress', [], null) }),
    event('response.in_progress', { response: body('in_progress', [], null) }),
    ...items.flatMap((item, output_index) => [
      event('response.output_item.added', { output_index, item: item.start }),
      ...item.steps.map(([type, members]) => event(type, { output_index, item_id: item.id, ...members })),
      event('response.output_item.done', { output_index, item: item.whole }),
    ]),
    event(`response.${status}`, { response: final }),
  ]);
}

interface OutputItem {
  id: string;
  start: JsonObject;
  steps: [type: string, members: JsonObject][];
  whole: JsonObject;
}

function outputItems(id: string, answer: Answer): OutputItem[] {
  const items: OutputItem[] = [];
  if (answer.reasoning.length > 0) items.push(reasoningItem(`rs_${id}`, answer.reasoning));
  if (answer.text.length > 0) items.push(messageItem(`msg_${id}`, answer.text));
  for (const [i, tool] of answer.tools.entries()) {
    const call = { id: `fc_${id}_${i}`, type: 'function_call', call_id: tool.id, name: tool.name };
    items.push({
      id: call.id,
      start: { ...call, status: 'in_progress', arguments: '' },
      steps: [
        ...splitText(tool.arguments, 2).map((delta): [string, JsonObject] => [
          'response.function_call_arguments.delta',
          { delta },
        ]),
        ['response.function_call_arguments.done', { arguments: tool.arguments }],
      ],
      whole: { ...call, status: 'completed', arguments: tool.arguments },
    });
  }
  return items;
}

function reasoningItem(id: string, pieces: readonly string[]): OutputItem {
  const text = pieces.join('');
  const at = { summary_index: 0 };
  return {
    id,
    start: { id, type: 'reasoning', summary: [] },
    steps: [
      ['response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } }],
      ...pieces.map((delta): [string, JsonObject] => ['response.reasoning_summary_text.delta', { ...at, delta }]),
      ['response.reasoning_summary_text.done', { ...at, text }],
      ['response.reasoning_summary_part.done', { ...at, part: { type: 'summary_text', text } }],
    ],
    whole: { id, type: 'reasoning', encrypted_content: 'd29ybGQ=', summary: [{ type: 'summary_text', text }] },
  };
}

function messageItem(id: string, pieces: readonly string[]): OutputItem {
  const text = pieces.join('');
  const part = { type: 'output_text', text, annotations: [] };
  const at = { content_index: 0 };
  const head = { id, type: 'message', role: 'assistant' };
  return {
    id,
    start: { ...head, status: 'in_progress', content: [] },
    steps: [
      ['response.content_part.added', { ...at, part: { ...part, text: '' } }],
      ...pieces.map((delta): [string, JsonObject] => ['response.output_text.delta', { ...at, delta }]),
      ['response.output_text.done', { ...at, text }],
      ['response.content_part.done', { ...at, part }],
    ],
    whole: { ...head, status: 'completed', content: [part] },
  };
}

function usageOf({ usage }: Answer): JsonObject {
  return {
    input_tokens: usage.input,
    input_tokens_details: { cached_tokens: usage.cached },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: usage.input + usage.output,
  };
}
