// Stop reasons of the Messages API ↔ ours (protocols.md §3.1).
import type { FinishReason } from '../neutral.ts';

const READ = new Map<string, FinishReason>(
  Object.entries({
    end_turn: 'stop',
    max_tokens: 'length',
    model_context_window_exceeded: 'length',
    stop_sequence: 'stop-sequence',
    tool_use: 'tool-calls',
    pause_turn: 'pause',
    refusal: 'refusal',
  } as const),
);

const WRITE: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  'tool-calls': 'tool_use',
  'content-filter': 'refusal',
  'stop-sequence': 'stop_sequence',
  refusal: 'refusal',
  pause: 'pause_turn',
  other: 'end_turn',
};

/** A normal end while calls exist is a tool call, whatever the upstream called it. */
export function readStopReason(reason: string, called: boolean): FinishReason {
  const known = READ.get(reason) ?? 'other';
  return known === 'stop' && called ? 'tool-calls' : known;
}

export function writeStopReason(reason: FinishReason, called: boolean): string {
  return called && (reason === 'stop' || reason === 'other') ? 'tool_use' : WRITE[reason];
}
