// What a client was told, put together from a body or a stream, in one form for all protocols.
import {
  type ClientName,
  isObject,
  type Json,
  type JsonObject,
  list,
  objects,
  text,
  type WireEvent,
} from './format.ts';

export type Block =
  | { kind: 'text'; text: string }
  | { kind: 'thinking'; text: string }
  | { kind: 'redacted'; text: string }
  | { kind: 'refusal'; text: string }
  | { kind: 'tool'; id: string; name: string; input: Json }
  | { kind: 'image'; text: string };

export interface Answer {
  blocks: Block[];
  finish: string;
  usage: JsonObject | undefined;
  /** The whole assembled body. */
  body: JsonObject;
  /** An error event, or undefined. */
  error: Json | undefined;
  /** Kinds of events in order, repeats collapsed; empty for a body. */
  kinds: string[];
}

export interface DataEvent {
  event: string;
  data: Json;
}

/** Events of a recorded stream; `{raw}` pieces are not expected in client answers. */
export function dataEvents(events: readonly WireEvent[]): DataEvent[] {
  return events.flatMap((event) => ('raw' in event ? [] : [{ event: event.event ?? '', data: event.data }]));
}

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

function answer(body: JsonObject, blocks: Block[], finish: string, usage: Json | undefined): Answer {
  const error = isObject(body.error) ? body.error : undefined;
  return { blocks: merged(blocks), finish, usage: isObject(usage) ? usage : undefined, body, error, kinds: [] };
}

/** Neighbours of one kind are one block; empty ones are none. */
function merged(blocks: Block[]): Block[] {
  const result: Block[] = [];
  for (const block of blocks) {
    if ('text' in block && block.text === '') continue;
    const last = result.at(-1);
    if (last && last.kind === block.kind && (block.kind === 'text' || block.kind === 'refusal')) {
      (last as { text: string }).text += block.text;
    } else if (last && last.kind === 'thinking' && block.kind === 'thinking') {
      last.text += block.text;
    } else result.push({ ...block });
  }
  return result;
}

// OpenAI chat

function readChat(body: JsonObject): Answer {
  const choice = objects(body.choices)[0] ?? {};
  const message = isObject(choice.message) ? choice.message : {};
  return answer(body, chatBlocks(message), text(choice.finish_reason), body.usage);
}

function chatBlocks(message: JsonObject): Block[] {
  return [
    { kind: 'thinking', text: text(message.reasoning_content) },
    { kind: 'text', text: text(message.content) },
    { kind: 'refusal', text: text(message.refusal) },
    ...objects(message.images).map(
      (image): Block => ({ kind: 'image', text: text(isObject(image.image_url) ? image.image_url.url : '') }),
    ),
    ...objects(message.tool_calls).map((call): Block => {
      const fn = isObject(call.function) ? call.function : {};
      return { kind: 'tool', id: text(call.id), name: text(fn.name), input: parsed(fn.arguments) };
    }),
  ];
}

function readChatStream(events: DataEvent[]): Answer {
  const blocks: Block[] = [];
  const kinds: string[] = [];
  const tools = new Map<number, { id: string; name: string; arguments: string; block: Block }>();
  const body: JsonObject = {};
  const message: JsonObject = {};
  let finish = '';
  let error: Json | undefined;
  for (const { data } of events) {
    if (data === '[DONE]') {
      kinds.push('done');
      continue;
    }
    if (!isObject(data)) continue;
    if (data.error !== undefined && data.error !== null) {
      error = data.error;
      kinds.push('error');
      continue;
    }
    for (const [key, value] of Object.entries(data)) if (key !== 'choices' && value !== null) body[key] = value;
    for (const choice of objects(data.choices)) {
      if (choice.index !== undefined && choice.index !== 0) continue;
      const delta = isObject(choice.delta) ? choice.delta : {};
      for (const [key, value] of Object.entries(delta)) {
        if (key === 'tool_calls' || value === null) continue;
        const had = message[key];
        if (typeof value === 'string' && key !== 'role') message[key] = `${typeof had === 'string' ? had : ''}${value}`;
        else if (Array.isArray(value)) message[key] = [...list(had), ...value];
        else message[key] = value;
      }
      for (const block of chatBlocks({ ...delta, tool_calls: [] })) {
        blocks.push(block);
        if (!('text' in block) || block.text !== '') kinds.push(block.kind);
      }
      for (const call of objects(delta.tool_calls)) {
        const fn = isObject(call.function) ? call.function : {};
        // A missing index means "the next one" to lenient readers.
        const index = typeof call.index === 'number' ? call.index : tools.size;
        let tool = tools.get(index);
        if (!tool) {
          const block: Block = { kind: 'tool', id: '', name: '', input: {} };
          tool = { id: '', name: '', arguments: '', block };
          tools.set(index, tool);
          blocks.push(block);
          kinds.push('tool');
        }
        tool.id ||= text(call.id);
        tool.name ||= text(fn.name);
        tool.arguments += text(fn.arguments);
      }
      if (typeof choice.finish_reason === 'string' && choice.finish_reason !== '') {
        finish = choice.finish_reason;
        kinds.push('finish');
      }
    }
  }
  for (const tool of tools.values()) {
    Object.assign(tool.block, { id: tool.id, name: tool.name, input: parsed(tool.arguments) });
  }
  if (tools.size > 0) {
    message.tool_calls = [...tools.values()].map((tool) => ({
      id: tool.id,
      function: { name: tool.name, arguments: tool.arguments },
    }));
  }
  body.choices = [{ index: 0, message, finish_reason: finish }];
  return { ...answer(body, blocks, finish, body.usage), error, kinds: collapsed(kinds) };
}

// Legacy completions

function readCompletion(body: JsonObject): Answer {
  const choice = objects(body.choices)[0] ?? {};
  return answer(body, [{ kind: 'text', text: text(choice.text) }], text(choice.finish_reason), body.usage);
}

function readCompletionStream(events: DataEvent[]): Answer {
  let content = '';
  let finish = '';
  let error: Json | undefined;
  const kinds: string[] = [];
  const body: JsonObject = {};
  for (const { data } of events) {
    if (data === '[DONE]') kinds.push('done');
    if (!isObject(data)) continue;
    if (data.error !== undefined && data.error !== null) {
      error = data.error;
      kinds.push('error');
      continue;
    }
    for (const [key, value] of Object.entries(data)) if (key !== 'choices' && value !== null) body[key] = value;
    for (const choice of objects(data.choices)) {
      if (choice.index !== undefined && choice.index !== 0) continue;
      if (text(choice.text) !== '') kinds.push('text');
      content += text(choice.text);
      if (text(choice.finish_reason) !== '') {
        finish = text(choice.finish_reason);
        kinds.push('finish');
      }
    }
  }
  return { ...answer(body, [{ kind: 'text', text: content }], finish, body.usage), error, kinds: collapsed(kinds) };
}

// Responses

function readResponse(body: JsonObject): Answer {
  const reason = isObject(body.incomplete_details) ? text(body.incomplete_details.reason) : '';
  const finish = `${text(body.status)}${reason ? `:${reason}` : ''}`;
  return answer(body, itemBlocks(body.output), finish, body.usage);
}

function itemBlocks(output: Json | undefined): Block[] {
  return objects(output).flatMap((item): Block[] => {
    switch (item.type) {
      case 'message':
        return objects(item.content).map((part) =>
          part.type === 'refusal'
            ? { kind: 'refusal', text: text(part.refusal) }
            : { kind: 'text', text: text(part.text) },
        );
      case 'reasoning':
        return [...objects(item.summary), ...objects(item.content)].map((part) => ({
          kind: 'thinking',
          text: text(part.text),
        }));
      case 'function_call':
        return [{ kind: 'tool', id: text(item.call_id), name: text(item.name), input: parsed(item.arguments) }];
      default:
        return [];
    }
  });
}

const responseKinds: Record<string, string> = {
  'response.created': 'created',
  'response.output_item.added': 'item',
  'response.content_part.added': 'part',
  'response.output_text.delta': 'text',
  'response.output_text.done': 'text-done',
  'response.refusal.delta': 'refusal',
  'response.refusal.done': 'refusal-done',
  'response.content_part.done': 'part-done',
  'response.reasoning_summary_text.delta': 'thinking',
  'response.reasoning_summary_text.done': 'thinking-done',
  'response.function_call_arguments.done': 'arguments-done',
  'response.output_item.done': 'item-done',
  'response.completed': 'terminal',
  'response.incomplete': 'terminal',
  'response.failed': 'error',
  error: 'error',
};

function readResponseStream(events: DataEvent[]): Answer {
  let final: JsonObject = {};
  let error: Json | undefined;
  const done: Json[] = [];
  const open = new Map<number, JsonObject>();
  const kinds: string[] = [];
  for (const { data } of events) {
    if (!isObject(data)) continue;
    const type = text(data.type);
    const kind = responseKinds[type];
    const emptyDelta = type.endsWith('.delta') && text(data.delta) === '';
    if (kind && !emptyDelta) kinds.push(kind === 'item' || kind === 'item-done' ? `${kind}` : kind);
    if (type === 'response.output_item.added' && isObject(data.item)) {
      open.set(Number(data.output_index ?? open.size), structuredClone(data.item));
    }
    const item = open.get(Number(data.output_index));
    if (item && type.endsWith('.delta')) addDelta(item, type, text(data.delta), data);
    if (type === 'response.output_item.done' && isObject(data.item)) {
      done.push(data.item);
      open.delete(Number(data.output_index));
    }
    if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.done') {
      final = isObject(data.response) ? data.response : {};
    }
    if (type === 'response.failed') error = isObject(data.response) ? (data.response.error ?? true) : true;
    if (type === 'error') error = data.error ?? data;
  }
  // An answer that broke has no terminal response: what was told counts.
  const output = list(final.output).length > 0 ? final.output : [...done, ...open.values()];
  const read = readResponse({ ...final, output: output ?? [] });
  return {
    ...read,
    // A backend that leaves the items out of its last response is repaired on the way (upstreams.md §2.3).
    body: { response: { ...final, output: output ?? [] }, items: done },
    error,
    kinds: collapsed(kinds),
  };
}

function addDelta(item: JsonObject, type: string, delta: string, data: JsonObject): void {
  if (type.includes('function_call_arguments')) item.arguments = text(item.arguments) + delta;
  else if (type.includes('reasoning'))
    item.summary = joined(item.summary, Number(data.summary_index ?? 0), 'text', delta);
  else if (type.includes('refusal'))
    item.content = joined(item.content, Number(data.content_index ?? 0), 'refusal', delta);
  else item.content = joined(item.content, Number(data.content_index ?? 0), 'text', delta);
}

function joined(parts: Json | undefined, index: number, key: string, delta: string): Json[] {
  const result = list(parts).slice();
  const part = isObject(result[index] as Json) ? (result[index] as JsonObject) : {};
  while (result.length < index) result.push({});
  result[index] = { ...part, type: key === 'refusal' ? 'refusal' : 'output_text', [key]: text(part[key]) + delta };
  return result;
}

// Anthropic

function readMessage(body: JsonObject): Answer {
  const stop = text(body.stop_sequence);
  return answer(body, messageBlocks(body.content), text(body.stop_reason) + (stop ? `:${stop}` : ''), body.usage);
}

function messageBlocks(content: Json | undefined): Block[] {
  return objects(content).flatMap((block): Block[] => {
    switch (block.type) {
      case 'text':
        return [{ kind: 'text', text: text(block.text) }];
      case 'thinking':
        return [{ kind: 'thinking', text: text(block.thinking) }];
      case 'redacted_thinking':
        return [{ kind: 'redacted', text: text(block.data) }];
      case 'tool_use':
        return [{ kind: 'tool', id: text(block.id), name: text(block.name), input: block.input ?? {} }];
      default:
        return [];
    }
  });
}

function readMessageStream(events: DataEvent[]): Answer {
  let message: JsonObject = {};
  let error: Json | undefined;
  const content: JsonObject[] = [];
  const kinds: string[] = [];
  const inputs = new Map<number, string>();
  for (const { data } of events) {
    if (!isObject(data)) continue;
    const index = Number(data.index ?? 0);
    const delta = isObject(data.delta) ? data.delta : {};
    switch (data.type) {
      case 'message_start':
        message = isObject(data.message) ? structuredClone(data.message) : {};
        kinds.push('message_start');
        break;
      case 'content_block_start': {
        const block = isObject(data.content_block) ? structuredClone(data.content_block) : {};
        content[index] = block;
        if (block.type === 'tool_use' || block.type === 'redacted_thinking') kinds.push(text(block.type));
        break;
      }
      case 'content_block_delta': {
        const block = content[index] ?? {};
        content[index] = block;
        if (delta.type === 'text_delta') block.text = text(block.text) + text(delta.text);
        if (delta.type === 'thinking_delta') block.thinking = text(block.thinking) + text(delta.thinking);
        if (delta.type === 'signature_delta') block.signature = text(block.signature) + text(delta.signature);
        if (delta.type === 'input_json_delta') inputs.set(index, (inputs.get(index) ?? '') + text(delta.partial_json));
        if (delta.type === 'text_delta' && text(delta.text) !== '') kinds.push('text');
        if (delta.type === 'thinking_delta' && text(delta.thinking) !== '') kinds.push('thinking');
        break;
      }
      case 'content_block_stop':
        kinds.push('stop');
        break;
      case 'message_delta': {
        const usage = { ...(isObject(message.usage) ? message.usage : {}) };
        for (const [key, value] of Object.entries(isObject(data.usage) ? data.usage : {})) {
          if (value !== null) usage[key] = value;
        }
        message = { ...message, ...delta, usage };
        kinds.push('message_delta');
        break;
      }
      case 'message_stop':
        kinds.push('message_stop');
        break;
      case 'error':
        error = data.error ?? true;
        kinds.push('error');
        break;
    }
  }
  for (const [index, json] of inputs) {
    const block = content[index];
    if (block) block.input = json === '' ? (block.input ?? {}) : parsed(json);
  }
  message.content = content.filter(isObject);
  return { ...readMessage(message), body: { message }, error, kinds: collapsed(kinds) };
}

// Gemini

function readGemini(body: JsonObject): Answer {
  const candidate = objects(body.candidates)[0] ?? {};
  const parts = isObject(candidate.content) ? candidate.content.parts : [];
  return answer(body, geminiBlocks(parts), text(candidate.finishReason), body.usageMetadata);
}

function geminiBlocks(parts: Json | undefined): Block[] {
  return objects(parts).flatMap((part): Block[] => {
    if (isObject(part.functionCall)) {
      const { id, name, args } = part.functionCall;
      return [{ kind: 'tool', id: text(id), name: text(name), input: args ?? {} }];
    }
    if (isObject(part.inlineData)) {
      return [{ kind: 'image', text: `data:${text(part.inlineData.mimeType)};base64,${text(part.inlineData.data)}` }];
    }
    return [{ kind: part.thought === true ? 'thinking' : 'text', text: text(part.text) }];
  });
}

function readGeminiStream(events: DataEvent[]): Answer {
  const body: JsonObject = {};
  const parts: Json[] = [];
  const kinds: string[] = [];
  let finish = '';
  let error: Json | undefined;
  let candidate: JsonObject = {};
  for (const { data } of events) {
    if (!isObject(data)) continue;
    if (data.error !== undefined && data.error !== null) {
      error = data.error;
      kinds.push('error');
      continue;
    }
    for (const [key, value] of Object.entries(data)) if (key !== 'candidates' && value !== null) body[key] = value;
    const first = objects(data.candidates)[0];
    if (!first) continue;
    const content = isObject(first.content) ? first.content : {};
    for (const block of merged(geminiBlocks(content.parts))) kinds.push(block.kind);
    for (const part of objects(content.parts)) addPart(parts, part);
    if (typeof first.finishReason === 'string') {
      finish = first.finishReason;
      kinds.push('finish');
    }
    candidate = {
      ...candidate,
      ...first,
      content: { ...(isObject(candidate.content) ? candidate.content : {}), ...content },
    };
  }
  body.candidates = [{ ...candidate, content: { ...(isObject(candidate.content) ? candidate.content : {}), parts } }];
  return { ...readGemini(body), finish, error, kinds: collapsed(kinds) };
}

function addPart(parts: Json[], part: JsonObject): void {
  const last = parts.at(-1);
  const plain = (value: JsonObject) => typeof value.text === 'string' && value.thoughtSignature === undefined;
  if (part.text === '' && part.thoughtSignature === undefined) return;
  if (
    isObject(last as Json) &&
    plain(last as JsonObject) &&
    typeof part.text === 'string' &&
    (last as JsonObject).thought === part.thought
  ) {
    parts[parts.length - 1] = { ...(last as JsonObject), ...part, text: text((last as JsonObject).text) + part.text };
  } else parts.push(part);
}

/** Arguments text as JSON; what is not JSON stays text, nothing is `{}`. */
export function parsed(value: Json | undefined): Json {
  if (typeof value !== 'string') return value ?? {};
  if (value.trim() === '') return {};
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}

function collapsed(kinds: readonly string[]): string[] {
  return kinds.filter((kind, index) => kind !== kinds[index - 1]);
}
