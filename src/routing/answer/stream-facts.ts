// What must be known about a stream that is passed through unread: where its content, usage, errors and end are.
// Source: spec/upstreams.md §1.7, §1.8, §8 rows 2–8; spec/protocols.md §3.3, §3.4.
import type { ProtocolId, Usage } from '../../protocols/neutral.ts';

type Obj = Record<string, unknown>;

export interface EventFacts {
  /** The model began to answer: from here on the answer is this one. */
  content: boolean;
  /** The native end (finish reason, stop event); a terminator may follow. */
  end: boolean;
  /** Nothing follows this event. */
  terminator?: boolean;
  error: boolean;
  usage?: Usage;
  /** `usage` completes an earlier one instead of replacing it. */
  merge?: boolean;
  /** A chunk that holds usage and nothing else. */
  usageOnly?: boolean;
}

export interface StreamFacts {
  /**
   * Found in every event with usage, an error or an end, and seldom elsewhere: only then events are parsed. One expression
   * for all marks, none beginning with a quote: five searches for quoted names were two fifths of a flat-out stream.
   */
  marks: RegExp;
  read(json: Obj): EventFacts;
  /** What the upstream left out at the end, given whether its terminator was seen. */
  missingEnding(sawTerminator: boolean): string;
}

const object = (value: unknown): Obj | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Obj) : undefined;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const count = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
const filled = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** OpenAI chat `usage`, in either spelling. */
export function openaiUsage(value: unknown): Usage | undefined {
  const usage = object(value);
  if (usage === undefined) return undefined;
  const inputDetails = object(usage.prompt_tokens_details) ?? object(usage.input_tokens_details);
  const outputDetails = object(usage.completion_tokens_details) ?? object(usage.output_tokens_details);
  const input = count(usage.prompt_tokens ?? usage.input_tokens);
  const output = count(usage.completion_tokens ?? usage.output_tokens);
  return {
    input,
    output,
    cacheRead: count(inputDetails?.cached_tokens),
    reasoning: count(outputDetails?.reasoning_tokens),
    total: count(usage.total_tokens) || input + output,
  };
}

/** Anthropic `usage`: its input leaves cached and written tokens out, ours counts them in. */
export function anthropicUsage(value: unknown, earlier?: Usage): Usage | undefined {
  const usage = object(value);
  if (usage === undefined) return undefined;
  const tellsInput = usage.input_tokens !== undefined && usage.input_tokens !== null;
  const cacheRead =
    usage.cache_read_input_tokens === undefined ? (earlier?.cacheRead ?? 0) : count(usage.cache_read_input_tokens);
  const cacheWrite =
    usage.cache_creation_input_tokens === undefined
      ? (earlier?.cacheWrite ?? 0)
      : count(usage.cache_creation_input_tokens);
  const input = tellsInput ? count(usage.input_tokens) + cacheRead + cacheWrite : (earlier?.input ?? 0);
  const output = count(usage.output_tokens) || (earlier?.output ?? 0);
  return { input, output, cacheRead, cacheWrite, total: input + output };
}

/** Gemini `usageMetadata`: its candidates leave thoughts out, our output counts them in. */
export function geminiUsage(value: unknown): Usage | undefined {
  const usage = object(value);
  if (usage === undefined) return undefined;
  const input = count(usage.promptTokenCount) + count(usage.toolUsePromptTokenCount);
  const reasoning = count(usage.thoughtsTokenCount);
  const output = count(usage.candidatesTokenCount) + reasoning;
  return {
    input,
    output,
    reasoning,
    cacheRead: count(usage.cachedContentTokenCount),
    total: count(usage.totalTokenCount) || input + output,
  };
}

const responsesEnds: ReadonlySet<unknown> = new Set(['response.completed', 'response.incomplete', 'response.done']);
const responsesOpening: ReadonlySet<unknown> = new Set(['response.created', 'response.in_progress', 'response.queued']);

function chatContent(choice: Obj): boolean {
  if (filled(choice.text)) return true;
  const delta = object(choice.delta);
  if (delta === undefined) return false;
  return (
    filled(delta.content) ||
    filled(delta.reasoning_content) ||
    filled(delta.reasoning) ||
    filled(delta.refusal) ||
    list(delta.tool_calls).length > 0 ||
    list(delta.images).length > 0 ||
    object(delta.function_call) !== undefined ||
    (Array.isArray(delta.content) && delta.content.length > 0) ||
    object(delta.audio) !== undefined
  );
}

export const streamFacts: Record<ProtocolId, StreamFacts> = {
  'openai-chat': {
    marks: /error"|usage"\s*:\s*[^n\s]|\[DONE\]|finish_reason"\s*:\s*"/g,
    read(json) {
      const choices = list(json.choices).map(object);
      const usage = openaiUsage(json.usage);
      return {
        content: choices.some((choice) => choice !== undefined && chatContent(choice)),
        end: choices.some((choice) => filled(choice?.finish_reason)),
        error: object(json.error) !== undefined || (filled(json.error) && choices.length === 0),
        usage,
        usageOnly: usage !== undefined && choices.length === 0,
      };
    },
    missingEnding: (sawTerminator) => (sawTerminator ? '' : 'data: [DONE]\n\n'),
  },
  anthropic: {
    marks: /error"|usage"|message_stop/g,
    read(json) {
      const usage = json.type === 'message_start' ? anthropicUsage(object(json.message)?.usage) : undefined;
      return {
        content:
          json.type === 'content_block_start' || json.type === 'content_block_delta' || json.type === 'message_delta',
        end: json.type === 'message_stop',
        terminator: json.type === 'message_stop',
        error: json.type === 'error' || (object(json.error) !== undefined && json.type === undefined),
        usage: usage ?? (json.type === 'message_delta' ? partialAnthropic(json.usage) : undefined),
        merge: true,
      };
    },
    missingEnding: () => '',
  },
  gemini: {
    marks: /error"|usageMetadata"|finishReason"|blockReason"/g,
    read(json) {
      const candidates = list(json.candidates).map(object);
      const blocked = filled(object(json.promptFeedback)?.blockReason);
      return {
        content: blocked || candidates.some((candidate) => list(object(candidate?.content)?.parts).length > 0),
        end: blocked || candidates.some((candidate) => filled(candidate?.finishReason)),
        error: object(json.error) !== undefined,
        usage: geminiUsage(json.usageMetadata),
      };
    },
    missingEnding: () => '',
  },
  'openai-responses': {
    marks: /error"|usage"\s*:\s*\{|response\.(?:completed|incomplete|done|failed)"/g,
    read(json) {
      const end = responsesEnds.has(json.type);
      return {
        content: !responsesOpening.has(json.type) && typeof json.type === 'string' && json.type.startsWith('response.'),
        end,
        terminator: end,
        error:
          json.type === 'error' ||
          json.type === 'response.failed' ||
          (json.type === undefined && object(json.error) !== undefined),
        usage: end ? openaiUsage(object(json.response)?.usage) : undefined,
      };
    },
    missingEnding: () => '',
  },
};

/** `message_delta.usage` may repeat the input counts or not: only what it tells is merged. */
function partialAnthropic(value: unknown): Usage | undefined {
  const usage = object(value);
  if (usage === undefined) return undefined;
  const told = anthropicUsage(usage) as Usage;
  const known: Partial<Usage> = { output: told.output };
  if (typeof usage.input_tokens === 'number' && usage.input_tokens > 0) {
    known.input = told.input;
    known.cacheRead = told.cacheRead;
    known.cacheWrite = told.cacheWrite;
  }
  return known as Usage;
}

/** Usage of a whole answer. */
export const wholeUsage: Record<ProtocolId, (json: Obj) => Usage | undefined> = {
  'openai-chat': (json) => openaiUsage(json.usage),
  'openai-responses': (json) => openaiUsage(json.usage),
  anthropic: (json) => anthropicUsage(json.usage),
  gemini: (json) => geminiUsage(json.usageMetadata),
};
