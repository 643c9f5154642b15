// Answers of generateContent.
import { type Answer, answer, type Block, collapsed, type DataEvent, merged } from './answer-parts.ts';
import { isObject, type Json, type JsonObject, objects, text } from './format.ts';

// Gemini

export function readGemini(body: JsonObject): Answer {
  const candidate = objects(body.candidates)[0] ?? {};
  const parts = isObject(candidate.content) ? candidate.content.parts : [];
  return answer(body, geminiBlocks(parts), text(candidate.finishReason), body.usageMetadata);
}

function geminiBlocks(parts: Json | undefined): Block[] {
  return objects(parts).flatMap((part): Block[] => {
    if (isObject(part.functionCall)) {
      const { id, name, args } = part.functionCall;
      return [{ kind: 'tool', id: text(id), name: text(name), input: args ?? {} }];
    }
    if (isObject(part.inlineData)) {
      return [{ kind: 'image', text: `data:${text(part.inlineData.mimeType)};base64,${text(part.inlineData.data)}` }];
    }
    return [{ kind: part.thought === true ? 'thinking' : 'text', text: text(part.text) }];
  });
}

export function readGeminiStream(events: DataEvent[]): Answer {
  const body: JsonObject = {};
  const parts: Json[] = [];
  const kinds: string[] = [];
  let finish = '';
  let error: Json | undefined;
  let candidate: JsonObject = {};
  for (const { data } of events) {
    if (!isObject(data)) continue;
    if (data.error !== undefined && data.error !== null) {
      error = data.error;
      kinds.push('error');
      continue;
    }
    for (const [key, value] of Object.entries(data)) if (key !== 'candidates' && value !== null) body[key] = value;
    const first = objects(data.candidates)[0];
    if (!first) continue;
    const content = isObject(first.content) ? first.content : {};
    for (const block of merged(geminiBlocks(content.parts))) kinds.push(block.kind);
    for (const part of objects(content.parts)) addPart(parts, part);
    if (typeof first.finishReason === 'string') {
      finish = first.finishReason;
      kinds.push('finish');
    }
    candidate = {
      ...candidate,
      ...first,
      content: { ...(isObject(candidate.content) ? candidate.content : {}), ...content },
    };
  }
  body.candidates = [{ ...candidate, content: { ...(isObject(candidate.content) ? candidate.content : {}), parts } }];
  return { ...readGemini(body), finish, error, kinds: collapsed(kinds) };
}

function addPart(parts: Json[], part: JsonObject): void {
  const last = parts.at(-1);
  const plain = (value: JsonObject) => typeof value.text === 'string' && value.thoughtSignature === undefined;
  if (part.text === '' && part.thoughtSignature === undefined) return;
  if (
    isObject(last as Json) &&
    plain(last as JsonObject) &&
    typeof part.text === 'string' &&
    (last as JsonObject).thought === part.thought
  ) {
    parts[parts.length - 1] = { ...(last as JsonObject), ...part, text: text((last as JsonObject).text) + part.text };
  } else parts.push(part);
}
