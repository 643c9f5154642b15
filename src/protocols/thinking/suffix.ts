// The thinking suffix of a model name: `gpt-5.1(high)`, `gemini-2.5-pro(8192)` (upstreams.md §4.1).
import type { Thinking } from '../neutral.ts';
import { isLevel } from './levels.ts';

export interface SuffixedModel {
  /** Name without the suffix. */
  base: string;
  /** What the suffix asks for; absent when there is none or it means nothing. */
  thinking?: Thinking;
  /** Text in the parentheses, as written. */
  suffix?: string;
}

/** Splits at the last `(` when the name ends with `)`. A suffix that means nothing is taken off all the same. */
export function splitSuffix(model: string): SuffixedModel {
  if (!model.endsWith(')')) return { base: model };
  const open = model.lastIndexOf('(');
  if (open <= 0) return { base: model };
  const suffix = model.slice(open + 1, -1);
  return { base: model.slice(0, open), suffix, thinking: parseSuffix(suffix) };
}

function parseSuffix(text: string): Thinking | undefined {
  const value = text.trim().toLowerCase();
  if (value === 'none') return { type: 'off' };
  if (value === 'auto' || value === '-1') return { type: 'auto' };
  if (isLevel(value)) return { type: 'level', level: value };
  if (!/^\d{1,15}$/.test(value)) return undefined;
  const tokens = Number(value);
  return tokens === 0 ? { type: 'off' } : { type: 'budget', tokens };
}
