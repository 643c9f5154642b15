// Vectors we hold to be wrong, each with the official contract that says so. Must stay very few.
const noReasoningCount =
  "Anthropic's `usage` has no count of thinking tokens (@anthropic-ai/sdk `Usage`), and a count must not be made up " +
  '(protocols.md §3.3); the recorded number is an estimate of the reference';

export const disputed: Readonly<Record<string, string>> = {
  'responses__claude/rep/thinking_text': noReasoningCount,
  'responses__claude/rep/thinking_tool': noReasoningCount,
  'responses__claude/rep/thinking_text_tool': noReasoningCount,
  'responses__claude/rep/interleaved': noReasoningCount,
  'openai__openai-compat/req/reasoning_effort_high_adaptive':
    'the client asked for the alias `mock-large` and knows no other name: aliases are shown as `model` (upstreams.md §1.1, §8 row 20)',
};
