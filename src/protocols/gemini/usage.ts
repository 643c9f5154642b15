// Token counts of generateContent ↔ ours (protocols.md §3.3): Gemini's candidates are without thoughts, its prompt has the cache in it.

import type { JsonObject, Usage } from '../neutral.ts';
import { numberField } from './fields.ts';

export function readUsage(metadata: JsonObject): Usage {
  const prompt =
    (numberField(metadata, 'promptTokenCount') ?? 0) + (numberField(metadata, 'toolUsePromptTokenCount') ?? 0);
  const thoughts = numberField(metadata, 'thoughtsTokenCount');
  const total = numberField(metadata, 'totalTokenCount');
  const cached = numberField(metadata, 'cachedContentTokenCount');
  const candidates =
    numberField(metadata, 'candidatesTokenCount') ?? Math.max(0, (total ?? 0) - prompt - (thoughts ?? 0));
  const usage: Usage = { input: prompt, output: candidates + (thoughts ?? 0) };
  if (cached !== undefined) usage.cacheRead = cached;
  if (thoughts !== undefined) usage.reasoning = thoughts;
  if (total !== undefined) usage.total = total;
  return usage;
}

export function writeUsage(usage: Usage): JsonObject {
  const metadata: JsonObject = {
    promptTokenCount: usage.input,
    candidatesTokenCount: Math.max(0, usage.output - (usage.reasoning ?? 0)),
    totalTokenCount: usage.total ?? usage.input + usage.output,
  };
  if (usage.cacheRead) metadata.cachedContentTokenCount = usage.cacheRead;
  if (usage.reasoning) metadata.thoughtsTokenCount = usage.reasoning;
  return metadata;
}
