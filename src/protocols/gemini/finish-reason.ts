// Finish reasons of generateContent ↔ ours (protocols.md §3.1; @google/genai `FinishReason`).
import type { FinishReason } from '../neutral.ts';

const READ = new Map<string, FinishReason>(
  Object.entries({
    STOP: 'stop',
    MAX_TOKENS: 'length',
    SAFETY: 'content-filter',
    RECITATION: 'content-filter',
    LANGUAGE: 'content-filter',
    BLOCKLIST: 'content-filter',
    PROHIBITED_CONTENT: 'content-filter',
    SPII: 'content-filter',
    IMAGE_SAFETY: 'content-filter',
    IMAGE_PROHIBITED_CONTENT: 'content-filter',
    IMAGE_RECITATION: 'content-filter',
    MODEL_ARMOR: 'content-filter',
    MALFORMED_FUNCTION_CALL: 'other',
    UNEXPECTED_TOOL_CALL: 'other',
    IMAGE_OTHER: 'other',
    NO_IMAGE: 'other',
    OTHER: 'other',
  } as const),
);

const WRITE: Readonly<Record<FinishReason, string>> = {
  stop: 'STOP',
  length: 'MAX_TOKENS',
  'tool-calls': 'STOP',
  'content-filter': 'SAFETY',
  'stop-sequence': 'STOP',
  refusal: 'SAFETY',
  pause: 'STOP',
  other: 'OTHER',
};

export function readFinishReason(reason: string, called: boolean): FinishReason {
  const known = READ.get(reason) ?? 'other';
  return known === 'stop' && called ? 'tool-calls' : known;
}

/** `raw` is kept when it is Gemini's own word for the same reason. */
export function writeFinishReason(reason: FinishReason, raw: string | undefined): string {
  return raw !== undefined && READ.get(raw) === reason ? raw : WRITE[reason];
}
