// Ids that we make when the upstream told none.
import { randomId } from '../call-id.ts';
import type { AnswerContext } from '../protocol.ts';

export function responseId(context: AnswerContext): string {
  return context.newId ? context.newId() : randomId();
}
