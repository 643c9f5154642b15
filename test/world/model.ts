// The mock model. Whatever the protocol, it answers `[provider/account/model] echo: <last user text>` and more when
// asked: `use-tool` (call the first tool), `use-tools-2` (two in parallel), `think` (reasoning), `long-N` (N pieces).
import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '../../src/protocols/neutral.ts';
import type { Call } from './call.ts';

/** What was understood of a request. */
export interface Ask {
  model: string;
  stream: boolean;
  lastText: string;
  system: string;
  /** Fingerprints. */
  images: string[];
  tools: string[];
  toolResult: string;
  /** The last message holds a tool's result. */
  afterTool: boolean;
  messages: number;
  includeUsage: boolean;
}

export interface ToolUse {
  id: string;
  name: string;
  arguments: string;
}

export interface Answer {
  text: string[];
  reasoning: string[];
  tools: ToolUse[];
  finish: 'stop' | 'length' | 'tool-calls';
  usage: { input: number; output: number; cached: number; reasoning: number };
}

export function emptyAsk(): Ask {
  return {
    model: '',
    stream: false,
    lastText: '',
    system: '',
    images: [],
    tools: [],
    toolResult: '',
    afterTool: false,
    messages: 0,
    includeUsage: false,
  };
}

export function answerTo(call: Call): Answer {
  const ask = call.ask ?? emptyAsk();
  const change = call.script?.action.reply;
  const wanted = ask.lastText.includes('use-tools-2') ? 2 : ask.lastText.includes('use-tool') ? 1 : 0;
  const tools =
    change?.toolCalls?.map((tool) => ({ ...tool })) ??
    (ask.afterTool
      ? []
      : ask.tools.slice(0, wanted).map((name, i) => ({
          id: `call_${call.entry.id}_${i}`,
          name,
          arguments: JSON.stringify({ q: `v${i}`, n: i + 1 }),
        })));
  const thinks = change?.reasoning === undefined && ask.lastText.includes('think');
  const reasoning = change?.reasoning !== undefined ? [change.reasoning] : thinks ? ['thinking about ', 'it'] : [];
  const text = change?.text ?? (tools.length > 0 ? '' : echo(call, ask));
  const count = change?.chunks ?? Number(/long-(\d+)/.exec(ask.lastText)?.[1] ?? 4);
  return {
    text: splitText(text.padEnd(text === '' ? 0 : count, '.'), count),
    reasoning,
    tools,
    finish: change?.finish ?? (tools.length > 0 ? 'tool-calls' : 'stop'),
    usage: { input: 11, output: 7, cached: 3, reasoning: reasoning.length > 0 ? 2 : 0 },
  };
}

function echo(call: Call, ask: Ask): string {
  const images = ask.images.length > 0 ? ` images=${ask.images.join(',')}` : '';
  const result = ask.toolResult === '' ? '' : ` tool_result=${ask.toolResult}`;
  // The tail has characters of 2, 3 and 4 bytes: whoever cuts bytes carelessly breaks it.
  return `[${call.entry.provider}/${call.entry.account}/${ask.model}] echo: ${ask.lastText}${images}${result} ✓é漢😀`;
}

/** About `count` pieces of equal length, never inside a character. */
export function splitText(text: string, count: number): string[] {
  const characters = [...text];
  const pieces = Math.max(1, Math.min(count, characters.length));
  const list: string[] = [];
  for (let i = 0; i < pieces; i++) {
    const from = Math.floor((i * characters.length) / pieces);
    const to = Math.floor(((i + 1) * characters.length) / pieces);
    if (to > from) list.push(characters.slice(from, to).join(''));
  }
  return list;
}

/** First 8 hex of the SHA-256 of an image given as base64, data URL or URL. */
export function fingerprint(image: string): string {
  const base64 = /^data:[^,]*;base64,(.*)$/s.exec(image)?.[1] ?? image;
  const bytes = /^[A-Za-z0-9+/=\s]+$/.test(base64) ? Buffer.from(base64, 'base64') : Buffer.from(image);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 8);
}

/** One server-sent event. */
export function sse(data: Json, event = ''): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${event === '' ? '' : `event: ${event}\n`}data: ${text}\n\n`;
}

export function asObject(value: Json | undefined): JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
}

export function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
