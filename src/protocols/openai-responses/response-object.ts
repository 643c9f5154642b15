// The `response` object of answers and lifecycle events: what is echoed from the request, what the type requires.
import { randomId } from '../call-id.ts';
import { asObject } from '../json.ts';
import type { FinishReason, Json, JsonObject, Usage } from '../neutral.ts';
import type { AnswerContext } from '../protocol.ts';
import { encodeUsage } from './usage.ts';

/** Members of the request that the API repeats in every response object. */
const echoed: readonly string[] = [
  'background',
  'max_output_tokens',
  'max_tool_calls',
  'previous_response_id',
  'prompt_cache_key',
  'safety_identifier',
  'service_tier',
  'store',
  'text',
  'top_logprobs',
  'truncation',
  'user',
];

export interface ResponseFacts {
  id?: string;
  model?: string;
  /** Unix s. */
  created?: number;
}

/** Everything but `status`, `output` and `usage`; built once per answer. */
export function responseBase(context: AnswerContext, facts: ResponseFacts): JsonObject {
  const sent = context.request?.extras?.['openai-responses'] ?? {};
  const base: JsonObject = {
    id: facts.id?.startsWith('resp_') ? facts.id : `resp_${newId(context)}`,
    object: 'response',
    created_at: facts.created ?? Math.floor((context.now ?? Date.now)() / 1000),
    model: context.model || facts.model || '',
    instructions: sent.instructions ?? null,
    metadata: sent.metadata ?? {},
    parallel_tool_calls: sent.parallel_tool_calls ?? true,
    reasoning: asObject(sent.reasoning) ?? { effort: null, summary: null },
    temperature: sent.temperature ?? null,
    text: { format: { type: 'text' } },
    tool_choice: sent.tool_choice ?? 'auto',
    tools: sent.tools ?? [],
    top_p: sent.top_p ?? null,
    truncation: 'disabled',
  };
  for (const key of echoed) {
    const value = sent[key];
    if (value !== undefined && value !== null) base[key] = value;
  }
  return base;
}

export function newId(context: AnswerContext): string {
  return (context.newId ?? randomId)();
}

/** How an answer ended, in this API's words (protocols.md §3.1). */
export interface Ending {
  status: 'completed' | 'incomplete';
  details: Json;
}

const incompleteReasons: Partial<Record<FinishReason, string>> = {
  length: 'max_output_tokens',
  'content-filter': 'content_filter',
  refusal: 'content_filter',
};

export function endingOf(reason: FinishReason): Ending {
  const why = incompleteReasons[reason];
  return why === undefined
    ? { status: 'completed', details: null }
    : { status: 'incomplete', details: { reason: why } };
}

export function usageMember(usage: Usage | undefined): Json {
  return usage === undefined ? null : encodeUsage(usage);
}
