// Gemini generateContent request body → neutral form (protocols.md §2).
import { invalidRequest } from '../../failure.ts';
import { isObject } from '../json.ts';
import type {
  ChatRequest,
  FilePart,
  Json,
  JsonObject,
  Message,
  Part,
  TextPart,
  Tool,
  ToolCallPart,
  ToolResultPart,
} from '../neutral.ts';
import { readIncludeThoughts, readThinking } from '../thinking/read.ts';
import { CallLinks } from './call-links.ts';
import { bothSpellings, field, listField, numberField, objectField, stringField } from './fields.ts';
import { toJsonSchema } from './schema.ts';

/** Members that have a neutral place; all others ride in `extras.gemini`. */
const READ = new Set([
  'model',
  'stream',
  ...bothSpellings(['contents', 'systemInstruction', 'tools', 'toolConfig', 'generationConfig']),
]);
const READ_GENERATION = bothSpellings([
  'maxOutputTokens',
  'temperature',
  'topP',
  'topK',
  'stopSequences',
  'candidateCount',
  'seed',
  'presencePenalty',
  'frequencyPenalty',
  'responseLogprobs',
  'logprobs',
  'responseMimeType',
  'responseSchema',
  'responseJsonSchema',
  'thinkingConfig',
]);
const DECLARATIONS = bothSpellings(['functionDeclarations']);

/** Body of `:generateContent` → neutral form. Throws `invalid-request` for members of the wrong type. */
export function decodeRequest(body: JsonObject): ChatRequest {
  const messages: Message[] = [];
  const system = readSystem(field(body, 'systemInstruction'));
  if (system.length > 0) messages.push({ role: 'system', parts: system });
  const contents = readContents(body.contents);
  const links = new CallLinks(givenIds(contents));
  contents.forEach((content, position) => {
    messages.push(readContent(content, position, links));
  });

  const request: ChatRequest = {
    model: typeof body.model === 'string' ? body.model.replace(/^models\//, '') : '',
    stream: body.stream === true,
    messages,
    tools: listField(body, 'tools').flatMap(readTools),
  };
  const extras: JsonObject = {};
  readToolConfig(objectField(body, 'toolConfig'), request, extras);
  const generation = objectField(body, 'generationConfig');
  if (generation) readGeneration(generation, request, extras);
  const thinking = readThinking('gemini', body);
  if (thinking && thinking.type !== 'adaptive') request.thinking = thinking;
  const include = readIncludeThoughts('gemini', body);
  if (include !== undefined) request.includeThoughts = include;
  for (const key of Object.keys(body)) if (!READ.has(key)) extras[key] = body[key] as Json;
  if (Object.keys(extras).length > 0) request.extras = { gemini: extras };
  return request;
}

function readSystem(value: Json | undefined): Part[] {
  if (typeof value === 'string') return value === '' ? [] : [{ type: 'text', text: value }];
  if (!isObject(value)) return [];
  const parts = Array.isArray(value.parts) ? value.parts : isObject(value.parts) ? [value.parts] : [value];
  return parts.flatMap((part): Part[] =>
    isObject(part) && typeof part.text === 'string' && part.text !== '' ? [{ type: 'text', text: part.text }] : [],
  );
}

/** The SDKs' shorthands too: one string, one content. */
function readContents(value: Json | undefined): JsonObject[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return [{ role: 'user', parts: [{ text: value }] }];
  if (isObject(value)) return [value];
  if (!Array.isArray(value)) throw invalidRequest('contents: must be an array');
  return value.map((content, position) => {
    if (typeof content === 'string') return { role: 'user', parts: [{ text: content }] };
    if (!isObject(content)) throw invalidRequest(`contents[${position}]: must be an object`);
    return content;
  });
}

function givenIds(contents: readonly JsonObject[]): string[] {
  const ids: string[] = [];
  for (const content of contents) {
    for (const part of listField(content, 'parts')) {
      const call = isObject(part)
        ? (objectField(part, 'functionCall') ?? objectField(part, 'functionResponse'))
        : undefined;
      if (typeof call?.id === 'string') ids.push(call.id);
    }
  }
  return ids;
}

function readContent(content: JsonObject, position: number, links: CallLinks): Message {
  const model = content.role === 'model' || content.role === 'assistant';
  const parts: Part[] = [];
  for (const part of listField(content, 'parts')) {
    if (typeof part === 'string') parts.push({ type: 'text', text: part });
    else if (isObject(part)) parts.push(...readPart(part, links));
    else throw invalidRequest(`contents[${position}].parts: each part must be an object`);
  }
  if (content.role === 'system') return { role: 'system', parts };
  return { role: model ? 'assistant' : 'user', parts };
}

function readPart(part: JsonObject, links: CallLinks): Part[] {
  const signature = stringField(part, 'thoughtSignature');
  const signed = signature ? { signature } : {};
  if (typeof part.text === 'string') {
    if (part.thought === true) return [{ type: 'reasoning', text: part.text, ...signed, origin: 'gemini' }];
    return [{ type: 'text', text: part.text, ...signed }];
  }
  const call = objectField(part, 'functionCall');
  if (call) {
    const name = stringField(call, 'name') ?? '';
    const result: ToolCallPart = {
      type: 'tool-call',
      id: links.call(name, stringField(call, 'id')),
      name,
      arguments: JSON.stringify(call.args ?? {}),
      ...signed,
    };
    return [result];
  }
  const response = objectField(part, 'functionResponse');
  if (response) return [readFunctionResponse(response, links)];
  const file = readFile(part);
  return file ? [file] : [];
}

function readFunctionResponse(response: JsonObject, links: CallLinks): ToolResultPart {
  const name = stringField(response, 'name') ?? '';
  const json = response.response ?? {};
  const content: Array<TextPart | FilePart> = [{ type: 'text', text: resultText(json) }];
  for (const part of listField(response, 'parts')) {
    const file = isObject(part) ? readFile(part) : undefined;
    if (file) content.push(file);
  }
  return { type: 'tool-result', callId: links.result(name, stringField(response, 'id')), name, content, json };
}

/** A lone `result` or `output` is the result itself; text stays text, everything else is JSON. */
function resultText(json: Json): string {
  let value = json;
  if (isObject(json)) {
    const keys = Object.keys(json);
    if (keys.length === 1 && (keys[0] === 'result' || keys[0] === 'output')) value = json[keys[0]] as Json;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function readFile(part: JsonObject): FilePart | undefined {
  const inline = objectField(part, 'inlineData');
  if (inline) {
    const base64 = stringField(inline, 'data') ?? '';
    const filename = stringField(inline, 'displayName');
    return {
      type: 'file',
      mediaType: stringField(inline, 'mimeType') ?? '',
      data: { kind: 'base64', base64 },
      ...(filename ? { filename } : {}),
    };
  }
  const linked = objectField(part, 'fileData');
  if (!linked) return undefined;
  return {
    type: 'file',
    mediaType: stringField(linked, 'mimeType') ?? '',
    data: { kind: 'url', url: stringField(linked, 'fileUri') ?? '' },
  };
}

function readTools(tool: Json): Tool[] {
  if (!isObject(tool)) return [];
  const tools: Tool[] = [];
  for (const declaration of listField(tool, 'functionDeclarations')) {
    if (!isObject(declaration)) continue;
    const name = stringField(declaration, 'name');
    if (!name) throw invalidRequest('tools: each function declaration needs a name');
    const description = stringField(declaration, 'description');
    const parameters = field(declaration, 'parametersJsonSchema') ?? declaration.parameters;
    tools.push({
      type: 'function',
      name,
      ...(description !== undefined ? { description } : {}),
      ...(parameters !== undefined && parameters !== null ? { parameters: toJsonSchema(parameters) } : {}),
    });
  }
  for (const [kind, raw] of Object.entries(tool)) {
    if (!DECLARATIONS.has(kind)) tools.push({ type: 'builtin', protocol: 'gemini', kind, raw });
  }
  return tools;
}

function readToolConfig(config: JsonObject | undefined, request: ChatRequest, extras: JsonObject): void {
  if (!config) return;
  const calling = objectField(config, 'functionCallingConfig');
  if (calling) {
    const names = listField(calling, 'allowedFunctionNames');
    switch (stringField(calling, 'mode')?.toUpperCase()) {
      case 'AUTO':
        request.toolChoice = { type: 'auto' };
        break;
      case 'NONE':
        request.toolChoice = { type: 'none' };
        break;
      case 'ANY':
        request.toolChoice =
          names.length === 1 && typeof names[0] === 'string' ? { type: 'tool', name: names[0] } : { type: 'required' };
        break;
    }
  }
  const { functionCallingConfig: _, function_calling_config: __, ...rest } = config;
  if (Object.keys(rest).length > 0) extras.toolConfig = rest;
}

function readGeneration(generation: JsonObject, request: ChatRequest, extras: JsonObject): void {
  const numbers = {
    maxTokens: numberField(generation, 'maxOutputTokens'),
    temperature: numberField(generation, 'temperature'),
    topP: numberField(generation, 'topP'),
    topK: numberField(generation, 'topK'),
    candidates: numberField(generation, 'candidateCount'),
    seed: numberField(generation, 'seed'),
    presencePenalty: numberField(generation, 'presencePenalty'),
    frequencyPenalty: numberField(generation, 'frequencyPenalty'),
    topLogprobs: numberField(generation, 'logprobs'),
  };
  for (const [name, value] of Object.entries(numbers))
    if (value !== undefined) Object.assign(request, { [name]: value });
  const stop = listField(generation, 'stopSequences').filter((item): item is string => typeof item === 'string');
  if (stop.length > 0) request.stop = stop;
  const logprobs = field(generation, 'responseLogprobs');
  if (typeof logprobs === 'boolean') request.logprobs = logprobs;
  if (stringField(generation, 'responseMimeType') === 'application/json') {
    const schema = field(generation, 'responseJsonSchema') ?? field(generation, 'responseSchema');
    request.responseFormat = {
      type: 'json',
      ...(schema !== undefined && schema !== null ? { schema: toJsonSchema(schema) } : {}),
    };
  }
  const rest: JsonObject = {};
  for (const key of Object.keys(generation)) if (!READ_GENERATION.has(key)) rest[key] = generation[key] as Json;
  if (Object.keys(rest).length > 0) extras.generationConfig = rest;
}
