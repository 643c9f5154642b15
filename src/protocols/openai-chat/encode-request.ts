// Neutral form → chat completions request (protocols.md §2). Thinking is written by `thinking/`.
import { jsonObject } from '../json.ts';
import { dataUrl, isImage, urlOf } from '../media.ts';
import type {
  BuiltinTool,
  ChatRequest,
  FilePart,
  FunctionTool,
  Json,
  JsonObject,
  Message,
  Part,
  ResponseFormat,
  TextPart,
  Tool,
  ToolCallPart,
  ToolChoice,
  ToolResultPart,
} from '../neutral.ts';
import type { EncodeTarget } from '../protocol.ts';

/** OpenAI's own tiers; other vendors' words would be refused, and `auto` is the default. */
const serviceTiers: ReadonlySet<string> = new Set(['default', 'flex', 'scale', 'priority']);

export function encodeRequest(request: ChatRequest, target: EncodeTarget): JsonObject {
  const tools = request.tools.map(encodeTool).filter((tool) => tool !== undefined);
  const tier = request.serviceTier;
  return {
    ...jsonObject({
      model: target.model,
      messages: encodeMessages(request.messages),
      stream: target.stream,
      stream_options: target.stream ? { include_usage: true } : undefined,
      tools: tools.length > 0 ? tools : undefined,
      tool_choice: tools.length > 0 ? encodeToolChoice(request.toolChoice) : undefined,
      parallel_tool_calls: tools.length > 0 ? request.parallelToolCalls : undefined,
      max_tokens: request.maxTokens,
      temperature: request.temperature,
      top_p: request.topP,
      stop: request.stop,
      n: request.candidates,
      seed: request.seed,
      presence_penalty: request.presencePenalty,
      frequency_penalty: request.frequencyPenalty,
      logprobs: request.logprobs,
      top_logprobs: request.topLogprobs,
      user: request.user,
      response_format: encodeFormat(request.responseFormat),
      prompt_cache_key: request.promptCacheKey,
      service_tier: tier !== undefined && serviceTiers.has(tier) ? tier : undefined,
    }),
    ...request.extras?.['openai-chat'],
  };
}

export function encodeMessages(messages: readonly Message[]): JsonObject[] {
  const wire: JsonObject[] = [];
  for (const message of messages) {
    if (message.role === 'assistant') {
      const assistant = encodeAssistant(message.parts);
      if (assistant) wire.push(assistant);
      continue;
    }
    // Results must follow their calls at once, so they come before anything else the turn says (protocols.md §5).
    const rest: Part[] = [];
    for (const part of message.parts) {
      if (part.type === 'tool-result') wire.push(encodeResult(part));
      else rest.push(part);
    }
    const content = encodeContent(rest);
    if (message.role === 'tool' || (content === '' && rest.length < message.parts.length)) continue;
    wire.push({ role: message.role, content });
  }
  return wire;
}

/** Undefined for a turn that says nothing (thinking of another vendor without text). */
function encodeAssistant(parts: readonly Part[]): JsonObject | undefined {
  const calls = parts.filter((part) => part.type === 'tool-call');
  const content = encodeContent(parts.filter((part) => part.type === 'text' || part.type === 'file'));
  const reasoning = joined(parts, 'reasoning', '\n\n');
  const refusal = joined(parts, 'refusal', '');
  if (calls.length === 0 && content === '' && reasoning === '' && refusal === '') return undefined;
  return jsonObject({
    role: 'assistant',
    content: content === '' ? (refusal === '' && calls.length === 0 ? '' : null) : content,
    reasoning_content: reasoning === '' ? undefined : reasoning,
    refusal: refusal === '' ? undefined : refusal,
    tool_calls: calls.length === 0 ? undefined : calls.map(encodeCall),
  });
}

function joined(parts: readonly Part[], type: 'reasoning' | 'refusal', separator: string): string {
  const texts: string[] = [];
  for (const part of parts) if (part.type === type && part.text !== '') texts.push(part.text);
  return texts.join(separator);
}

export function encodeCall(call: Pick<ToolCallPart, 'id' | 'name' | 'arguments'>): JsonObject {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } };
}

function encodeResult(result: ToolResultPart): JsonObject {
  const textOnly = result.content.every((part) => part.type === 'text');
  return {
    role: 'tool',
    tool_call_id: result.callId,
    content: textOnly ? resultText(result) : encodeContent(result.content),
  };
}

/** Several text parts are joined with a blank line; a structured result without text is sent as its JSON. */
export function resultText(result: ToolResultPart): string {
  const text = result.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n\n');
  return text === '' && result.json !== undefined ? JSON.stringify(result.json) : text;
}

/** One text is a plain string, which every server takes; anything else an array of parts. */
function encodeContent(parts: readonly Part[]): string | JsonObject[] {
  const [only] = parts;
  if (only === undefined) return '';
  if (parts.length === 1 && only.type === 'text') return only.text;
  const wire: JsonObject[] = [];
  for (const part of parts) {
    if (part.type === 'text' || part.type === 'refusal') wire.push({ type: 'text', text: part.text });
    else if (part.type === 'file') wire.push(...encodeFile(part));
  }
  return wire.length === 0 ? '' : wire;
}

function encodeFile(file: FilePart): JsonObject[] {
  const { data } = file;
  if (data.kind === 'text') return [encodeText({ type: 'text', text: data.text })];
  if (isImage(file)) {
    const url = urlOf(file);
    if (url === undefined) return [];
    return [{ type: 'image_url', image_url: jsonObject({ url, detail: file.detail }) }];
  }
  if (data.kind === 'id') {
    return [{ type: 'file', file: jsonObject({ file_id: data.id, filename: file.filename }) }];
  }
  // A link to a document has no place in this API (protocols.md §2.3).
  if (data.kind !== 'base64') return [];
  if (file.mediaType.startsWith('audio/')) {
    return [{ type: 'input_audio', input_audio: { data: data.base64, format: file.mediaType.slice('audio/'.length) } }];
  }
  const filename = file.filename ?? (file.mediaType === 'application/pdf' ? 'document.pdf' : 'file');
  return [{ type: 'file', file: { filename, file_data: dataUrl(file.mediaType, data.base64) } }];
}

function encodeText(part: TextPart): JsonObject {
  return { type: 'text', text: part.text };
}

function encodeTool(tool: Tool): JsonObject | undefined {
  return tool.type === 'function' ? encodeFunction(tool) : encodeBuiltin(tool);
}

function encodeFunction(tool: FunctionTool): JsonObject {
  return {
    type: 'function',
    function: jsonObject({
      name: tool.name,
      description: tool.description,
      parameters: tool.parameters ?? { type: 'object', properties: {} },
      strict: tool.strict,
    }),
  };
}

function encodeBuiltin(tool: BuiltinTool): JsonObject | undefined {
  return tool.protocol === 'openai-chat' ? (tool.raw as JsonObject) : undefined;
}

function encodeToolChoice(choice: ToolChoice | undefined): Json | undefined {
  if (choice === undefined || choice.type === 'auto') return undefined;
  return choice.type === 'tool' ? { type: 'function', function: { name: choice.name } } : choice.type;
}

function encodeFormat(format: ResponseFormat | undefined): Json | undefined {
  if (format === undefined) return undefined;
  if (format.type === 'text') return { type: 'text' };
  if (format.schema === undefined) return { type: 'json_object' };
  return {
    type: 'json_schema',
    json_schema: jsonObject({
      name: format.name ?? 'response',
      description: format.description,
      schema: format.schema,
      strict: format.strict,
    }),
  };
}
