// Anthropic Messages request body → neutral form (protocols.md §2).
import { invalidRequest } from '../../failure.ts';
import { asNumber, asString, isObject } from '../json.ts';
import type {
  CacheMark,
  ChatRequest,
  FilePart,
  Json,
  JsonObject,
  Message,
  Part,
  ResponseFormat,
  TextPart,
  Tool,
  ToolChoice,
  ToolResultPart,
} from '../neutral.ts';
import { readThinking } from '../thinking/read.ts';

/** Top-level members that have a neutral place; all others ride in `extras.anthropic`. */
const READ = new Set([
  'model',
  'stream',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'max_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'metadata',
  'thinking',
  'output_config',
]);

/** `adaptive` without effort means "as much as the model likes": the level `max` as a budget fits every upstream (§2.5). */
const ADAPTIVE_BUDGET = 128_000;

/** Body of `POST /v1/messages` → neutral form. Throws `invalid-request` for members of the wrong type. */
export function decodeRequest(body: JsonObject): ChatRequest {
  if (!Array.isArray(body.messages)) throw invalidRequest('messages: Field required and must be an array');
  const messages: Message[] = [];
  const system = readSystem(body.system);
  if (system.length > 0) messages.push({ role: 'system', parts: system });
  const names = new Map<string, string>();
  body.messages.forEach((message, position) => {
    messages.push(readMessage(message, position, names));
  });

  const request: ChatRequest = {
    model: asString(body.model) ?? '',
    // Any value but absent and false streams (§1).
    stream: body.stream !== undefined && body.stream !== null && body.stream !== false,
    messages,
    tools: Array.isArray(body.tools) ? body.tools.map(readTool) : [],
  };
  const choice = body.tool_choice;
  if (isObject(choice)) {
    request.toolChoice = readToolChoice(choice);
    if (choice.disable_parallel_tool_use === true) request.parallelToolCalls = false;
  }
  const maxTokens = asNumber(body.max_tokens);
  if (maxTokens !== undefined) request.maxTokens = maxTokens;
  const temperature = asNumber(body.temperature);
  if (temperature !== undefined) request.temperature = temperature;
  const topP = asNumber(body.top_p);
  if (topP !== undefined) request.topP = topP;
  const topK = asNumber(body.top_k);
  if (topK !== undefined) request.topK = topK;
  if (Array.isArray(body.stop_sequences)) {
    const stop = body.stop_sequences.filter((item): item is string => typeof item === 'string');
    if (stop.length > 0) request.stop = stop;
  }
  if (isObject(body.metadata)) {
    const user = asString(body.metadata.user_id);
    if (user) request.user = user;
  }
  const thinking = readThinking('anthropic', body);
  if (thinking)
    request.thinking = thinking.type === 'adaptive' ? { type: 'budget', tokens: ADAPTIVE_BUDGET } : thinking;
  const format = readFormat(body.output_config);
  if (format) request.responseFormat = format;

  const extras: JsonObject = {};
  for (const key of Object.keys(body)) if (!READ.has(key)) extras[key] = body[key] as Json;
  if (Object.keys(extras).length > 0) request.extras = { anthropic: extras };
  return request;
}

function readSystem(system: Json | undefined): Part[] {
  if (typeof system === 'string') return system === '' ? [] : [{ type: 'text', text: system }];
  if (system === undefined || system === null) return [];
  if (!Array.isArray(system)) throw invalidRequest('system: must be a string or an array of text blocks');
  const parts: Part[] = [];
  for (const block of system) {
    if (typeof block === 'string') parts.push({ type: 'text', text: block });
    else if (isObject(block) && typeof block.text === 'string') parts.push(textPart(block.text, block));
  }
  return parts;
}

function readMessage(message: Json, position: number, names: Map<string, string>): Message {
  if (!isObject(message)) throw invalidRequest(`messages.${position}: must be an object`);
  const role = message.role;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw invalidRequest(`messages.${position}.role: must be 'user' or 'assistant'`);
  }
  const content = message.content;
  if (typeof content === 'string') return { role, parts: [{ type: 'text', text: content }] };
  if (content === undefined || content === null) return { role, parts: [] };
  if (!Array.isArray(content)) throw invalidRequest(`messages.${position}.content: must be a string or an array`);
  const parts: Part[] = [];
  content.forEach((block, index) => {
    if (typeof block === 'string') parts.push({ type: 'text', text: block });
    else if (isObject(block)) {
      const part = readBlock(block, names);
      if (part) parts.push(part);
    } else throw invalidRequest(`messages.${position}.content.${index}: must be an object`);
  });
  return { role, parts };
}

/** Blocks without a neutral place (server tool calls and their results, search results) give undefined. */
function readBlock(block: JsonObject, names: Map<string, string>): Part | undefined {
  switch (block.type) {
    case 'text':
      return textPart(asString(block.text) ?? '', block);
    case 'image':
    case 'document':
      return readSource(block);
    case 'thinking': {
      const signature = asString(block.signature);
      return {
        type: 'reasoning',
        text: asString(block.thinking) ?? '',
        ...(signature ? { signature } : {}),
        origin: 'anthropic',
      };
    }
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', redacted: asString(block.data) ?? '', origin: 'anthropic' };
    case 'tool_use': {
      const id = asString(block.id) ?? '';
      const name = asString(block.name) ?? '';
      names.set(id, name);
      return { type: 'tool-call', id, name, arguments: JSON.stringify(block.input ?? {}), ...cacheOf(block) };
    }
    case 'tool_result':
      return readToolResult(block, names);
    default:
      return undefined;
  }
}

function readToolResult(block: JsonObject, names: Map<string, string>): ToolResultPart {
  const callId = asString(block.tool_use_id) ?? '';
  const content: Array<TextPart | FilePart> = [];
  if (typeof block.content === 'string') content.push({ type: 'text', text: block.content });
  else if (Array.isArray(block.content)) {
    for (const item of block.content) {
      if (!isObject(item)) continue;
      const part = readBlock(item, names);
      if (part?.type === 'text' || part?.type === 'file') content.push(part);
    }
  }
  return {
    type: 'tool-result',
    callId,
    name: names.get(callId) ?? '',
    content,
    ...(block.is_error === true ? { isError: true } : {}),
    ...cacheOf(block),
  };
}

function readSource(block: JsonObject): Part | undefined {
  const source = block.source;
  if (!isObject(source)) return undefined;
  const title = asString(block.title);
  const rest = { ...(title ? { filename: title } : {}), ...cacheOf(block) };
  const image = block.type === 'image';
  switch (source.type) {
    case 'base64':
      return {
        type: 'file',
        mediaType: asString(source.media_type) ?? (image ? 'image/*' : 'application/pdf'),
        data: { kind: 'base64', base64: asString(source.data) ?? '' },
        ...rest,
      };
    case 'url':
      return {
        type: 'file',
        // A document link is a PDF by the Messages API's own rule.
        mediaType: image ? 'image/*' : 'application/pdf',
        data: { kind: 'url', url: asString(source.url) ?? '' },
        ...rest,
      };
    case 'text':
      return {
        type: 'file',
        mediaType: asString(source.media_type) ?? 'text/plain',
        data: { kind: 'text', text: asString(source.data) ?? '' },
        ...rest,
      };
    case 'content': {
      const inner = Array.isArray(source.content) ? source.content : [source.content ?? ''];
      const text = inner.map((item) => (isObject(item) ? (asString(item.text) ?? '') : String(item))).join('\n');
      return { type: 'file', mediaType: 'text/plain', data: { kind: 'text', text }, ...rest };
    }
    case 'file':
      return {
        type: 'file',
        mediaType: image ? 'image/*' : '',
        data: { kind: 'id', id: asString(source.file_id) ?? '' },
        ...rest,
      };
    default:
      // Dropping it would let the model answer about something it never saw.
      if (typeof source.type === 'string') {
        throw invalidRequest(`${block.type}: source.type must be base64, url, file, text or content`);
      }
      return undefined;
  }
}

function readTool(tool: Json): Tool {
  if (!isObject(tool)) throw invalidRequest('tools: each tool must be an object');
  const name = asString(tool.name);
  if (typeof tool.type === 'string' && tool.type !== 'custom') {
    return { type: 'builtin', protocol: 'anthropic', kind: tool.type, ...(name ? { name } : {}), raw: tool };
  }
  if (!name) throw invalidRequest('tools: each tool needs a name');
  const description = asString(tool.description);
  const parameters = tool.input_schema ?? undefined;
  return {
    type: 'function',
    name,
    ...(description !== undefined ? { description } : {}),
    ...(parameters !== undefined ? { parameters } : {}),
    ...(typeof tool.strict === 'boolean' ? { strict: tool.strict } : {}),
    ...cacheOf(tool),
  };
}

function readToolChoice(choice: JsonObject): ToolChoice {
  switch (choice.type) {
    case 'any':
      return { type: 'required' };
    case 'none':
      return { type: 'none' };
    case 'tool':
      return { type: 'tool', name: asString(choice.name) ?? '' };
    default:
      return { type: 'auto' };
  }
}

function readFormat(outputConfig: Json | undefined): ResponseFormat | undefined {
  const format = isObject(outputConfig) ? outputConfig.format : undefined;
  if (!isObject(format) || format.type !== 'json_schema') return undefined;
  return { type: 'json', ...(format.schema !== undefined ? { schema: format.schema } : {}) };
}

function textPart(text: string, block: JsonObject): TextPart {
  return { type: 'text', text, ...cacheOf(block) };
}

function cacheOf(block: JsonObject): { cache?: CacheMark } {
  const mark = block.cache_control;
  if (!isObject(mark)) return {};
  const ttl = asString(mark.ttl);
  return { cache: { type: 'ephemeral', ...(ttl ? { ttl } : {}) } };
}
