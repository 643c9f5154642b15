import type { FinishReason, StreamPart, Usage } from './neutral.ts';

/** A whole answer, folded from its parts, in block order. */
export interface Answer {
  id?: string;
  model?: string;
  created?: number;
  blocks: AnswerBlock[];
  usage?: Usage;
  finish?: { reason: FinishReason; stopSequence?: string; raw?: string };
}

export type AnswerBlock =
  | { type: 'text'; text: string; signature?: string }
  | { type: 'refusal'; text: string }
  | { type: 'reasoning'; text: string; signature?: string; redacted?: string; id?: string }
  | { type: 'tool-call'; id: string; name: string; arguments: string; signature?: string }
  | { type: 'file'; mediaType: string; base64: string };

/** Folds parts to a whole answer. `error` parts are the caller's business and are skipped. */
export function foldAnswer(parts: readonly StreamPart[]): Answer {
  const answer: Answer = { blocks: [] };
  const open = new Map<number, AnswerBlock>();
  const add = (index: number, block: AnswerBlock): void => {
    open.set(index, block);
    answer.blocks.push(block);
  };
  for (const part of parts) {
    switch (part.type) {
      case 'start':
        answer.id = part.id ?? answer.id;
        answer.model = part.model ?? answer.model;
        answer.created = part.created ?? answer.created;
        break;
      case 'text-start':
        add(part.index, { type: 'text', text: '' });
        break;
      case 'refusal-start':
        add(part.index, { type: 'refusal', text: '' });
        break;
      case 'reasoning-start':
        add(part.index, { type: 'reasoning', text: '', redacted: part.redacted, id: part.id });
        break;
      case 'tool-start':
        add(part.index, {
          type: 'tool-call',
          id: part.id,
          name: part.name,
          arguments: '',
          signature: part.signature,
        });
        break;
      case 'file':
        add(part.index, { type: 'file', mediaType: part.mediaType, base64: part.base64 });
        break;
      case 'text-delta':
      case 'refusal-delta':
      case 'reasoning-delta': {
        const block = open.get(part.index);
        if (block && 'text' in block) block.text += part.text;
        break;
      }
      case 'tool-delta': {
        const block = open.get(part.index);
        if (block?.type === 'tool-call') block.arguments += part.text;
        break;
      }
      case 'text-end':
      case 'reasoning-end':
      case 'tool-end': {
        const block = open.get(part.index);
        if (block && 'signature' in part && part.signature !== undefined) {
          (block as { signature?: string }).signature = part.signature;
        }
        break;
      }
      case 'usage':
        answer.usage = part.usage;
        break;
      case 'finish':
        answer.finish = { reason: part.reason, stopSequence: part.stopSequence, raw: part.raw };
        break;
    }
  }
  return answer;
}
