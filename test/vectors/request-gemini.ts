// What a Gemini upstream was asked, bare or in an envelope.
import { isObject, type Json, type JsonObject, list, objects, text } from './format.ts';
import {
  joinedSystem,
  type Meaning,
  plainTexts,
  type Said,
  schemaMeaning,
  toolMeaning,
  turnsOf,
  unwrapped,
} from './request-parts.ts';

export function readEnvelope(body: JsonObject): Meaning {
  return {
    ...readGeminiBody(isObject(body.request) ? body.request : {}),
    project: body.project,
    model: body.model,
  } as Meaning;
}

export function readGeminiBody(received: JsonObject): Meaning {
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
