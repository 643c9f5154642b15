// A local estimate of how many tokens a request has, for upstreams without a counting endpoint (upstreams.md §1.12).
// Splits text as the byte-pair encodings do before merging, and prices each piece by its script and length: within
// about ten percent of o200k and cl100k on prose, code and JSON, without carrying their megabytes of merges.
import type { Json, JsonObject } from '../protocols/neutral.ts';
import { arrayOf, objectOf } from './fields.ts';

type Encoding = 'o200k' | 'cl100k';

/** Which vocabulary a model counts with. */
export function encodingOf(model: string): Encoding {
  if (model === '') return 'cl100k';
  if (/^(gpt-5|gpt-4\.1|gpt-4o|o1|o3|o4)/.test(model)) return 'o200k';
  return /^gpt-[34]/.test(model) ? 'cl100k' : 'o200k';
}

/** Tokens of an OpenAI chat body. */
export function estimateTokens(model: string, body: JsonObject): number {
  return countText(chatTexts(body).join('\n'), encodingOf(model));
}

/** Words with one leading sign, numbers of three digits, runs of signs, line ends, spaces: the encodings' own split. */
const pieces =
  /[^\r\n\p{L}\p{N}]?\p{Lu}?[\p{Ll}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

export function countText(text: string, encoding: Encoding): number {
  let tokens = 0;
  for (const [piece] of text.matchAll(pieces)) tokens += priceOf(piece, encoding);
  return Math.ceil(tokens);
}

/** Average characters per token, by script; the newer vocabulary knows other scripts better. */
const perToken: Record<Encoding, { cjk: number; kana: number; hangul: number; cyrillic: number; other: number }> = {
  o200k: { cjk: 1.43, kana: 1.5, hangul: 1.65, cyrillic: 5.6, other: 3 },
  cl100k: { cjk: 0.87, kana: 1.0, hangul: 1.05, cyrillic: 2.2, other: 1.2 },
};

function priceOf(piece: string, encoding: Encoding): number {
  const length = piece.length;
  if (isAscii(piece)) {
    if (/[0-9]/.test(piece) || /^\s+$/.test(piece)) return 1;
    if (/[A-Za-z]/.test(piece)) return priceOfWord(piece);
    return piece.trim().length <= 3 ? 1 : Math.ceil(piece.length / 3.4);
  }
  const rates = perToken[encoding];
  if (/\p{Script=Han}/u.test(piece)) return Math.max(1, length / rates.cjk);
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(piece)) return Math.max(1, length / rates.kana);
  if (/\p{Script=Hangul}/u.test(piece)) return Math.max(1, length / rates.hangul);
  if (/\p{Script=Cyrillic}|\p{Script=Greek}/u.test(piece)) return Math.max(1, length / rates.cyrillic);
  if (/\p{Script=Latin}/u.test(piece)) return Math.max(1, length / (encoding === 'o200k' ? 3.2 : 2.7));
  if (/\p{Extended_Pictographic}/u.test(piece)) return Math.max(1, length * 0.9);
  return Math.max(1, length / rates.other);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Words up to about nine letters are mostly whole tokens; longer ones, capitals and mixtures fall apart. */
function priceOfWord(piece: string): number {
  const letters = piece.replace(/^[^A-Za-z]/, '');
  if (/^[A-Z]{2,}$/.test(letters)) return Math.max(1, letters.length / 2.6);
  if (letters.length <= 7) return 1.02;
  if (letters.length <= 11) return 1.15;
  return letters.length / 6;
}

/** Everything of a chat body that costs tokens; base64 data and URLs of images do not go through the vocabulary. */
function chatTexts(body: JsonObject): string[] {
  const texts: string[] = [];
  const add = (value: Json | undefined): void => {
    const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
    const trimmed = text.trim();
    if (trimmed !== '') texts.push(trimmed);
  };
  for (const item of arrayOf(body.messages)) {
    const message = objectOf(item);
    if (!message) continue;
    add(message.role);
    add(message.name);
    addContent(message.content, add);
    add(message.tool_call_id);
    for (const call of arrayOf(message.tool_calls)) addCall(objectOf(call), add);
  }
  for (const item of arrayOf(body.tools)) {
    const tool = objectOf(item);
    add(tool?.type);
    addFunction(objectOf(tool?.function), add);
  }
  for (const item of arrayOf(body.functions)) addFunction(objectOf(item), add);
  for (const key of ['tool_choice', 'response_format', 'input', 'prompt']) add(body[key]);
  return texts;
}

type Add = (value: Json | undefined) => void;

function addContent(content: Json | undefined, add: Add): void {
  if (typeof content === 'string') add(content);
  for (const item of arrayOf(content)) {
    const part = objectOf(item);
    add(part?.text);
    const url = objectOf(part?.image_url)?.url;
    if (typeof url === 'string' && !url.startsWith('data:')) add(url);
  }
}

function addCall(call: JsonObject | undefined, add: Add): void {
  add(call?.id);
  add(call?.type);
  const called = objectOf(call?.function);
  add(called?.name);
  add(called?.arguments);
}

function addFunction(declared: JsonObject | undefined, add: Add): void {
  add(declared?.name);
  add(declared?.description);
  add(declared?.parameters);
}
