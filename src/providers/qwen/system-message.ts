// Qwen caches prompts from a marker at the very start: all system text becomes one first message that begins with it
// (upstreams.md §2.9).
import type { Json, JsonObject } from '../../protocols/neutral.ts';
import { arrayOf, objectOf, textOf } from '../fields.ts';

const marker: JsonObject = { type: 'text', text: '', cache_control: { type: 'ephemeral' } };

/** The body with its system messages merged; text is never added. */
export function mergeSystemMessages(body: JsonObject): JsonObject {
  const messages = arrayOf(body.messages);
  const parts: Json[] = [marker];
  const others: Json[] = [];
  for (const message of messages) {
    const role = textOf(objectOf(message)?.role);
    if (role === 'system' || role === 'developer') parts.push(...contentParts(objectOf(message)?.content));
    else others.push(message);
  }
  return { ...body, messages: [{ role: 'system', content: parts }, ...others] };
}

function contentParts(content: Json | undefined): Json[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  return arrayOf(content).filter((part) => !isMarker(part));
}

function isMarker(part: Json): boolean {
  const object = objectOf(part);
  return object?.type === 'text' && object.text === '' && objectOf(object.cache_control)?.type === 'ephemeral';
}
