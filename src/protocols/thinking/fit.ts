// Fits a wish to what the model can do (upstreams.md §4.4).
import type { ModelInfo, ThinkingSupport } from '../../credentials/credential.ts';
import { invalidRequest } from '../../failure.ts';
import type { Thinking } from '../neutral.ts';
import type { ThinkingDialect } from './dialect.ts';
import { budgetOf, isLevel, ladder, levelOf, lowestLevel, nearestLevel } from './levels.ts';
import type { ThinkingIntent } from './read.ts';

/** What to write. `remove`: take every thinking field out. `hidden`: the client wanted none, so no thoughts are shown. */
export type FittedThinking =
  | { type: 'remove' }
  | { type: 'adaptive' }
  | (Thinking & { type: 'off' | 'auto' })
  | { type: 'level'; level: string; hidden?: boolean }
  | { type: 'budget'; tokens: number; hidden?: boolean };

export interface FitOptions {
  dialect: ThinkingDialect;
  /** Client and upstream speak for the same vendor family: wrong values are the client's fault, not ours to bend. */
  sameFamily: boolean;
  /** The wish stands in the model name; budgets out of range are clamped then. */
  fromSuffix: boolean;
}

/** Throws a 400 `Failure` for a value the model does not take (rules 4 and 5). */
export function fitThinking(intent: ThinkingIntent, model: ModelInfo | undefined, options: FitOptions): FittedThinking {
  const support = model?.thinking;
  if (support === null) return { type: 'remove' };
  if (support === undefined) return unchecked(intent, options.dialect);
  const strict = options.sameFamily && model?.userDefined !== true;
  switch (intent.type) {
    case 'adaptive':
      return fitAdaptive(support, options);
    case 'off':
      return fitOff(support, options.dialect);
    case 'auto':
      return fitAuto(support);
    case 'level':
      return fitLevel(intent.level, support, strict);
    case 'budget':
      return fitBudget(intent.tokens, support, strict && !options.fromSuffix);
  }
}

/** Models that only the user knows: the wish goes up as it is, turned into the target's own form. */
function unchecked(intent: ThinkingIntent, dialect: ThinkingDialect): FittedThinking {
  if (intent.type !== 'adaptive') return isGemini(dialect) ? levelAsBudget(intent) : intent;
  if (dialect === 'claude') return intent;
  return isGemini(dialect) ? { type: 'auto' } : { type: 'level', level: 'xhigh' };
}

function levelAsBudget(intent: Thinking): FittedThinking {
  return intent.type === 'level' && isLevel(intent.level) ? { type: 'budget', tokens: budgetOf(intent.level) } : intent;
}

/** Adaptive without an effort: xhigh for OpenAI-like targets, the whole budget for Gemini (protocols.md §2.5). */
function fitAdaptive(support: ThinkingSupport, options: FitOptions): FittedThinking {
  if (options.dialect === 'claude' && hasLevels(support)) return { type: 'adaptive' };
  if (hasBudget(support) && (isGemini(options.dialect) || options.dialect === 'claude')) {
    return { type: 'budget', tokens: support.max ?? 0 };
  }
  return fitLevel('xhigh', support, false);
}

/** Rules 7 and 8. */
function fitOff(support: ThinkingSupport, dialect: ThinkingDialect): FittedThinking {
  if (dialect === 'claude' || dialect === 'kimi' || dialect === 'iflow') return { type: 'off' };
  if (hasLevels(support)) {
    const listed = support.levels?.includes('none') === true;
    if (!isGemini(dialect) && (support.zeroAllowed || listed)) return { type: 'off' };
    const level = lowestLevel(support.levels ?? []);
    return level === undefined ? { type: 'off' } : { type: 'level', level, hidden: true };
  }
  return support.zeroAllowed ? { type: 'off' } : { type: 'budget', tokens: support.min ?? 0, hidden: true };
}

/** Rule 6. */
function fitAuto(support: ThinkingSupport): FittedThinking {
  if (support.dynamicAllowed || support.levels?.includes('auto')) return { type: 'auto' };
  if (hasBudget(support)) return { type: 'budget', tokens: Math.floor(((support.min ?? 0) + (support.max ?? 0)) / 2) };
  return fitLevel('medium', support, false);
}

/** Rules 1 and 4. */
function fitLevel(level: string, support: ThinkingSupport, strict: boolean): FittedThinking {
  if (!hasLevels(support)) {
    if (!isLevel(level)) throw unsupported(level, ladder);
    return hasBudget(support) ? fitBudget(budgetOf(level), support, false) : { type: 'level', level };
  }
  const supported = support.levels ?? [];
  if (supported.includes(level)) return { type: 'level', level };
  const nearest = !strict && isLevel(level) ? nearestLevel(level, supported) : undefined;
  if (nearest === undefined) throw unsupported(level, supported);
  return { type: 'level', level: nearest };
}

/** Rules 2 and 5. */
function fitBudget(tokens: number, support: ThinkingSupport, strict: boolean): FittedThinking {
  if (!hasBudget(support)) {
    if (!hasLevels(support)) return { type: 'budget', tokens };
    return fitLevel(levelOf(tokens), support, false);
  }
  const min = support.min ?? 0;
  const max = support.max ?? 0;
  if (strict && (tokens < min || tokens > max)) {
    throw invalidRequest(`budget ${tokens} out of range [${min},${max}]`);
  }
  return { type: 'budget', tokens: Math.min(Math.max(tokens, min), max) };
}

function unsupported(level: string, supported: readonly string[]): Error {
  return invalidRequest(`level "${level}" not supported, valid levels: ${supported.join(', ')}`);
}

export function hasLevels(support: ThinkingSupport): boolean {
  return (support.levels?.length ?? 0) > 0;
}

function hasBudget(support: ThinkingSupport): boolean {
  return (support.max ?? 0) > 0;
}

function isGemini(dialect: ThinkingDialect): boolean {
  return dialect === 'gemini' || dialect === 'gemini-envelope';
}
