// What a Gemini body needs whoever wrote it: Gemini clients' own bodies get it here (protocols.md §4). Arguments are not
// changed; doing it twice is the same as once.
import { isObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';
import { field, listField, objectField } from './fields.ts';
import { defaultSafetySettings } from './safety.ts';
import { SKIP_SIGNATURE } from './signatures.ts';

/** Rules for `gemini`, `vertex` and `gemini-cli` upstreams. */
export function prepareGemini(body: JsonObject, provider?: string): JsonObject {
  const prepared = defaultSafetySettings(withContents(body, replaceSignature));
  return provider === 'gemini' || provider === 'vertex' ? withJsonSchemaAnswer(prepared) : prepared;
}

/** The public APIs read a whole JSON Schema only from `responseJsonSchema`; Code Assist does not know that name. */
function withJsonSchemaAnswer(body: JsonObject): JsonObject {
  const generation = objectField(body, 'generationConfig');
  const schema = generation ? field(generation, 'responseSchema') : undefined;
  if (!generation || schema === undefined || field(generation, 'responseJsonSchema') !== undefined) return body;
  const { responseSchema: _, response_schema: __, ...rest } = generation;
  const key = body.generationConfig === undefined ? 'generation_config' : 'generationConfig';
  return { ...body, [key]: { ...rest, responseJsonSchema: schema } };
}

/** Rules for antigravity, the schema reduction aside: no safety settings, the client's own signatures stay. */
export function prepareAntigravity(body: JsonObject): JsonObject {
  const { safetySettings: _, safety_settings: __, ...rest } = withContents(body, fillSignature);
  return rest;
}

/** Removes a last model turn that calls functions: nothing answers it (protocols.md §2.3). Changes the list. */
export function dropUnansweredCalls(contents: JsonObject[]): void {
  const last = contents.at(-1);
  if (last?.role === 'model' && listField(last, 'parts').some(isCall)) contents.pop();
}

function withContents(body: JsonObject, sign: (part: JsonObject) => JsonObject): JsonObject {
  if (!Array.isArray(body.contents)) return body;
  const contents: JsonObject[] = [];
  for (const content of body.contents) {
    if (!isObject(content)) continue;
    if (Array.isArray(content.parts) && content.parts.length === 0) continue;
    contents.push(prepareContent(content, sign));
  }
  dropUnansweredCalls(contents);
  return { ...body, contents };
}

function prepareContent(content: JsonObject, sign: (part: JsonObject) => JsonObject): JsonObject {
  const result: JsonObject = { ...content };
  if (content.role === 'function' || content.role === undefined || content.role === '') result.role = 'user';
  if (result.role === 'model' && Array.isArray(content.parts)) {
    result.parts = content.parts.map((part): Json => (isObject(part) ? sign(part) : part));
  }
  return result;
}

/**
 * Signatures are bound to the key that made them, and any of our credentials may serve the next turn: so every one in the
 * history gives way to the value that Gemini never checks (upstreams.md §2.5).
 */
function replaceSignature(part: JsonObject): JsonObject {
  return isCall(part) || field(part, 'thoughtSignature') !== undefined ? setSignature(part) : part;
}

/** Antigravity: only what is missing is filled in, on calls and on thoughts. */
function fillSignature(part: JsonObject): JsonObject {
  if (field(part, 'thoughtSignature')) return part;
  return isCall(part) || part.thought === true ? setSignature(part) : part;
}

function setSignature(part: JsonObject): JsonObject {
  const { thought_signature: _, ...rest } = part;
  return { ...rest, thoughtSignature: SKIP_SIGNATURE };
}

function isCall(part: Json): boolean {
  return isObject(part) && objectField(part, 'functionCall') !== undefined;
}
