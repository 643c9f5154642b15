// Neutral form → Responses request, plain or in the dialect of the Codex backend (protocols.md §2, upstreams.md §2.3).
import { asObject, isObject, jsonObject } from '../json.ts';
import { dataUrl, isImage, urlOf } from '../media.ts';
import type {
  BuiltinTool,
  ChatRequest,
  FilePart,
  Json,
  JsonObject,
  Message,
  Part,
  ResponseFormat,
  Tool,
  ToolChoice,
  ToolResultPart,
} from '../neutral.ts';
import type { EncodeTarget } from '../protocol.ts';
import { wireToolNames } from '../tool-names.ts';
import { codexFixed } from './codex-dialect.ts';

/** Tiers of OpenAI itself; `auto` is the default. */
const serviceTiers: ReadonlySet<string> = new Set(['default', 'flex', 'scale', 'priority']);

/** Members that `encodeRequest` writes itself: a client's own copy must not be added to them. */
const encodedMembers: ReadonlySet<string> = new Set([
  'model',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'text',
  'stream',
  'parallel_tool_calls',
  'max_output_tokens',
  'temperature',
  'top_p',
  'top_logprobs',
  'user',
  'prompt_cache_key',
  'service_tier',
  'reasoning',
]);

/** What a Codex backend thinks for clients that do not say (protocols.md §2.1). */
const codexReasoning = { effort: 'medium', summary: 'auto' };

export function encodeRequest(request: ChatRequest, target: EncodeTarget): JsonObject {
  const codex = target.provider === 'codex';
  const names = wireToolNames(request, target);
  const wireName = (name: string): string => names.get(name) ?? name;
  const tools = request.tools.map((tool) => encodeTool(tool, wireName)).filter((tool) => tool !== undefined);
  const common = jsonObject({
    model: target.model,
    input: encodeInput(request.messages, codex, wireName),
    tools: tools.length > 0 ? tools : undefined,
    tool_choice: tools.length > 0 ? encodeToolChoice(request.toolChoice, wireName) : undefined,
    text: encodeText(request.responseFormat),
  });
  if (codex) {
    return {
      ...common,
      instructions: '',
      ...codexFixed,
      parallel_tool_calls: request.parallelToolCalls ?? true,
      reasoning: { ...codexReasoning },
      ...(request.serviceTier === 'priority' ? { service_tier: 'priority' } : {}),
    };
  }
  return { ...common, ...plainMembers(request, target), ...echoExtras(request) };
}

function plainMembers(request: ChatRequest, target: EncodeTarget): JsonObject {
  const tier = request.serviceTier;
  return jsonObject({
    stream: target.stream,
    parallel_tool_calls: request.parallelToolCalls,
    max_output_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    top_logprobs: request.topLogprobs,
    user: request.user,
    prompt_cache_key: request.promptCacheKey,
    service_tier: tier !== undefined && serviceTiers.has(tier) ? tier : undefined,
  });
}

/** Members of a Responses client that the neutral form does not carry; never those that were encoded above. */
function echoExtras(request: ChatRequest): JsonObject {
  const rest: JsonObject = {};
  const extras = request.extras?.['openai-responses'] ?? {};
  for (const key in extras) if (!encodedMembers.has(key)) rest[key] = extras[key] as Json;
  return rest;
}

function encodeInput(messages: readonly Message[], codex: boolean, wireName: (name: string) => string): JsonObject[] {
  const items: JsonObject[] = [];
  for (const message of messages) {
    const role = codex && message.role === 'system' ? 'developer' : message.role;
    let content: JsonObject[] = [];
    const flush = (): void => {
      if (content.length > 0) items.push({ type: 'message', role, content });
      content = [];
    };
    for (const part of message.parts) {
      switch (part.type) {
        case 'tool-call':
          flush();
          items.push({
            type: 'function_call',
            call_id: part.id,
            name: wireName(part.name),
            arguments: part.arguments,
          });
          break;
        case 'tool-result':
          flush();
          items.push({ type: 'function_call_output', call_id: part.callId, output: encodeOutput(part) });
          break;
        case 'reasoning':
          // Only the backend that encrypted a thought can read it; without its proof it is refused or ignored.
          if (part.origin !== 'openai-responses' || part.signature === undefined) break;
          flush();
          items.push(
            jsonObject({
              type: 'reasoning',
              id: part.id,
              summary: part.text === '' ? [] : [{ type: 'summary_text', text: part.text }],
              encrypted_content: part.signature,
            }),
          );
          break;
        default: {
          const encoded = encodePart(part, message.role === 'assistant');
          if (encoded) content.push(encoded);
        }
      }
    }
    if (message.role === 'user' && message.parts.length === 0) content.push({ type: 'input_text', text: '' });
    flush();
  }
  return items;
}

/** Undefined for what this API has no place for in that role. */
function encodePart(part: Exclude<Part, { type: 'tool-call' | 'tool-result' | 'reasoning' }>, assistant: boolean) {
  switch (part.type) {
    case 'text':
      return { type: assistant ? 'output_text' : 'input_text', text: part.text };
    case 'refusal':
      return assistant ? { type: 'refusal', refusal: part.text } : { type: 'input_text', text: part.text };
    case 'file':
      return assistant ? undefined : encodeFile(part);
  }
}

function encodeFile(file: FilePart): JsonObject | undefined {
  const { data, filename } = file;
  if (data.kind === 'text') return { type: 'input_text', text: data.text };
  if (file.mediaType.startsWith('audio/')) return undefined;
  if (isImage(file)) {
    const image = data.kind === 'id' ? { file_id: data.id } : { image_url: urlOf(file) };
    return jsonObject({ type: 'input_image', ...image, detail: file.detail });
  }
  switch (data.kind) {
    case 'id':
      return jsonObject({ type: 'input_file', file_id: data.id, filename });
    case 'url':
      return jsonObject({ type: 'input_file', file_url: data.url, filename });
    case 'base64':
      return {
        type: 'input_file',
        // Required by the API whenever the bytes are inline.
        filename: filename ?? (file.mediaType === 'application/pdf' ? 'document.pdf' : 'file'),
        file_data: dataUrl(file.mediaType, data.base64),
      };
  }
}

function encodeOutput(result: ToolResultPart): Json {
  const [only] = result.content;
  if (only === undefined) return result.json === undefined ? '' : JSON.stringify(result.json);
  if (result.content.length === 1 && only.type === 'text') return only.text;
  const parts: JsonObject[] = [];
  for (const part of result.content) {
    const encoded = encodePart(part, false);
    if (encoded) parts.push(encoded);
  }
  return parts;
}

function encodeTool(tool: Tool, wireName: (name: string) => string): JsonObject | undefined {
  if (tool.type === 'builtin') return encodeBuiltin(tool);
  if (isObject(tool.form?.raw)) return tool.form.raw;
  return jsonObject({
    type: 'function',
    name: wireName(tool.name),
    description: tool.description,
    parameters: encodeSchema(tool.parameters),
    // The API's default is strict, which refuses ordinary schemas.
    strict: tool.strict ?? false,
  });
}

/** `$schema` is refused, and an object must name its properties (protocols.md §5 claude to codex). */
function encodeSchema(schema: Json | undefined): Json {
  const object = asObject(schema);
  if (!object) return { type: 'object', properties: {} };
  const { $schema: _dropped, ...rest } = object;
  if (rest.type === 'object' && rest.properties === undefined) rest.properties = {};
  return rest;
}

function encodeBuiltin(tool: BuiltinTool): JsonObject | undefined {
  if (tool.protocol === 'openai-responses') return tool.raw as JsonObject;
  return tool.kind.startsWith('web_search') ? { type: 'web_search' } : undefined;
}

function encodeToolChoice(choice: ToolChoice | undefined, wireName: (name: string) => string): Json | undefined {
  if (choice === undefined || choice.type === 'auto') return undefined;
  return choice.type === 'tool' ? { type: 'function', name: wireName(choice.name) } : choice.type;
}

function encodeText(format: ResponseFormat | undefined): Json | undefined {
  if (format === undefined) return undefined;
  if (format.type === 'text') return { format: { type: 'text' } };
  if (format.schema === undefined) return { format: { type: 'json_object' } };
  return {
    format: jsonObject({
      type: 'json_schema',
      name: format.name ?? 'response',
      description: format.description,
      schema: format.schema,
      strict: format.strict,
    }),
  };
}
