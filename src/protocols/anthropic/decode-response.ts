// A whole Messages API answer → the parts a stream would give.

import { asString, isObject } from '../json.ts';
import type { JsonObject, StreamPart } from '../neutral.ts';
import { errorStatus } from './error.ts';
import { readStopReason } from './stop-reason.ts';
import { readUsage } from './usage.ts';

export function decodeResponse(body: JsonObject): StreamPart[] {
  if (isObject(body.error)) {
    const kind = asString(body.error.type);
    const message = asString(body.error.message) ?? kind ?? 'upstream error';
    return [{ type: 'error', message, status: errorStatus(kind), ...(kind ? { kind } : {}) }];
  }
  const id = asString(body.id);
  const model = asString(body.model);
  const parts: StreamPart[] = [{ type: 'start', ...(id ? { id } : {}), ...(model ? { model } : {}) }];
  let index = 0;
  let called = false;
  for (const block of Array.isArray(body.content) ? body.content : []) {
    if (!isObject(block)) continue;
    const written = decodeBlock(block, index);
    if (written.length === 0) continue;
    parts.push(...written);
    called ||= block.type === 'tool_use';
    index++;
  }
  if (isObject(body.usage)) parts.push({ type: 'usage', usage: readUsage(body.usage) });
  const raw = asString(body.stop_reason);
  const stopSequence = asString(body.stop_sequence);
  // Neither content nor an end: not an answer; the caller treats a missing finish as a broken one (§8 row 6).
  if (raw === undefined && !Array.isArray(body.content)) return parts;
  parts.push({
    type: 'finish',
    reason: readStopReason(raw ?? 'end_turn', called),
    ...(stopSequence !== undefined ? { stopSequence } : {}),
    ...(raw !== undefined ? { raw } : {}),
  });
  return parts;
}

function decodeBlock(block: JsonObject, index: number): StreamPart[] {
  switch (block.type) {
    case 'text': {
      const text = asString(block.text) ?? '';
      return [
        { type: 'text-start', index },
        ...(text ? [delta('text-delta', index, text)] : []),
        { type: 'text-end', index },
      ];
    }
    case 'thinking': {
      const text = asString(block.thinking) ?? '';
      const signature = asString(block.signature);
      return [
        { type: 'reasoning-start', index },
        ...(text ? [delta('reasoning-delta', index, text)] : []),
        { type: 'reasoning-end', index, ...(signature ? { signature } : {}) },
      ];
    }
    case 'redacted_thinking':
      return [
        { type: 'reasoning-start', index, redacted: asString(block.data) ?? '' },
        { type: 'reasoning-end', index },
      ];
    case 'tool_use':
      return [
        { type: 'tool-start', index, id: asString(block.id) ?? '', name: asString(block.name) ?? '' },
        delta('tool-delta', index, JSON.stringify(block.input ?? {})),
        { type: 'tool-end', index },
      ];
    default:
      return [];
  }
}

function delta(type: 'text-delta' | 'reasoning-delta' | 'tool-delta', index: number, text: string): StreamPart {
  return { type, index, text };
}
