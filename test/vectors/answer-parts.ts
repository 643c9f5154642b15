// The one form of an answer, and the steps that readers of all protocols share.
import { isObject, type Json, type JsonObject, type WireEvent } from './format.ts';

export type Block =
  | { kind: 'text'; text: string }
  | { kind: 'thinking'; text: string }
  | { kind: 'redacted'; text: string }
  | { kind: 'refusal'; text: string }
  | { kind: 'tool'; id: string; name: string; input: Json }
  | { kind: 'image'; text: string };

export interface Answer {
  blocks: Block[];
  finish: string;
  usage: JsonObject | undefined;
  /** The whole assembled body. */
  body: JsonObject;
  /** An error event, or undefined. */
  error: Json | undefined;
  /** Kinds of events in order, repeats collapsed; empty for a body. */
  kinds: string[];
}

export interface DataEvent {
  event: string;
  data: Json;
}

/** Events of a recorded stream; `{raw}` pieces are not expected in client answers. */
export function dataEvents(events: readonly WireEvent[]): DataEvent[] {
  return events.flatMap((event) => ('raw' in event ? [] : [{ event: event.event ?? '', data: event.data }]));
}

export function answer(body: JsonObject, blocks: Block[], finish: string, usage: Json | undefined): Answer {
  const error = isObject(body.error) ? body.error : undefined;
  return { blocks: merged(blocks), finish, usage: isObject(usage) ? usage : undefined, body, error, kinds: [] };
}

/** Neighbours of one kind are one block; empty ones are none. */
export function merged(blocks: Block[]): Block[] {
  const result: Block[] = [];
  for (const block of blocks) {
    if ('text' in block && block.text === '') continue;
    const last = result.at(-1);
    if (last && last.kind === block.kind && (block.kind === 'text' || block.kind === 'refusal')) {
      (last as { text: string }).text += block.text;
    } else if (last && last.kind === 'thinking' && block.kind === 'thinking') {
      last.text += block.text;
    } else result.push({ ...block });
  }
  return result;
}

/** Arguments text as JSON; what is not JSON stays text, nothing is `{}`. */
export function parsed(value: Json | undefined): Json {
  if (typeof value !== 'string') return value ?? {};
  if (value.trim() === '') return {};
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}

export function collapsed(kinds: readonly string[]): string[] {
  return kinds.filter((kind, index) => kind !== kinds[index - 1]);
}
