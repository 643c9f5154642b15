// What the official SDKs need of a stream (protocols.md §3.4). Findings are short texts; none means lawful.
import type { DataEvent } from './answer.ts';
import { type ClientName, isObject, type JsonObject, list, objects, text } from './format.ts';
import { lintResponseObject } from './lint-body.ts';

export function lintStream(client: ClientName, events: readonly DataEvent[]): string[] {
  return linters[client](events);
}

const linters: Record<ClientName, (events: readonly DataEvent[]) => string[]> = {
  openai: (events) => lintChat(events, 'chat.completion.chunk'),
  completions: (events) => lintChat(events, 'text_completion'),
  responses: lintResponses,
  claude: lintClaude,
  gemini: lintGemini,
};

function lintChat(events: readonly DataEvent[], object: string): string[] {
  const found: string[] = [];
  const failed = events.some(({ data }) => isObject(data) && data.error);
  const done = events.filter(({ data }) => data === '[DONE]').length;
  if (events.some(({ event }) => event !== '')) found.push('named event');
  if (done !== 1 && !failed) found.push(`${done} [DONE]`);
  if (!failed && events.at(-1)?.data !== '[DONE]') found.push('[DONE] is not last');
  let id: unknown;
  let role = false;
  const finished = new Set<number>();
  const tools = new Set<string>();
  for (const { data } of events) {
    if (!isObject(data) || data.error) continue;
    if (text(data.id) === '') found.push('chunk without id');
    id ??= data.id;
    if (data.id !== id) found.push('id changes');
    if (data.object !== object) found.push(`object ${text(data.object)}`);
    if (typeof data.created !== 'number') found.push('created is not a number');
    if (text(data.model) === '') found.push('chunk without model');
    if (!Array.isArray(data.choices)) found.push('chunk without choices');
    for (const choice of objects(data.choices)) {
      const delta = isObject(choice.delta) ? choice.delta : {};
      if (delta.role === 'assistant') role = true;
      const index = Number(choice.index ?? 0);
      const says = text(delta.content) !== '' || list(delta.tool_calls).length > 0 || text(choice.text) !== '';
      if (finished.has(index) && says) found.push('content after finish_reason');
      for (const call of objects(delta.tool_calls)) {
        const key = `${index}:${call.index}`;
        if (tools.has(key)) continue;
        tools.add(key);
        const fn = isObject(call.function) ? call.function : {};
        if (typeof call.index !== 'number') found.push('tool_call delta without index');
        if (text(call.id) === '') found.push('first tool_call delta without id');
        if (call.type !== 'function') found.push('first tool_call delta without type');
        if (text(fn.name) === '') found.push('first tool_call delta without name');
      }
      if (typeof choice.finish_reason === 'string') {
        if (finished.has(index)) found.push('two finish_reasons');
        finished.add(index);
      }
    }
    const usage = data.usage;
    if (isObject(usage)) {
      for (const key of ['prompt_tokens', 'completion_tokens', 'total_tokens']) {
        if (typeof usage[key] !== 'number') found.push(`usage without ${key}`);
      }
    }
  }
  if (!failed && finished.size === 0) found.push('no finish_reason');
  if (object === 'chat.completion.chunk' && !role && !failed) found.push('no role');
  return [...new Set(found)];
}

/** Deltas that a block may have. */
const deltaOf: Record<string, string[]> = {
  text: ['text_delta', 'citations_delta'],
  thinking: ['thinking_delta', 'signature_delta'],
  tool_use: ['input_json_delta'],
};

function lintClaude(events: readonly DataEvent[]): string[] {
  const found: string[] = [];
  let open: number | undefined;
  let next = 0;
  let started = false;
  let delta = 0;
  let stopped = 0;
  let failed = false;
  let blockType = '';
  for (const { event, data } of events) {
    if (!isObject(data)) {
      found.push('event without JSON object');
      continue;
    }
    const type = text(data.type);
    if (event !== type) found.push(`event line "${event}" over ${type}`);
    if (type === 'ping') continue;
    if (type === 'error') {
      failed = true;
      continue;
    }
    if (stopped > 0) found.push('event after message_stop');
    if (type === 'message_start') {
      const message = isObject(data.message) ? data.message : {};
      const usage = isObject(message.usage) ? message.usage : {};
      if (started) found.push('two message_start');
      started = true;
      if (text(message.id) === '' || text(message.model) === '') found.push('message_start without id or model');
      if (!Array.isArray(message.content)) found.push('message_start without content');
      if (typeof usage.input_tokens !== 'number' || typeof usage.output_tokens !== 'number')
        found.push('message_start without usage');
      continue;
    }
    if (!started) found.push(`${type} before message_start`);
    const index = Number(data.index);
    if (type === 'content_block_start') {
      if (open !== undefined) found.push('blocks overlap');
      if (index !== next) found.push(`block index ${index}, expected ${next}`);
      open = index;
      next++;
      const block = isObject(data.content_block) ? data.content_block : {};
      blockType = text(block.type);
      if (block.type === 'tool_use' && (text(block.id) === '' || text(block.name) === '' || !isObject(block.input)))
        found.push('tool_use start incomplete');
      if (block.type === 'thinking' && typeof block.signature !== 'string')
        found.push('thinking start without signature');
    } else if (type === 'content_block_delta' || type === 'content_block_stop') {
      if (open !== index) found.push(`${type} for block ${index} while ${open} is open`);
      const kind = isObject(data.delta) ? text(data.delta.type) : '';
      const wanted = deltaOf[blockType];
      if (type === 'content_block_delta' && wanted && !wanted.includes(kind))
        found.push(`${kind} in a ${blockType} block`);
      if (type === 'content_block_stop') open = undefined;
    } else if (type === 'message_delta') {
      delta++;
      if (open !== undefined) found.push('message_delta inside a block');
      const usage = isObject(data.usage) ? data.usage : {};
      const inner = isObject(data.delta) ? data.delta : {};
      if (typeof usage.output_tokens !== 'number') found.push('message_delta without output_tokens');
      if (text(inner.stop_reason) === '') found.push('message_delta without stop_reason');
    } else if (type === 'message_stop') stopped++;
  }
  if (!failed) {
    if (delta !== 1) found.push(`${delta} message_delta`);
    if (stopped !== 1) found.push('no terminal event');
  }
  return [...new Set(found)];
}

interface OpenItem {
  id: string;
  type: string;
  deltas: string;
  done: string | undefined;
}

function lintResponses(events: readonly DataEvent[]): string[] {
  const found: string[] = [];
  let sequence = -1;
  const open = new Map<number, OpenItem>();
  const finished = new Set<number>();
  let terminal = 0;
  let failed = false;
  events.forEach(({ event, data }, place) => {
    if (!isObject(data)) {
      found.push('event without JSON object');
      return;
    }
    const type = text(data.type);
    if (event !== type) found.push(`event line "${event}" over ${type}`);
    if (typeof data.sequence_number !== 'number') found.push('sequence_number missing');
    else if (data.sequence_number <= sequence) found.push('sequence_number does not rise');
    else sequence = data.sequence_number;
    if (terminal > 0) found.push('event after the terminal one');
    if (place === 0 && type !== 'response.created' && type !== 'error' && type !== 'response.failed')
      found.push(`first event is ${type}`);
    if (type === 'response.created' || type === 'response.in_progress') {
      const response = isObject(data.response) ? data.response : {};
      if (!Array.isArray(response.output)) found.push(`${type} without output`);
      if (text(response.id) === '') found.push(`${type} without id`);
      if (response.object !== 'response' || response.status !== 'in_progress')
        found.push(`${type} without object or status`);
      if (typeof response.created_at !== 'number' || text(response.model) === '')
        found.push(`${type} without created_at or model`);
    }
    lintItem(type, data, open, finished, found);
    if (type === 'error' || type === 'response.failed') failed = true;
    if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed') {
      terminal++;
      const response = isObject(data.response) ? data.response : {};
      if (!Array.isArray(response.output)) found.push('terminal event without output');
      lintResponseObject(response, (holds, finding) => {
        if (!holds) found.push(`${type}: ${finding}`);
      });
      if (type !== 'response.failed' && list(response.output).length !== finished.size)
        found.push('terminal output differs from the items');
    }
  });
  if (!failed) {
    if (terminal !== 1) found.push('no terminal event');
    if (open.size > 0) found.push('item never done');
  }
  return [...new Set(found)];
}

function lintItem(
  type: string,
  data: JsonObject,
  open: Map<number, OpenItem>,
  finished: Set<number>,
  found: string[],
): void {
  const index = Number(data.output_index);
  const item = open.get(index);
  if (type === 'response.output_item.added') {
    if (item || finished.has(index)) found.push('item added twice');
    if (index !== open.size + finished.size) found.push(`output_index ${index} leaves a gap`);
    const added = isObject(data.item) ? data.item : {};
    if (text(added.id) === '' || text(added.type) === '') found.push('added item without id or type');
    if (added.type === 'message' && (added.role !== 'assistant' || !Array.isArray(added.content)))
      found.push('added message without role or content');
    if (added.type === 'function_call' && (text(added.call_id) === '' || text(added.name) === ''))
      found.push('added call without call_id or name');
    open.set(index, { id: text(added.id), type: text(added.type), deltas: '', done: undefined });
    return;
  }
  if (type === 'response.output_item.done') {
    if (!item) {
      found.push(finished.has(index) ? 'item done twice' : 'item done but never added');
      return;
    }
    const done = isObject(data.item) ? data.item : {};
    if (text(done.id) !== item.id || done.type !== item.type) found.push('item id or type changes');
    if (done.type !== 'reasoning' && done.status !== 'completed' && done.status !== 'incomplete')
      found.push('done item without status');
    const whole = wholeText(done);
    if (item.done !== undefined && whole !== undefined && item.done !== whole)
      found.push('done value differs from the item');
    if (item.deltas !== '' && whole !== undefined && item.deltas !== whole) found.push('deltas differ from the item');
    open.delete(index);
    finished.add(index);
    return;
  }
  if (data.output_index === undefined || type.startsWith('response.created')) return;
  if (!item) {
    if (type.startsWith('response.')) found.push(`${type} outside an item`);
    return;
  }
  if (data.item_id !== item.id) found.push('item_id differs');
  if (type.includes('output_text.') && typeof data.content_index !== 'number') found.push('content_index missing');
  if (type.endsWith('.delta')) item.deltas += text(data.delta);
  const done = type.endsWith('_text.done')
    ? data.text
    : type.endsWith('arguments.done')
      ? data.arguments
      : type.endsWith('refusal.done')
        ? data.refusal
        : undefined;
  if (done !== undefined) item.done = (item.done ?? '') + text(done);
}

/** The text that an item's deltas add up to. */
function wholeText(item: JsonObject): string | undefined {
  if (item.type === 'function_call') return text(item.arguments);
  if (item.type === 'message')
    return objects(item.content)
      .map((part) => text(part.text) + text(part.refusal))
      .join('');
  if (item.type === 'reasoning')
    return objects(item.summary)
      .map((part) => text(part.text))
      .join('');
  return undefined;
}

function lintGemini(events: readonly DataEvent[]): string[] {
  const found: string[] = [];
  let finished = 0;
  let failed = false;
  for (const { event, data } of events) {
    if (event !== '' && event !== 'error') found.push('named event');
    if (!isObject(data)) {
      found.push('event without JSON object');
      continue;
    }
    if (data.error) {
      failed = true;
      continue;
    }
    if (data.candidates !== undefined && !Array.isArray(data.candidates)) found.push('candidates is no list');
    for (const candidate of objects(data.candidates)) {
      if (Number(candidate.index ?? 0) !== 0) continue;
      const content = isObject(candidate.content) ? candidate.content : {};
      if (finished > 0 && objects(content.parts).some((part) => text(part.text) !== '' || part.functionCall))
        found.push('content after finishReason');
      if (typeof candidate.finishReason === 'string') finished++;
    }
    if (isObject(data.promptFeedback) && text(data.promptFeedback.blockReason) !== '') finished = Math.max(finished, 1);
  }
  if (!failed && finished === 0) found.push('no finishReason');
  if (finished > 1) found.push('finishReason more than once');
  return [...new Set(found)];
}
