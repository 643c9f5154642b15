// Cache breakpoints of a Messages API body: set where the client set none, kept within the API's rules (protocols.md §2.6).

import { isObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';

const LIMIT = 4;
const MARK = { type: 'ephemeral' } as const;

/** Body with three automatic breakpoints, or with the client's own brought within limits. The argument is not changed. */
export function withCacheBreakpoints(body: JsonObject): JsonObject {
  const count = markedBlocks(body).length;
  if (count === 0) return body.cache_control === undefined ? addBreakpoints(body) : body;
  if (count <= LIMIT && !hasLongLived(body)) return body;
  const copy = structuredClone(body);
  limitBreakpoints(copy);
  orderLifetimes(copy);
  return copy;
}

/** Last tool, last system block, last block of the second-to-last user turn. */
export function addBreakpoints(body: JsonObject): JsonObject {
  const marked: JsonObject = { ...body };
  if (Array.isArray(body.tools) && body.tools.length > 0) marked.tools = markLast(body.tools);
  if (typeof body.system === 'string' && body.system !== '') {
    marked.system = [{ type: 'text', text: body.system, cache_control: { ...MARK } }];
  } else if (Array.isArray(body.system) && body.system.length > 0) {
    marked.system = markLast(body.system);
  }
  if (Array.isArray(body.messages)) {
    const users = body.messages.flatMap((message, at) => (isObject(message) && message.role === 'user' ? [at] : []));
    const at = users.at(-2);
    if (at !== undefined) {
      marked.messages = body.messages.slice();
      marked.messages[at] = markMessage(body.messages[at] as JsonObject);
    }
  }
  return marked;
}

function markMessage(message: JsonObject): JsonObject {
  const content = message.content;
  if (typeof content === 'string') {
    return content === ''
      ? message
      : { ...message, content: [{ type: 'text', text: content, cache_control: { ...MARK } }] };
  }
  return Array.isArray(content) && content.length > 0 ? { ...message, content: markLast(content) } : message;
}

function markLast(blocks: Json[]): Json[] {
  const last = blocks.at(-1);
  // The API refuses marks on empty text and on thinking.
  if (!isObject(last) || last.text === '' || last.type === 'thinking' || last.type === 'redacted_thinking')
    return blocks;
  return [...blocks.slice(0, -1), { ...last, cache_control: { ...MARK } }];
}

/**
 * Takes marks away until four are left: system but its last, tools but their last, messages from the start, then the
 * last system, the last tool. Changes `body`.
 */
function limitBreakpoints(body: JsonObject): void {
  const system = marked(list(body.system));
  const tools = marked(list(body.tools));
  const messages = marked(messageBlocks(body));
  const order = [...system.slice(0, -1), ...tools.slice(0, -1), ...messages, ...system.slice(-1), ...tools.slice(-1)];
  const excess = order.length - LIMIT;
  for (const block of order.slice(0, Math.max(0, excess))) delete block.cache_control;
}

/** In the order tools, system, messages a one-hour mark may not follow a five-minute one: its `ttl` goes. Changes `body`. */
function orderLifetimes(body: JsonObject): void {
  let short = false;
  for (const block of markedBlocks(body)) {
    const mark = block.cache_control;
    if (!isObject(mark)) continue;
    if (mark.ttl !== '1h') short = true;
    else if (short) {
      const { ttl: _, ...rest } = mark;
      block.cache_control = rest;
    }
  }
}

function hasLongLived(body: JsonObject): boolean {
  return markedBlocks(body).some((block) => isObject(block.cache_control) && block.cache_control.ttl === '1h');
}

function markedBlocks(body: JsonObject): JsonObject[] {
  return marked([...list(body.tools), ...list(body.system), ...messageBlocks(body)]);
}

function marked(blocks: Json[]): JsonObject[] {
  return blocks.filter((block): block is JsonObject => isObject(block) && isObject(block.cache_control));
}

/** Blocks of all messages, those inside tool results included. */
function messageBlocks(body: JsonObject): Json[] {
  const blocks: Json[] = [];
  for (const message of list(body.messages)) {
    for (const block of list(isObject(message) ? message.content : undefined)) {
      if (isObject(block)) blocks.push(...list(block.content));
      blocks.push(block);
    }
  }
  return blocks;
}

function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
