// Responses request → neutral form (protocols.md §2).
import { invalidRequest } from '../../failure.ts';
import {
  asObject,
  asString,
  asText,
  defined,
  isObject,
  mistyped,
  objectsOf,
  optionalArray,
  optionalBoolean,
  optionalNumber,
  optionalObject,
  optionalString,
  requiredString,
  unknownMembers,
} from '../json.ts';
import { fileFromData, fileFromUrl } from '../media.ts';
import type {
  ChatRequest,
  FilePart,
  Json,
  JsonObject,
  Message,
  Part,
  ReasoningPart,
  ResponseFormat,
  Role,
  TextPart,
  Tool,
  ToolChoice,
  ToolResultPart,
} from '../neutral.ts';
import { readThinking } from '../thinking/read.ts';
import { joinedSummary } from './reasoning-summary.ts';
import { decodeTool, flatName, ownCustomCallId, searchResult, searchToolName } from './tool-forms.ts';

/** Members that are only of use in this request; all others are kept, so that the answer can echo them. */
const requestMembers: ReadonlySet<string> = new Set(['model', 'stream', 'input', 'stream_options']);

export function decodeRequest(body: JsonObject): ChatRequest {
  const extras = unknownMembers(body, requestMembers);
  const intent = readThinking('openai-responses', body);
  return defined<ChatRequest>({
    model: requiredString(body, 'model'),
    stream: optionalBoolean(body, 'stream') ?? false,
    messages: decodeInput(body),
    tools: decodeTools(body),
    toolChoice: decodeToolChoice(body.tool_choice),
    parallelToolCalls: optionalBoolean(body, 'parallel_tool_calls') === false ? false : undefined,
    maxTokens: optionalNumber(body, 'max_output_tokens'),
    temperature: optionalNumber(body, 'temperature'),
    topP: optionalNumber(body, 'top_p'),
    topLogprobs: optionalNumber(body, 'top_logprobs'),
    user: optionalString(body, 'user'),
    thinking: intent?.type === 'adaptive' ? undefined : intent,
    responseFormat: decodeFormat(asObject(optionalObject(body, 'text')?.format)),
    promptCacheKey: optionalString(body, 'prompt_cache_key'),
    serviceTier: optionalString(body, 'service_tier'),
    metadata: optionalObject(body, 'metadata'),
    extras: extras && { 'openai-responses': extras },
  });
}

function decodeInput(body: JsonObject): Message[] {
  const turns = new Turns();
  const instructions = asText(body.instructions);
  if (instructions !== undefined) turns.add({ role: 'system', parts: [{ type: 'text', text: instructions }] });
  const { input } = body;
  if (typeof input === 'string') turns.add({ role: 'user', parts: [{ type: 'text', text: input }] });
  else if (Array.isArray(input)) {
    input.forEach((item, index) => {
      if (!isObject(item)) throw mistyped(`input[${index}]`, 'an object');
      decodeItem(item, `input[${index}]`, turns);
    });
  } else if (input !== undefined && input !== null) throw mistyped('input', 'a string or an array of items');
  else if (instructions === undefined) throw invalidRequest("missing required parameter: 'input'");
  return turns.messages;
}

/** Gathers items to turns: reasoning, text and calls of one answer are one assistant message, results one tool message. */
class Turns {
  readonly messages: Message[] = [];
  readonly names = new Map<string, string>();

  add(message: Message): void {
    this.messages.push(message);
  }

  /** An assistant message item opens a turn unless only reasoning stands before it. */
  addAnswer(parts: Part[]): void {
    const last = this.messages.at(-1);
    if (last?.role === 'assistant' && !last.parts.some((part) => part.type !== 'reasoning')) last.parts.push(...parts);
    else this.messages.push({ role: 'assistant', parts });
  }

  call(id: string, name: string, args: string): void {
    this.names.set(id, name);
    this.append('assistant', { type: 'tool-call', id, name, arguments: args });
  }

  result(callId: string, content: ToolResultPart['content']): void {
    this.append('tool', { type: 'tool-result', callId, name: this.names.get(callId) ?? '', content });
  }

  append(role: Role, part: Part): void {
    const last = this.messages.at(-1);
    if (last?.role === role && !(part.type === 'reasoning' && hasCalls(last))) last.parts.push(part);
    else this.messages.push({ role, parts: [part] });
  }
}

function hasCalls(message: Message): boolean {
  return message.parts.some((part) => part.type === 'tool-call');
}

function decodeItem(item: JsonObject, path: string, turns: Turns): void {
  const type = asString(item.type) ?? (item.role === undefined ? undefined : 'message');
  switch (type) {
    case 'message': {
      const parts = decodeContent(item.content, `${path}.content`);
      const role = asString(item.role);
      if (role === 'assistant') turns.addAnswer(parts);
      else if (role === 'system' || role === 'developer' || role === 'user') turns.add({ role, parts });
      else throw invalidRequest(`invalid value for '${path}.role': ${JSON.stringify(item.role ?? null)}`);
      return;
    }
    case 'function_call': {
      const id = asString(item.call_id) ?? asString(item.id) ?? '';
      const name = asText(item.name);
      if (name === undefined) throw invalidRequest(`missing required parameter: '${path}.name'`);
      const wire = item.arguments ?? '';
      turns.call(id, flatName(asText(item.namespace), name), typeof wire === 'string' ? wire : JSON.stringify(wire));
      return;
    }
    case 'function_call_output': {
      turns.result(asString(item.call_id) ?? '', decodeOutput(item.output, `${path}.output`));
      return;
    }
    case 'custom_tool_call': {
      const id = ownCustomCallId(asString(item.call_id) ?? '');
      const name = asText(item.name);
      if (id === undefined || name === undefined) return;
      turns.call(id, flatName(asText(item.namespace), name), JSON.stringify({ input: asString(item.input) ?? '' }));
      return;
    }
    case 'custom_tool_call_output': {
      const id = ownCustomCallId(asString(item.call_id) ?? '');
      if (id !== undefined) turns.result(id, decodeOutput(item.output, `${path}.output`));
      return;
    }
    case 'tool_search_call': {
      const id = asText(item.call_id);
      if (id !== undefined) turns.call(id, searchToolName, JSON.stringify(asObject(item.arguments) ?? {}));
      return;
    }
    case 'tool_search_output': {
      const id = asText(item.call_id);
      if (id === undefined || !turns.names.has(id)) return;
      turns.result(id, [{ type: 'text', text: searchResult(toolsOf(item)) }]);
      return;
    }
    case 'reasoning':
      turns.append(
        'assistant',
        defined<ReasoningPart>({
          type: 'reasoning',
          text: joinedSummary(item),
          signature: asText(item.encrypted_content),
          origin: 'openai-responses',
          id: asText(item.id),
        }),
      );
      return;
    default:
      // Items of tools that run elsewhere (`web_search_call`, `item_reference`, free-text calls that another backend made)
      // mean nothing to another provider; towards Codex the body is not decoded at all.
      return;
  }
}

function decodeContent(content: Json | undefined, path: string): Part[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw mistyped(path, 'a string or an array of parts');
  const parts: Part[] = [];
  content.forEach((value, index) => {
    if (!isObject(value)) throw mistyped(`${path}[${index}]`, 'an object');
    const part = decodePart(value);
    if (part) parts.push(part);
  });
  return parts;
}

function decodeOutput(output: Json | undefined, path: string): Array<TextPart | FilePart> {
  if (output === undefined || output === null || typeof output === 'string' || Array.isArray(output)) {
    return decodeContent(output, path).filter((part) => part.type === 'text' || part.type === 'file');
  }
  return [{ type: 'text', text: JSON.stringify(output) }];
}

function decodePart(part: JsonObject): Part | undefined {
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: asString(part.text) ?? '' };
    case 'refusal':
      return { type: 'refusal', text: asString(part.refusal) ?? '' };
    case 'input_image':
      return decodeImage(part);
    case 'input_file':
      return decodeFile(part);
    case 'input_audio': {
      const audio = asObject(part.input_audio);
      const base64 = asString(audio?.data);
      if (base64 === undefined) return undefined;
      return { type: 'file', mediaType: `audio/${asText(audio?.format) ?? 'wav'}`, data: { kind: 'base64', base64 } };
    }
    default:
      return undefined;
  }
}

function decodeImage(part: JsonObject): FilePart | undefined {
  const url = asText(part.image_url) ?? asText(asObject(part.image_url)?.url);
  const id = asText(part.file_id);
  const detail = asText(part.detail);
  if (url !== undefined) return defined({ ...fileFromUrl(url, 'image/*'), detail });
  return id === undefined
    ? undefined
    : defined<FilePart>({ type: 'file', mediaType: 'image/*', data: { kind: 'id', id }, detail });
}

function decodeFile(part: JsonObject): FilePart | undefined {
  const filename = asText(part.filename);
  const data = asText(part.file_data);
  if (data !== undefined) return fileFromData(data, filename);
  const url = asText(part.file_url);
  if (url !== undefined) return defined({ ...fileFromUrl(url, 'application/pdf'), filename });
  const id = asText(part.file_id);
  return id === undefined
    ? undefined
    : defined<FilePart>({ type: 'file', mediaType: '', data: { kind: 'id', id }, filename });
}

/** Declared tools: in their own member, in items that add some, and in what a search by the client found. */
function decodeTools(body: JsonObject): Tool[] {
  const tools = objectsOf(optionalArray(body, 'tools') ?? [], 'tools').flatMap((tool, index) => {
    const decoded = decodeTool(tool);
    if (decoded === undefined) throw invalidRequest(`missing required parameter: 'tools[${index}].name'`);
    return decoded;
  });
  const taken = new Set(tools.map((tool) => tool.name));
  for (const item of Array.isArray(body.input) ? body.input : []) {
    if (!isObject(item) || (item.type !== 'additional_tools' && item.type !== 'tool_search_output')) continue;
    for (const tool of toolsOf(item)) {
      if (tool.name !== undefined && taken.has(tool.name)) continue;
      taken.add(tool.name);
      tools.push(tool);
    }
  }
  return tools;
}

function toolsOf(item: JsonObject): Tool[] {
  const declared = Array.isArray(item.tools) ? item.tools.filter(isObject) : [];
  return declared.flatMap((tool) => decodeTool(tool) ?? []);
}

function decodeToolChoice(choice: Json | undefined): ToolChoice | undefined {
  if (choice === 'none' || choice === 'required') return { type: choice };
  const chosen = asObject(choice);
  if (chosen?.type !== 'function' && chosen?.type !== 'custom') return undefined;
  const name = asText(chosen.name) ?? asText(asObject(chosen.function)?.name);
  return name === undefined ? undefined : { type: 'tool', name };
}

function decodeFormat(format: JsonObject | undefined): ResponseFormat | undefined {
  switch (format?.type) {
    case 'text':
      return { type: 'text' };
    case 'json_object':
      return { type: 'json' };
    case 'json_schema':
      return defined<ResponseFormat>({
        type: 'json',
        name: asString(format.name),
        description: asString(format.description),
        schema: format.schema ?? {},
        strict: typeof format.strict === 'boolean' ? format.strict : undefined,
      });
    default:
      return undefined;
  }
}
