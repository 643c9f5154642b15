// Parts of a whole answer → generateContent body (protocols.md §3.2).

import type { AnswerBlock } from '../fold.ts';
import { foldAnswer } from '../fold.ts';
import { parseObject } from '../json.ts';
import type { Json, JsonObject, StreamPart } from '../neutral.ts';
import type { AnswerContext } from '../protocol.ts';
import { writeFinishReason } from './finish-reason.ts';
import { responseId } from './ids.ts';
import { writeUsage } from './usage.ts';

export function encodeResponse(parts: readonly StreamPart[], context: AnswerContext): JsonObject {
  const answer = foldAnswer(parts);
  const body: JsonObject = {
    candidates: [
      {
        content: { role: 'model', parts: answer.blocks.flatMap(writeBlock) },
        finishReason: writeFinishReason(answer.finish?.reason ?? 'other', answer.finish?.raw),
        index: 0,
      },
    ],
    modelVersion: context.model,
    responseId: answer.id || responseId(context),
  };
  if (answer.usage) body.usageMetadata = writeUsage(answer.usage);
  return body;
}

function writeBlock(block: AnswerBlock): Json[] {
  switch (block.type) {
    case 'text':
      return block.text === '' ? [] : [{ text: block.text }];
    case 'refusal':
      return block.text === '' ? [] : [{ text: block.text }];
    case 'reasoning':
      return block.text === '' ? [] : [{ text: block.text, thought: true }];
    case 'tool-call':
      return [writeCall(block.name, block.arguments, block.signature)];
    case 'file':
      return [{ inlineData: { mimeType: block.mediaType, data: block.base64 } }];
  }
}

/** The protocol has no call ids for its clients (§2.4). */
export function writeCall(name: string, args: string, signature: string | undefined): JsonObject {
  const part: JsonObject = { functionCall: { name, args: parseObject(args) ?? {} } };
  if (signature) part.thoughtSignature = signature;
  return part;
}
