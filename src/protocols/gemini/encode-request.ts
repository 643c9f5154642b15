// Neutral form → Gemini generateContent request body (protocols.md §2). Thinking is written by `thinking/`.
import { asObject, parseObject } from '../json.ts';
import { mediaTypeByName } from '../media.ts';
import type {
  ChatRequest,
  FilePart,
  Json,
  JsonObject,
  Message,
  Part,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../neutral.ts';
import type { EncodeTarget } from '../protocol.ts';
import { wireToolNames } from '../tool-names.ts';
import { defaultSafetySettings } from './safety.ts';
import { dropUnansweredCalls } from './same-protocol.ts';
import { SKIP_SIGNATURE } from './signatures.ts';

interface Wire {
  readonly names: ReadonlyMap<string, string>;
  /** Antigravity links calls and results by id; the others by name and order. */
  readonly ids: boolean;
  /** Claude behind a Gemini envelope: its own signed thoughts are valid there. */
  readonly claude: boolean;
  /** Position of each call, for results in the order of their calls. */
  readonly order: ReadonlyMap<string, number>;
}

/** Neutral form → inner Gemini body; envelopes, thinking and the dialect's last rules are the provider's. */
export function encodeRequest(request: ChatRequest, target: EncodeTarget): JsonObject {
  const wire: Wire = {
    names: wireToolNames(request, target),
    ids: target.provider === 'antigravity',
    claude: target.provider === 'antigravity' && target.model.includes('claude'),
    order: callOrder(request),
  };
  const system: Json[] = [];
  const contents: JsonObject[] = [];
  for (const { role, parts } of joinTurns(request.messages, system)) {
    const written = writeParts(parts, wire);
    if (written.length > 0) contents.push({ role: role === 'assistant' ? 'model' : 'user', parts: written });
  }
  dropUnansweredCalls(contents);
  const { generationConfig, toolConfig, ...extras } = request.extras?.gemini ?? {};
  const body: JsonObject = { ...extras, contents };
  // System text alone becomes the user's (§2.2): a request needs a turn.
  if (contents.length === 0) contents.push({ role: 'user', parts: system.length > 0 ? system : [{ text: '' }] });
  else if (system.length > 0) body.systemInstruction = { role: 'user', parts: system };
  writeTools(request, body, wire, toolConfig);
  const generation = writeGeneration(request, generationConfig);
  if (Object.keys(generation).length > 0) body.generationConfig = generation;
  return target.provider === 'antigravity' ? body : defaultSafetySettings(body);
}

function callOrder(request: ChatRequest): Map<string, number> {
  const order = new Map<string, number>();
  for (const message of request.messages) {
    for (const part of message.parts) if (part.type === 'tool-call') order.set(part.id, order.size);
  }
  return order;
}

/**
 * Turns without the system text, which goes to `system`. Neighbouring tool messages are one turn and neighbouring model
 * turns too: Gemini wants as many results in a turn as the turn before it has calls.
 */
function joinTurns(messages: readonly Message[], system: Json[]): Message[] {
  const turns: Message[] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (message.role === 'system' || message.role === 'developer') {
      for (const part of message.parts) {
        if (part.type === 'text' && part.text !== '') system.push({ text: wellFormed(part.text) });
      }
    } else if (last && last.role === message.role && message.role !== 'user') {
      turns[turns.length - 1] = { role: message.role, parts: [...last.parts, ...message.parts] };
    } else turns.push(message);
  }
  return turns;
}

/** Results first and in the order of their calls, since without ids the order links them; then everything else. */
function writeParts(parts: readonly Part[], wire: Wire): Json[] {
  const results: Array<{ at: number; json: Json }> = [];
  const others: Json[] = [];
  for (const part of parts) {
    if (part.type !== 'tool-result') {
      others.push(...writePart(part, wire));
      continue;
    }
    results.push({ at: wire.order.get(part.callId) ?? 0, json: writeResult(part, wire) });
    for (const item of part.content) if (item.type === 'file') others.push(...writeFile(item));
  }
  results.sort((a, b) => a.at - b.at);
  return [...results.map((result) => result.json), ...others];
}

function writePart(part: Part, wire: Wire): Json[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [signed({ text: wellFormed(part.text) }, part)];
    case 'refusal':
      return part.text === '' ? [] : [{ text: wellFormed(part.text) }];
    case 'file':
      return writeFile(part);
    case 'tool-call':
      return [writeCall(part, wire)];
    case 'tool-result':
      return [writeResult(part, wire)];
    case 'reasoning':
      // Thoughts of a foreign model are never sent (§2.3).
      if (part.redacted !== undefined || (part.origin !== 'gemini' && !(wire.claude && part.origin === 'anthropic')))
        return [];
      if (wire.claude && !part.signature) return [];
      return [signed({ text: part.text, thought: true }, part)];
  }
}

function writeCall(part: ToolCallPart, wire: Wire): Json {
  const call: JsonObject = { name: wire.names.get(part.name) ?? part.name, args: parseObject(part.arguments) ?? {} };
  if (wire.ids && part.id) call.id = part.id;
  return { functionCall: call, thoughtSignature: part.signature || SKIP_SIGNATURE };
}

function writeResult(part: ToolResultPart, wire: Wire): Json {
  const response: JsonObject = {
    name: wire.names.get(part.name) ?? (part.name || 'unknown'),
    response: asObject(part.json) ?? { result: resultText(part.content) },
  };
  if (wire.ids && part.callId) response.id = part.callId;
  return { functionResponse: response };
}

function resultText(content: ReadonlyArray<TextPart | FilePart>): string {
  return wellFormed(content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n'));
}

/** Lone surrogates are refused upstream; U+FFFD stands for them (§2.3). */
function wellFormed(text: string): string {
  return text.toWellFormed();
}

function writeFile(part: FilePart): Json[] {
  const { data, mediaType } = part;
  switch (data.kind) {
    case 'base64':
      return [{ inlineData: { mimeType: mediaType || 'application/octet-stream', data: data.base64 } }];
    case 'url': {
      const guessed = mediaTypeByName(data.url);
      const mimeType = mediaType === 'image/*' ? (guessed ?? 'image/jpeg') : mediaType || guessed;
      return [{ fileData: { ...(mimeType ? { mimeType } : {}), fileUri: data.url } }];
    }
    case 'text':
      return [{ text: data.text }];
    case 'id':
      // A file id of another provider means nothing here.
      return [];
  }
}

function signed(json: JsonObject, part: { signature?: string }): Json {
  if (part.signature) json.thoughtSignature = part.signature;
  return json;
}

const MODES = { auto: 'AUTO', none: 'NONE', required: 'ANY', tool: 'ANY' } as const;

function writeTools(request: ChatRequest, body: JsonObject, wire: Wire, toolConfig: Json | undefined): void {
  const declarations: Json[] = [];
  const tools: Json[] = [];
  for (const tool of request.tools) {
    if (tool.type === 'function') {
      declarations.push({
        name: wire.names.get(tool.name) ?? tool.name,
        ...(tool.description !== undefined ? { description: tool.description } : {}),
        parametersJsonSchema: tool.parameters ?? { type: 'object', properties: {} },
      });
    } else if (tool.protocol === 'gemini') tools.push({ [tool.kind]: tool.raw });
  }
  if (declarations.length > 0) tools.unshift({ functionDeclarations: declarations });
  if (tools.length > 0) body.tools = tools;
  const choice = declarations.length > 0 ? request.toolChoice : undefined;
  if (!choice && !toolConfig) return;
  const config: JsonObject = { ...asObject(toolConfig) };
  if (choice) {
    const allowed: JsonObject =
      choice.type === 'tool' ? { allowedFunctionNames: [wire.names.get(choice.name) ?? choice.name] } : {};
    config.functionCallingConfig = { mode: MODES[choice.type], ...allowed };
  }
  body.toolConfig = config;
}

function writeGeneration(request: ChatRequest, extras: Json | undefined): JsonObject {
  const generation: JsonObject = { ...asObject(extras) };
  const members = {
    maxOutputTokens: request.maxTokens,
    temperature: request.temperature,
    topP: request.topP,
    topK: request.topK,
    candidateCount: request.candidates,
    seed: request.seed,
    presencePenalty: request.presencePenalty,
    frequencyPenalty: request.frequencyPenalty,
    responseLogprobs: request.logprobs,
    logprobs: request.topLogprobs,
  };
  for (const [name, value] of Object.entries(members)) if (value !== undefined) generation[name] = value;
  if (request.stop && request.stop.length > 0) generation.stopSequences = request.stop;
  if (request.responseFormat?.type === 'json') {
    generation.responseMimeType = 'application/json';
    if (request.responseFormat.schema !== undefined) generation.responseJsonSchema = request.responseFormat.schema;
  }
  return generation;
}
