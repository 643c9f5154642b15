// Pieces that requests of all upstream protocols are made of.
import { parsed } from './answer-parts.ts';
import { isObject, type Json, type JsonObject, list, objects, text } from './format.ts';

/** Meaning of a request; members that say nothing are absent. */
export type Meaning = JsonObject;

/** One thing said, with the role that said it. */
export interface Said {
  role: string;
  part: JsonObject;
  /** Call id, for linking. */
  call?: string;
}

/** Results stand directly after their calls; neighbours of one role are one turn; call ids become numbers. */
export function turnsOf(said: readonly Said[]): Json {
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

export function toolMeaning(tools: JsonObject[], schemaOf: (tool: JsonObject) => Json | undefined): JsonObject {
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

export function contentParts(content: Json | undefined): JsonObject[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : objects(content);
}

/** Texts of a string, of blocks, or of Gemini parts. */
export function plainTexts(content: Json | undefined): string[] {
  if (typeof content === 'string') return [content];
  return objects(content).map((part) => text(part.text));
}

export function joinedSystem(texts: readonly string[]): string | undefined {
  const joinedText = texts
    .filter((item) => item !== '')
    .join('\n')
    .replace(/\n+/g, '\n');
  return joinedText === '' ? undefined : joinedText;
}

/** Text, JSON and media of a tool result. */
export function resultOf(content: Json | undefined): Json {
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
export function unwrapped(value: Json): Json {
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
export function looseArguments(value: Json | undefined): Json {
  return parsed(value);
}

export function chatPart(part: JsonObject): JsonObject {
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

export function responsesPart(part: JsonObject): JsonObject {
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

export function claudePart(block: JsonObject): JsonObject {
  const source = isObject(block.source) ? block.source : {};
  if (block.type === 'text') return { text: text(block.text) };
  if (block.type !== 'image' && block.type !== 'document') return { other: block };
  if (source.type === 'base64') return { media: `data:${text(source.media_type)};base64,${text(source.data)}` };
  if (source.type === 'text') return { text: text(source.data) };
  return { media: text(source.url) };
}
