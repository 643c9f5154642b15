// Finish reasons of chat completions (protocols.md §3.1).
import { lookup } from '../json.ts';
import type { FinishReason } from '../neutral.ts';

const decoded: Record<string, FinishReason> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  function_call: 'tool-calls',
  content_filter: 'content-filter',
};

const encoded: Record<FinishReason, string> = {
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
  'stop-sequence': 'stop',
  refusal: 'content_filter',
  pause: 'stop',
  other: 'stop',
};

/** A normal end with calls is `tool-calls`, whatever word the server chose. */
export function decodeFinish(raw: string | undefined, calls: boolean): FinishReason {
  const reason = raw === undefined ? 'stop' : (lookup(decoded, raw) ?? 'other');
  return reason === 'stop' && calls ? 'tool-calls' : reason;
}

export function encodeFinish(reason: FinishReason, calls: boolean): string {
  const word = encoded[reason];
  return word === 'stop' && calls ? 'tool_calls' : word;
}
