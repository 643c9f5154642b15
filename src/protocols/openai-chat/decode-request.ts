// Chat completions request → neutral form (protocols.md §2).
import { invalidRequest } from '../../failure.ts';
import {
  asArray,
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
  ResponseFormat,
  TextPart,
  Tool,
  ToolCallPart,
  ToolChoice,
} from '../neutral.ts';
import { decodeRequest as decodeResponsesRequest } from '../openai-responses/decode-request.ts';
import { readThinking } from '../thinking/read.ts';

/** Members with a place in the neutral form. `metadata` and `store` stay in the extras: foreign upstreams refuse them. */
const neutralMembers: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'stream_options',
  'messages',
  'tools',
  'functions',
  'tool_choice',
  'function_call',
  'parallel_tool_calls',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop',
  'n',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'logprobs',
  'top_logprobs',
  'user',
  'reasoning_effort',
  'response_format',
  'prompt_cache_key',
  'service_tier',
]);

export function decodeRequest(body: JsonObject): ChatRequest {
  if (isResponsesShaped(body)) return decodeResponsesRequest(body);
  const extras = unknownMembers(body, neutralMembers);
  return defined<ChatRequest>({
    model: requiredString(body, 'model'),
    stream: optionalBoolean(body, 'stream') ?? false,
    messages: decodeMessages(body),
    tools: decodeTools(body),
    toolChoice: decodeToolChoice(body.tool_choice ?? body.function_call),
    parallelToolCalls: optionalBoolean(body, 'parallel_tool_calls') === false ? false : undefined,
    maxTokens: optionalNumber(body, 'max_completion_tokens') ?? optionalNumber(body, 'max_tokens'),
    temperature: optionalNumber(body, 'temperature'),
    topP: optionalNumber(body, 'top_p'),
    topK: optionalNumber(body, 'top_k'),
    stop: decodeStop(body.stop),
    candidates: optionalNumber(body, 'n'),
    seed: optionalNumber(body, 'seed'),
    presencePenalty: optionalNumber(body, 'presence_penalty'),
    frequencyPenalty: optionalNumber(body, 'frequency_penalty'),
    logprobs: optionalBoolean(body, 'logprobs'),
    topLogprobs: optionalNumber(body, 'top_logprobs'),
    user: optionalString(body, 'user'),
    thinking: readEffort(body),
    responseFormat: decodeFormat(optionalObject(body, 'response_format')),
    includeUsage: optionalObject(body, 'stream_options')?.include_usage === true ? true : undefined,
    promptCacheKey: optionalString(body, 'prompt_cache_key'),
    serviceTier: optionalString(body, 'service_tier'),
    metadata: optionalObject(body, 'metadata'),
    extras: extras && { 'openai-chat': extras },
  });
}

/** A Responses body posted to the chat route is understood as what it is and answered as chat (protocols.md §1). */
export function isResponsesShaped(body: JsonObject): boolean {
  return body.messages === undefined && (body.input !== undefined || body.instructions !== undefined);
}

function readEffort(body: JsonObject): ChatRequest['thinking'] {
  const intent = readThinking('openai-chat', body);
  return intent?.type === 'adaptive' ? undefined : intent;
}

function decodeMessages(body: JsonObject): Message[] {
  const wire = optionalArray(body, 'messages');
  if (wire === undefined) throw invalidRequest("missing required parameter: 'messages'");
  const names = new Map<string, string>();
  const messages: Message[] = [];
  objectsOf(wire, 'messages').forEach((message, index) => {
    const decoded = decodeMessage(message, `messages[${index}]`, names);
    const last = messages.at(-1);
    // Results of one round stand together: some upstreams demand them in one turn.
    if (decoded.role === 'tool' && last?.role === 'tool') last.parts.push(...decoded.parts);
    else messages.push(decoded);
  });
  return messages;
}

function decodeMessage(message: JsonObject, path: string, names: Map<string, string>): Message {
  const role = asString(message.role);
  switch (role) {
    case 'system':
    case 'developer':
    case 'user':
      return { role, parts: decodeContent(message.content, `${path}.content`) };
    case 'assistant':
      return { role, parts: decodeAssistant(message, path, names) };
    case 'tool':
    case 'function': {
      const callId = asString(message.tool_call_id) ?? asString(message.name) ?? '';
      const content = decodeContent(message.content, `${path}.content`).filter(isResultPart);
      return {
        role: 'tool',
        parts: [{ type: 'tool-result', callId, name: names.get(callId) ?? asString(message.name) ?? '', content }],
      };
    }
    default:
      throw invalidRequest(`invalid value for '${path}.role': ${JSON.stringify(message.role ?? null)}`);
  }
}

function decodeAssistant(message: JsonObject, path: string, names: Map<string, string>): Part[] {
  const parts: Part[] = [];
  const reasoning = asText(message.reasoning_content) ?? asText(message.reasoning);
  if (reasoning !== undefined) parts.push({ type: 'reasoning', text: reasoning, origin: 'openai-chat' });
  parts.push(...decodeContent(message.content, `${path}.content`));
  const refusal = asText(message.refusal);
  if (refusal !== undefined) parts.push({ type: 'refusal', text: refusal });
  for (const call of objectsOf(optionalArray(message, 'tool_calls') ?? [], `${path}.tool_calls`)) {
    const decoded = decodeCall(asString(call.id) ?? '', asObject(call.function) ?? asObject(call.custom));
    if (decoded) parts.push(decoded);
  }
  const legacy = asObject(message.function_call);
  const decoded = legacy && decodeCall(asString(legacy.name) ?? '', legacy);
  if (decoded) parts.push(decoded);
  for (const part of parts) if (part.type === 'tool-call') names.set(part.id, part.name);
  return parts;
}

function decodeCall(id: string, called: JsonObject | undefined): ToolCallPart | undefined {
  const name = asText(called?.name);
  if (!called || name === undefined) return undefined;
  const input = called.arguments ?? called.input ?? '';
  return { type: 'tool-call', id, name, arguments: typeof input === 'string' ? input : JSON.stringify(input) };
}

function decodeContent(content: Json | undefined, path: string): Part[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  const wire = asArray(content);
  if (!wire) throw mistyped(path, 'a string or an array of parts');
  const parts: Part[] = [];
  wire.forEach((value, index) => {
    if (typeof value === 'string') parts.push({ type: 'text', text: value });
    else if (isObject(value)) parts.push(...decodePart(value));
    else throw mistyped(`${path}[${index}]`, 'an object');
  });
  return parts;
}

function decodePart(part: JsonObject): Part[] {
  switch (part.type) {
    case 'text':
    case 'input_text':
    case 'output_text':
      return [{ type: 'text', text: asString(part.text) ?? '' }];
    case 'refusal':
      return [{ type: 'refusal', text: asString(part.refusal) ?? '' }];
    case 'image_url': {
      const image = asObject(part.image_url);
      const url = asString(image?.url) ?? asString(part.image_url);
      return url === undefined ? [] : [withDetail(fileFromUrl(url, 'image/*'), asString(image?.detail))];
    }
    case 'input_audio': {
      const audio = asObject(part.input_audio);
      const base64 = asString(audio?.data);
      if (base64 === undefined) return [];
      return [{ type: 'file', mediaType: `audio/${asText(audio?.format) ?? 'wav'}`, data: { kind: 'base64', base64 } }];
    }
    case 'file': {
      const file = asObject(part.file) ?? {};
      const filename = asText(file.filename);
      const data = asString(file.file_data);
      if (data !== undefined) return [fileFromData(data, filename)];
      const id = asText(file.file_id);
      return id === undefined ? [] : [defined({ type: 'file', mediaType: '', data: { kind: 'id', id }, filename })];
    }
    default:
      return [];
  }
}

function withDetail(file: FilePart, detail: string | undefined): FilePart {
  return detail === undefined ? file : { ...file, detail };
}

function isResultPart(part: Part): part is TextPart | FilePart {
  return part.type === 'text' || part.type === 'file';
}

function decodeTools(body: JsonObject): Tool[] {
  const wire = objectsOf(optionalArray(body, 'tools') ?? [], 'tools');
  const legacy = objectsOf(optionalArray(body, 'functions') ?? [], 'functions');
  return [...wire.map(decodeTool), ...legacy.map((declared) => functionTool(declared, 'functions'))];
}

function decodeTool(tool: JsonObject, index: number): Tool {
  const declared = asObject(tool.function);
  if (declared) return functionTool(declared, `tools[${index}].function`);
  const kind = asText(tool.type);
  if (kind === undefined || kind === 'function') throw mistyped(`tools[${index}].function`, 'an object');
  return defined({
    type: 'builtin',
    protocol: 'openai-chat',
    kind,
    name: asText(asObject(tool.custom)?.name),
    raw: tool,
  });
}

function functionTool(declared: JsonObject, path: string): Tool {
  const name = asText(declared.name);
  if (name === undefined) throw invalidRequest(`missing required parameter: '${path}.name'`);
  return defined({
    type: 'function',
    name,
    description: asString(declared.description),
    parameters: declared.parameters ?? undefined,
    strict: typeof declared.strict === 'boolean' ? declared.strict : undefined,
  });
}

function decodeToolChoice(choice: Json | undefined): ToolChoice | undefined {
  if (choice === 'none' || choice === 'required') return { type: choice };
  const name = asText(asObject(asObject(choice)?.function)?.name) ?? asText(asObject(choice)?.name);
  return name === undefined ? undefined : { type: 'tool', name };
}

function decodeStop(stop: Json | undefined): string[] | undefined {
  if (stop === undefined || stop === null) return undefined;
  if (typeof stop === 'string') return [stop];
  if (!Array.isArray(stop) || !stop.every((word) => typeof word === 'string')) {
    throw mistyped('stop', 'a string or an array of strings');
  }
  return stop.length === 0 ? undefined : stop;
}

function decodeFormat(format: JsonObject | undefined): ResponseFormat | undefined {
  switch (format?.type) {
    case 'text':
      return { type: 'text' };
    case 'json_object':
      return { type: 'json' };
    case 'json_schema': {
      const schema = asObject(format.json_schema) ?? {};
      return defined<ResponseFormat>({
        type: 'json',
        name: asString(schema.name),
        description: asString(schema.description),
        schema: schema.schema ?? {},
        strict: typeof schema.strict === 'boolean' ? schema.strict : undefined,
      });
    }
    default:
      return undefined;
  }
}
