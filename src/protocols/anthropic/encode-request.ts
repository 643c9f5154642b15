// Neutral form → Anthropic Messages request body (protocols.md §2). Thinking is written by `thinking/`.

import { isObject, parseObject } from '../json.ts';
import { mediaTypeByName } from '../media.ts';
import type {
  CacheMark,
  ChatRequest,
  FilePart,
  FunctionTool,
  Json,
  JsonObject,
  Message,
  Part,
  ToolResultPart,
} from '../neutral.ts';
import type { EncodeTarget } from '../protocol.ts';
import { closedSchema } from './output-schema.ts';

/** Sent when the client set no limit: the Messages API requires one (§2.1). */
export const DEFAULT_MAX_TOKENS = 32_000;

/** Neutral form → body for `POST /v1/messages`. Cache breakpoints and limits are the provider's later steps. */
export function encodeRequest(request: ChatRequest, target: EncodeTarget): JsonObject {
  const system: Json[] = [];
  const messages: Json[] = [];
  for (const message of request.messages) {
    if (message.role === 'system' || message.role === 'developer') writeSystem(message, system);
    else writeMessage(message, messages);
  }
  // System text alone, or only turns that were dropped: the API wants a user turn (§2.2).
  if (messages.length === 0) messages.push({ role: 'user', content: [{ type: 'text', text: '' }] });

  const body: JsonObject = {
    ...request.extras?.anthropic,
    model: target.model,
    max_tokens: request.maxTokens ?? DEFAULT_MAX_TOKENS,
    messages,
  };
  if (system.length > 0) body.system = system;
  writeTools(request, body);
  // Newer models refuse both; temperature is the one people set on purpose (§2.1).
  if (request.temperature !== undefined) body.temperature = request.temperature;
  else if (request.topP !== undefined) body.top_p = request.topP;
  if (request.topK !== undefined) body.top_k = request.topK;
  if (request.stop && request.stop.length > 0) body.stop_sequences = request.stop;
  if (request.user) body.metadata = { user_id: request.user };
  const format = request.responseFormat;
  if (format?.type === 'json' && format.schema !== undefined && takesOutputFormat(target.model)) {
    body.output_config = { format: { type: 'json_schema', schema: closedSchema(format.schema) } };
  }
  if (target.stream) body.stream = true;
  return body;
}

/** Structured output came with Opus 4.1 and the 4.5 generation; older models answer 400 to it. */
function takesOutputFormat(model: string): boolean {
  return !/claude-(?:\d|instant|(?:opus|sonnet)-4(?:-0|-2\d{7}|$))/.test(model);
}

function writeSystem(message: Message, system: Json[]): void {
  for (const part of message.parts) {
    if (part.type === 'text' && part.text !== '') system.push(textBlock(part.text, part.cache));
  }
}

function writeMessage(message: Message, messages: Json[]): void {
  const role = message.role === 'assistant' ? 'assistant' : 'user';
  const results: Json[] = [];
  const content: Json[] = [];
  for (const part of message.parts) {
    const block = writePart(part);
    if (block === undefined) continue;
    // The API wants results before anything else of the turn.
    (part.type === 'tool-result' ? results : content).push(block);
  }
  const blocks = results.length > 0 ? results.concat(content) : content;
  if (blocks.length > 0) messages.push({ role, content: blocks });
}

function writePart(part: Part): Json | undefined {
  switch (part.type) {
    case 'text':
      // The API refuses empty text blocks.
      return part.text === '' ? undefined : textBlock(part.text, part.cache);
    case 'refusal':
      return part.text === '' ? undefined : textBlock(part.text, undefined);
    case 'file':
      return writeFile(part);
    case 'tool-call':
      return {
        type: 'tool_use',
        id: toolUseId(part.id),
        name: part.name,
        input: parseObject(part.arguments) ?? {},
        ...mark(part.cache),
      };
    case 'tool-result':
      return writeToolResult(part);
    case 'reasoning':
      // Only thoughts that Claude itself signed are valid here; those of others are never shown as text (§2.3).
      if (part.origin !== 'anthropic') return undefined;
      if (part.redacted !== undefined) return { type: 'redacted_thinking', data: part.redacted };
      return part.signature ? { type: 'thinking', thinking: part.text, signature: part.signature } : undefined;
  }
}

function writeToolResult(part: ToolResultPart): Json {
  const block: JsonObject = { type: 'tool_result', tool_use_id: toolUseId(part.callId) };
  const content: Json[] = [];
  for (const item of part.content) {
    const written = writePart(item);
    if (written !== undefined) content.push(written);
  }
  const only = part.content.length === 1 ? part.content[0] : undefined;
  if (only?.type === 'text' && only.cache === undefined) block.content = only.text.toWellFormed();
  else if (content.length > 0) block.content = content;
  if (part.isError) block.is_error = true;
  return Object.assign(block, mark(part.cache));
}

/** Images, PDFs and text; the API takes no other media (§2.3). */
function writeFile(part: FilePart): Json | undefined {
  const { data, mediaType } = part;
  const title: JsonObject = part.filename === undefined ? {} : { title: part.filename };
  const image = mediaType.startsWith('image/');
  switch (data.kind) {
    case 'base64':
      if (image) return imageBlock({ type: 'base64', media_type: mediaType, data: data.base64 }, part.cache);
      if (mediaType === 'application/pdf') {
        return documentBlock({ type: 'base64', media_type: mediaType, data: data.base64 }, title, part.cache);
      }
      if (mediaType.startsWith('text/') || mediaType === 'application/json') {
        const text = Buffer.from(data.base64, 'base64').toString('utf8');
        return documentBlock({ type: 'text', media_type: 'text/plain', data: text }, title, part.cache);
      }
      return undefined;
    case 'url':
      if (image || (mediaType === '' && mediaTypeByName(data.url)?.startsWith('image/'))) {
        return imageBlock({ type: 'url', url: data.url }, part.cache);
      }
      if (mediaType !== '' && mediaType !== 'application/pdf') return undefined;
      return documentBlock({ type: 'url', url: data.url }, title, part.cache);
    case 'text':
      return documentBlock({ type: 'text', media_type: 'text/plain', data: data.text }, title, part.cache);
    case 'id': {
      const source = { type: 'file', file_id: data.id };
      return image ? imageBlock(source, part.cache) : documentBlock(source, title, part.cache);
    }
  }
}

function writeTools(request: ChatRequest, body: JsonObject): void {
  const tools: Json[] = [];
  for (const tool of request.tools) {
    if (tool.type === 'function') tools.push(writeTool(tool));
    else if (tool.protocol === 'anthropic') tools.push(tool.raw);
  }
  if (tools.length === 0) return;
  body.tools = tools;
  const choice = writeToolChoice(request);
  if (choice) body.tool_choice = choice;
}

function writeTool(tool: FunctionTool): Json {
  return {
    name: tool.name,
    ...(tool.description !== undefined ? { description: tool.description } : {}),
    input_schema: objectSchema(tool.parameters),
    ...mark(tool.cache),
  };
}

/** The API wants `type: object` at the root; a schema that says nothing is an object without properties (§2.4). */
function objectSchema(schema: Json | undefined): Json {
  if (!isObject(schema)) return { type: 'object', properties: {} };
  return schema.type === undefined ? { type: 'object', properties: {}, ...schema } : schema;
}

function writeToolChoice(request: ChatRequest): JsonObject | undefined {
  const choice = request.toolChoice;
  if (choice?.type === 'none') return { type: 'none' };
  const serial: JsonObject = request.parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  switch (choice?.type) {
    case 'required':
      return { type: 'any', ...serial };
    case 'tool':
      return { type: 'tool', name: choice.name, ...serial };
    default:
      return request.parallelToolCalls === false ? { type: 'auto', ...serial } : undefined;
  }
}

/** Ids pass unchanged unless the API's own pattern refuses them (some servers make `functions.name:0`). */
function toolUseId(id: string): string {
  return /^[A-Za-z0-9_-]+$/.test(id) ? id : id.replace(/[^A-Za-z0-9_-]/g, '_') || 'call';
}

function textBlock(text: string, cache: CacheMark | undefined): JsonObject {
  // Lone surrogates are refused upstream; U+FFFD stands for them (§2.3).
  return { type: 'text', text: text.toWellFormed(), ...mark(cache) };
}

function imageBlock(source: JsonObject, cache: CacheMark | undefined): JsonObject {
  return { type: 'image', source, ...mark(cache) };
}

function documentBlock(source: JsonObject, title: JsonObject, cache: CacheMark | undefined): JsonObject {
  return { type: 'document', source, ...title, ...mark(cache) };
}

function mark(cache: CacheMark | undefined): JsonObject {
  return cache ? { cache_control: { ...cache } } : {};
}
