// Levels and token budgets of thought, and the way from one to the other (upstreams.md §4.2).
import type { ThinkingLevel } from '../neutral.ts';

/** From least to most. */
export const ladder: readonly ThinkingLevel[] = ['minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

const budgets: Record<ThinkingLevel, number> = {
  minimal: 512,
  low: 1024,
  medium: 8192,
  high: 24576,
  xhigh: 32768,
  max: 128000,
};

export function isLevel(text: string): text is ThinkingLevel {
  return Object.hasOwn(budgets, text);
}

/** Tokens a level stands for. */
export function budgetOf(level: ThinkingLevel): number {
  return budgets[level];
}

/** The level a positive budget stands for; a budget never means `max`. */
export function levelOf(tokens: number): ThinkingLevel {
  return ladder.slice(0, 4).find((level) => tokens <= budgets[level]) ?? 'xhigh';
}

/** The supported level nearest to `wanted`, the lower one of two equally near; undefined when none is supported. */
export function nearestLevel(wanted: ThinkingLevel, supported: readonly string[]): ThinkingLevel | undefined {
  const rank = ladder.indexOf(wanted);
  let best: ThinkingLevel | undefined;
  let distance = Number.POSITIVE_INFINITY;
  for (const [index, level] of ladder.entries()) {
    if (supported.includes(level) && Math.abs(index - rank) < distance) {
      best = level;
      distance = Math.abs(index - rank);
    }
  }
  return best;
}

/** The least level a model has. */
export function lowestLevel(supported: readonly string[]): ThinkingLevel | undefined {
  return ladder.find((level) => supported.includes(level));
}
