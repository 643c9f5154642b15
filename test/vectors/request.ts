// What an upstream was asked, in one form for all upstream protocols (protocols.md §6, comparison rules 2 and 3).
import { parsed } from './answer.ts';
import { isObject, type Json, type JsonObject, list, objects, text, type UpstreamName } from './format.ts';

/** Meaning of a request; members that say nothing are absent. */
export type Meaning = JsonObject;

/** One thing said, with the role that said it. */
interface Said {
  role: string;
  part: JsonObject;
  /** Call id, for linking. */
  call?: string;
}

/** Everything a `core` comparison looks at. `loose` names aspects that are left out. */
export function meaningOf(upstream: UpstreamName, body: JsonObject, loose: readonly string[] = []): Meaning {
  const meaning = readers[upstream](body);
  for (const aspect of loose) {
    for (const key of looseKeys[aspect] ?? [aspect]) delete meaning[key];
  }
  return Object.fromEntries(
    Object.entries(meaning).filter(([, value]) => value !== undefined && value !== null),
  ) as Meaning;
}

const looseKeys: Record<string, string[]> = {
  max: ['max'],
  tools: ['tools', 'cache'],
  turns: ['turns'],
  system: ['system'],
  tool_choice: ['choice'],
};

const readers: Record<UpstreamName, (body: JsonObject) => Meaning> = {
  'openai-compat': readChat,
  claude: readMessages,
  codex: readCodex,
  gemini: readGeminiBody,
  vertex: readGeminiBody,
  'gemini-cli': readEnvelope,
  antigravity: readEnvelope,
  none: () => ({}),
};

function readChat(body: JsonObject): Meaning {
  const system: string[] = [];
  const said: Said[] = [];
  for (const message of objects(body.messages)) {
    const role = text(message.role);
    if (role === 'system' || role === 'developer') {
      system.push(...plainTexts(message.content));
      continue;
    }
    if (role === 'tool') {
      said.push({ role: 'result', call: text(message.tool_call_id), part: { result: resultOf(message.content) } });
      continue;
    }
    for (const part of contentParts(message.content)) said.push({ role, part: chatPart(part) });
    if (text(message.refusal)) said.push({ role, part: { text: text(message.refusal) } });
    for (const call of objects(message.tool_calls)) {
      const fn = isObject(call.function) ? call.function : {};
      said.push({ role, call: text(call.id), part: { call: text(fn.name), input: looseArguments(fn.arguments) } });
    }
  }
  const tools = objects(body.tools).map((tool) => (isObject(tool.function) ? tool.function : tool));
  return {
    system: joinedSystem(system),
    turns: turnsOf(said),
    ...toolMeaning(tools, (tool) => tool.parameters),
    choice: list(body.tools).length > 0 ? chatChoice(body.tool_choice) : undefined,
    serial: list(body.tools).length > 0 && body.parallel_tool_calls === false ? true : undefined,
    max: body.max_completion_tokens ?? body.max_tokens,
    temperature: body.temperature,
    top_p: body.top_p,
    stop: typeof body.stop === 'string' ? [body.stop] : body.stop,
    n: body.n === 1 ? undefined : body.n,
    seed: body.seed,
    presence_penalty: body.presence_penalty,
    frequency_penalty: body.frequency_penalty,
    format: chatFormat(body.response_format),
    model: body.model,
    stream: body.stream === true,
    include_usage:
      body.stream === true ? isObject(body.stream_options) && body.stream_options.include_usage === true : undefined,
    effort: body.reasoning_effort,
  } as Meaning;
}

function chatPart(part: JsonObject): JsonObject {
  switch (part.type) {
    case 'text':
      return { text: text(part.text) };
    case 'image_url':
      return { media: text(isObject(part.image_url) ? part.image_url.url : part.image_url) };
    case 'file':
      return { media: text(isObject(part.file) ? part.file.file_data : '') };
    case 'input_audio': {
      const audio = isObject(part.input_audio) ? part.input_audio : {};
      return { media: `data:audio/${text(audio.format)};base64,${text(audio.data)}` };
    }
    case 'refusal':
      return { text: text(part.refusal) };
    default:
      return { other: part };
  }
}

function chatChoice(choice: Json | undefined): Json | undefined {
  if (typeof choice === 'string') return choice === 'auto' ? undefined : choice;
  if (!isObject(choice)) return undefined;
  const fn = isObject(choice.function) ? choice.function : choice;
  return { name: text(fn.name) };
}

function chatFormat(format: Json | undefined): Json | undefined {
  if (!isObject(format) || format.type === 'text') return undefined;
  const schema = isObject(format.json_schema) ? format.json_schema : undefined;
  return schema ? { schema: schemaMeaning(schema.schema) } : { json: true };
}

function readMessages(body: JsonObject): Meaning {
  const said: Said[] = [];
  for (const message of objects(body.messages)) {
    const role = text(message.role);
    for (const block of contentParts(message.content)) {
      if (block.type === 'thinking' || block.type === 'redacted_thinking') continue;
      if (block.type === 'tool_use') {
        said.push({ role, call: text(block.id), part: { call: text(block.name), input: block.input ?? {} } });
      } else if (block.type === 'tool_result') {
        said.push({ role: 'result', call: text(block.tool_use_id), part: { result: resultOf(block.content) } });
      } else said.push({ role, part: claudePart(block) });
    }
  }
  const choice = isObject(body.tool_choice) ? body.tool_choice : undefined;
  const thinking = isObject(body.thinking) ? body.thinking : undefined;
  const hasTools = list(body.tools).length > 0;
  return {
    system: joinedSystem(plainTexts(body.system)),
    turns: turnsOf(said),
    ...toolMeaning(objects(body.tools), (tool) => tool.input_schema),
    choice: hasTools ? claudeChoice(choice) : undefined,
    serial: hasTools && choice?.disable_parallel_tool_use === true ? true : undefined,
    max: body.max_tokens,
    temperature: body.temperature,
    top_p: body.top_p,
    top_k: body.top_k,
    stop: body.stop_sequences,
    model: body.model,
    thinking: thinking ? (thinking as Json) : undefined,
    effort: isObject(body.output_config) ? body.output_config.effort : undefined,
    cache: cacheMarks(body),
  } as Meaning;
}

function claudePart(block: JsonObject): JsonObject {
  const source = isObject(block.source) ? block.source : {};
  if (block.type === 'text') return { text: text(block.text) };
  if (block.type !== 'image' && block.type !== 'document') return { other: block };
  if (source.type === 'base64') return { media: `data:${text(source.media_type)};base64,${text(source.data)}` };
  if (source.type === 'text') return { text: text(source.data) };
  return { media: text(source.url) };
}

function claudeChoice(choice: JsonObject | undefined): Json | undefined {
  if (choice?.type === 'any') return 'required';
  if (choice?.type === 'none') return 'none';
  return choice?.type === 'tool' ? { name: text(choice.name) } : undefined;
}

/** Where the cache breakpoints are: section and place from its end, so that merged turns do not matter. */
function cacheMarks(body: JsonObject): Json {
  const marks: string[] = [];
  const look = (section: string, blocks: Json | undefined) => {
    const all = objects(blocks);
    all.forEach((block, index) => {
      if (isObject(block.cache_control))
        marks.push(`${section}:${index - all.length}:${text(block.cache_control.ttl)}`);
    });
  };
  look('tools', body.tools);
  look('system', body.system);
  const messages = objects(body.messages);
  const users = messages.filter((message) => message.role === 'user');
  for (const message of messages) {
    const place = message.role === 'user' ? users.indexOf(message) - users.length : 0;
    look(`${text(message.role)}:${place}`, message.content);
  }
  return marks;
}

function readCodex(body: JsonObject): Meaning {
  const system: string[] = [text(body.instructions)];
  const said: Said[] = [];
  const input: JsonObject[] =
    typeof body.input === 'string' ? [{ type: 'message', role: 'user', content: body.input }] : objects(body.input);
  for (const item of input) {
    const type = text(item.type) || 'message';
    const role = text(item.role);
    if (type === 'message' && (role === 'developer' || role === 'system')) system.push(...plainTexts(item.content));
    else if (type === 'message') {
      for (const part of contentParts(item.content)) said.push({ role, part: responsesPart(part) });
    } else if (type === 'function_call') {
      said.push({
        role: 'assistant',
        call: text(item.call_id),
        part: { call: text(item.name), input: looseArguments(item.arguments) },
      });
    } else if (type === 'function_call_output') {
      said.push({ role: 'result', call: text(item.call_id), part: { result: resultOf(item.output) } });
    } else if (type !== 'reasoning') said.push({ role: type, part: { other: item } });
  }
  const format = isObject(body.text) && isObject(body.text.format) ? body.text.format : undefined;
  const hasTools = list(body.tools).length > 0;
  return {
    system: joinedSystem(system),
    turns: turnsOf(said),
    ...toolMeaning(objects(body.tools), (tool) => tool.parameters),
    choice: hasTools ? chatChoice(body.tool_choice) : undefined,
    serial: hasTools && body.parallel_tool_calls === false ? true : undefined,
    format:
      format?.type === 'json_schema'
        ? { schema: schemaMeaning(format.schema) }
        : format?.type === 'json_object'
          ? { json: true }
          : undefined,
    model: body.model,
    stream: body.stream,
    store: body.store,
    include: body.include,
    effort: isObject(body.reasoning) ? body.reasoning.effort : undefined,
    instructions: typeof body.instructions === 'string',
    forbidden: ['max_output_tokens', 'temperature', 'top_p', 'stop', 'user', 'previous_response_id'].filter(
      (key) => key in body,
    ),
  } as Meaning;
}

function responsesPart(part: JsonObject): JsonObject {
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { text: text(part.text) };
    case 'refusal':
      return { text: text(part.refusal) };
    case 'input_image':
      return { media: text(part.image_url) };
    case 'input_file':
      return { media: text(part.file_data) || text(part.file_url) };
    default:
      return { other: part };
  }
}

function readEnvelope(body: JsonObject): Meaning {
  return {
    ...readGeminiBody(isObject(body.request) ? body.request : {}),
    project: body.project,
    model: body.model,
  } as Meaning;
}

function readGeminiBody(received: JsonObject): Meaning {
  const body = camel(received) as JsonObject;
  const said: Said[] = [];
  let unsigned = 0;
  const open: { name: string; id: string }[] = [];
  let calls = 0;
  for (const content of objects(body.contents)) {
    const role = text(content.role) === 'model' ? 'assistant' : 'user';
    for (const part of objects(content.parts)) {
      if (isObject(part.functionCall)) {
        const name = text(part.functionCall.name);
        const id = text(part.functionCall.id) || `call-${++calls}`;
        open.push({ name, id });
        if (text(part.thoughtSignature) === '') unsigned++;
        said.push({ role, call: id, part: { call: name, input: part.functionCall.args ?? {} } });
      } else if (isObject(part.functionResponse)) {
        const { name, id, response, parts } = part.functionResponse;
        const at = open.findIndex((call) => (text(id) ? call.id === id : call.name === name));
        const call = at < 0 ? undefined : open.splice(at, 1)[0];
        const result: JsonObject = { result: unwrapped(response ?? null) };
        const media = objects(parts).map(geminiMedia);
        said.push({ role: 'result', call: call?.id ?? `?${text(name)}`, part: result });
        for (const item of media) said.push({ role: 'user', part: item });
      } else if (part.thought !== true) said.push({ role, part: geminiPart(part) });
    }
  }
  const config = isObject(body.generationConfig) ? body.generationConfig : {};
  const declarations = objects(body.tools).flatMap((tool) => objects(tool.functionDeclarations));
  const calling =
    isObject(body.toolConfig) && isObject(body.toolConfig.functionCallingConfig)
      ? body.toolConfig.functionCallingConfig
      : {};
  const system = isObject(body.systemInstruction) ? body.systemInstruction.parts : body.systemInstruction;
  return {
    system: joinedSystem(plainTexts(system)),
    turns: turnsOf(said),
    ...toolMeaning(declarations, (tool) => tool.parametersJsonSchema ?? tool.parameters),
    choice: declarations.length > 0 ? geminiChoice(calling) : undefined,
    max: config.maxOutputTokens,
    temperature: config.temperature,
    top_p: config.topP,
    top_k: config.topK,
    stop: config.stopSequences,
    n: config.candidateCount === 1 ? undefined : config.candidateCount,
    seed: config.seed,
    presence_penalty: config.presencePenalty,
    frequency_penalty: config.frequencyPenalty,
    format: geminiFormat(config),
    thinking: isObject(config.thinkingConfig) ? config.thinkingConfig : undefined,
    safety: objects(body.safetySettings)
      .map((row) => `${text(row.category)}=${text(row.threshold)}`)
      .sort(),
    unsigned,
  } as Meaning;
}

function geminiPart(part: JsonObject): JsonObject {
  if (isObject(part.inlineData) || isObject(part.fileData)) return geminiMedia(part);
  return typeof part.text === 'string' ? { text: part.text } : { other: part };
}

function geminiMedia(part: JsonObject): JsonObject {
  if (isObject(part.inlineData))
    return { media: `data:${text(part.inlineData.mimeType)};base64,${text(part.inlineData.data)}` };
  return { media: text(isObject(part.fileData) ? part.fileData.fileUri : '') };
}

function geminiChoice(config: JsonObject): Json | undefined {
  const names = list(config.allowedFunctionNames);
  const mode = text(config.mode).toUpperCase();
  if (mode === 'NONE') return 'none';
  if (mode === 'ANY') return names.length === 1 ? { name: names[0] as Json } : 'required';
  return undefined;
}

function geminiFormat(config: JsonObject): Json | undefined {
  if (config.responseMimeType !== 'application/json') return undefined;
  const schema = config.responseJsonSchema ?? config.responseSchema;
  return schema === undefined ? { json: true } : { schema: schemaMeaning(schema) };
}

// Shared pieces

/** Results stand directly after their calls; neighbours of one role are one turn; call ids become numbers. */
function turnsOf(said: readonly Said[]): Json {
  const results = new Map<string, Said[]>();
  for (const item of said) {
    if (item.role === 'result') results.set(item.call ?? '', [...(results.get(item.call ?? '') ?? []), item]);
  }
  const placed = new Set<Said>();
  const turns: { role: string; parts: Json[] }[] = [];
  const add = (role: string, part: JsonObject) => {
    if (part.text === '') return;
    const last = turns.at(-1);
    if (last?.role === role) last.parts.push(part);
    else turns.push({ role, parts: [part] });
  };
  for (const item of said) {
    if (item.role === 'result') {
      if (!placed.has(item)) add('user', { orphan: item.part });
      continue;
    }
    if (item.call === undefined) {
      add(item.role, item.part);
      continue;
    }
    const result = results.get(item.call)?.find((candidate) => !placed.has(candidate));
    if (result) placed.add(result);
    add(item.role, { ...item.part, ...(result ? result.part : {}) });
  }
  return turns;
}

function toolMeaning(tools: JsonObject[], schemaOf: (tool: JsonObject) => Json | undefined): JsonObject {
  const functions = tools.filter(
    (tool) => text(tool.name) !== '' && (tool.type === undefined || tool.type === 'function' || tool.type === 'custom'),
  );
  if (functions.length === 0) return {};
  const meanings: JsonObject = {};
  for (const tool of functions) {
    meanings[text(tool.name)] = { description: text(tool.description), schema: schemaMeaning(schemaOf(tool)) };
  }
  return { tools: meanings };
}

/** A schema by properties, types, required, enum and items. */
export function schemaMeaning(schema: Json | undefined): Json {
  if (!isObject(schema)) return { type: 'object' };
  const result: JsonObject = {};
  const type = schema.type;
  if (typeof type === 'string') result.type = type.toLowerCase();
  else if (Array.isArray(type)) result.type = type.map((item) => text(item).toLowerCase());
  else if (isObject(schema.properties) || Object.keys(schema).length === 0) result.type = 'object';
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : [];
  if (properties.length > 0)
    result.properties = Object.fromEntries(properties.map(([key, value]) => [key, schemaMeaning(value)]));
  if (list(schema.required).length > 0) result.required = list(schema.required).map(text).sort();
  if (schema.enum !== undefined) result.enum = schema.enum;
  if (schema.items !== undefined) result.items = schemaMeaning(schema.items);
  return result;
}

function contentParts(content: Json | undefined): JsonObject[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : objects(content);
}

/** Texts of a string, of blocks, or of Gemini parts. */
function plainTexts(content: Json | undefined): string[] {
  if (typeof content === 'string') return [content];
  return objects(content).map((part) => text(part.text));
}

function joinedSystem(texts: readonly string[]): string | undefined {
  const joinedText = texts
    .filter((item) => item !== '')
    .join('\n')
    .replace(/\n+/g, '\n');
  return joinedText === '' ? undefined : joinedText;
}

/** Text, JSON and media of a tool result. */
function resultOf(content: Json | undefined): Json {
  if (!Array.isArray(content)) return unwrapped(content ?? '');
  const texts: string[] = [];
  const media: Json[] = [];
  for (const part of objects(content)) {
    if (typeof part.text === 'string') texts.push(part.text);
    else if (part.type === 'image_url') media.push(chatPart(part));
    else if (part.type === 'input_image' || part.type === 'input_file') media.push(responsesPart(part));
    else if (part.type === 'image' || part.type === 'document') media.push(claudePart(part));
  }
  const whole = unwrapped(texts.join('\n').replace(/\n+/g, '\n'));
  return media.length > 0 ? { text: whole, media } : whole;
}

/** Single-key wrappers and JSON in strings come off, as often as they are on. */
function unwrapped(value: Json): Json {
  if (typeof value === 'string') {
    const inner = /^\s*[[{"]/.test(value) ? parsed(value) : value;
    return inner === value ? value.replace(/\n+/g, '\n') : unwrapped(inner);
  }
  if (Array.isArray(value) && value.length > 0 && value.every(isTextPart)) {
    return unwrapped(
      objects(value)
        .map((part) => text(part.text))
        .join('\n'),
    );
  }
  if (isTextPart(value)) return unwrapped(value.text as Json);
  if (isObject(value)) {
    const keys = Object.keys(value);
    if (keys.length === 0) return '';
    const only = keys.length === 1 ? keys[0] : undefined;
    if (only === 'result' || only === 'output' || only === 'content') return unwrapped(value[only] as Json);
  }
  return value;
}

function isTextPart(value: Json): value is JsonObject {
  return (
    isObject(value) && typeof value.type === 'string' && value.type.endsWith('text') && typeof value.text === 'string'
  );
}

/** Arguments of history: `{}` and unreadable texts are what a target makes of them. */
function looseArguments(value: Json | undefined): Json {
  return parsed(value);
}

/** Gemini takes both spellings; data under schemas and arguments keeps its own. */
export function camel(value: Json): Json {
  if (Array.isArray(value)) return value.map(camel);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const name = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    result[name] = verbatim.has(name) ? member : camel(member);
  }
  return result;
}

const verbatim = new Set([
  'args',
  'response',
  'parameters',
  'parametersJsonSchema',
  'responseSchema',
  'responseJsonSchema',
  'data',
  'text',
]);
