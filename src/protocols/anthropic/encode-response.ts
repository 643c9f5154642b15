// Parts of a whole answer → Messages API body (protocols.md §3.2).

import type { AnswerBlock } from '../fold.ts';
import { foldAnswer } from '../fold.ts';
import { parseObject } from '../json.ts';
import type { Json, JsonObject, StreamPart } from '../neutral.ts';
import type { AnswerContext } from '../protocol.ts';
import { messageId } from './ids.ts';
import { writeStopReason } from './stop-reason.ts';
import { writeUsage } from './usage.ts';

export function encodeResponse(parts: readonly StreamPart[], context: AnswerContext): JsonObject {
  const answer = foldAnswer(parts);
  const content: Json[] = [];
  let called = false;
  for (const block of answer.blocks) {
    called ||= block.type === 'tool-call';
    const written = writeBlock(block);
    if (written !== undefined) content.push(written);
  }
  return {
    id: answer.id || messageId(context),
    type: 'message',
    role: 'assistant',
    model: context.model,
    content,
    stop_reason: writeStopReason(answer.finish?.reason ?? 'other', called),
    stop_sequence: answer.finish?.stopSequence ?? null,
    usage: writeUsage(answer.usage),
  };
}

function writeBlock(block: AnswerBlock): Json | undefined {
  switch (block.type) {
    case 'text':
    case 'refusal':
      return block.text === '' ? undefined : { type: 'text', text: block.text };
    case 'reasoning':
      if (block.redacted !== undefined) return { type: 'redacted_thinking', data: block.redacted };
      if (block.text === '' && !block.signature) return undefined;
      return { type: 'thinking', thinking: block.text, signature: block.signature ?? '' };
    case 'tool-call':
      return { type: 'tool_use', id: block.id, name: block.name, input: parseObject(block.arguments) ?? {} };
    case 'file':
      // The protocol has no place for media in an answer.
      return undefined;
  }
}
