// Ids that we make when the upstream told none.
import { randomId } from '../call-id.ts';
import type { AnswerContext } from '../protocol.ts';

export function messageId(context: AnswerContext): string {
  return `msg_${context.newId ? context.newId() : randomId()}`;
}
