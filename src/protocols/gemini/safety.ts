// Safety settings for clients that gave none (protocols.md §2.1).

import type { Json, JsonObject } from '../neutral.ts';
import { field } from './fields.ts';

const DEFAULTS: ReadonlyArray<readonly [category: string, threshold: string]> = [
  ['HARM_CATEGORY_HARASSMENT', 'OFF'],
  ['HARM_CATEGORY_HATE_SPEECH', 'OFF'],
  ['HARM_CATEGORY_SEXUALLY_EXPLICIT', 'OFF'],
  ['HARM_CATEGORY_DANGEROUS_CONTENT', 'OFF'],
  ['HARM_CATEGORY_CIVIC_INTEGRITY', 'BLOCK_NONE'],
];

/** Body with the defaults where the client said nothing; for gemini, vertex and gemini-cli, not for antigravity. */
export function defaultSafetySettings(body: JsonObject): JsonObject {
  if (field(body, 'safetySettings') !== undefined) return body;
  const safetySettings: Json[] = DEFAULTS.map(([category, threshold]) => ({ category, threshold }));
  return { ...body, safetySettings };
}
