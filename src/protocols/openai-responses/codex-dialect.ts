// What the Codex backend takes of a Responses body, and what it refuses (upstreams.md §2.3, protocols.md §2.1).
import { asObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';

/** Set on every generate call: the backend answers as a stream only and keeps nothing. */
export const codexFixed = {
  stream: true,
  store: false,
  include: ['reasoning.encrypted_content'],
};

/** The backend answers 400 to these. */
const refused: readonly string[] = [
  'max_output_tokens',
  'max_completion_tokens',
  'max_tokens',
  'temperature',
  'top_p',
  'truncation',
  'user',
  'context_management',
  'stop',
  'n',
  'seed',
  'presence_penalty',
  'frequency_penalty',
];

/** Removed last, also when a payload rule put them in. */
const refusedAfterRules: readonly string[] = [
  'previous_response_id',
  'prompt_cache_retention',
  'safety_identifier',
  'stream_options',
];

/** Old names of the search tool. */
const searchTools: ReadonlySet<Json> = new Set(['web_search_preview', 'web_search_preview_2025_03_11']);

/**
 * A Responses client's own body, made fit for the Codex backend. Unknown members stay. Gives a new object; the
 * argument is not changed. `compact`: the body of `/responses/compact`, where only the model and `stream` matter.
 */
export function codexBody(body: JsonObject, options: { model?: string; compact?: boolean } = {}): JsonObject {
  const result: JsonObject = { ...body };
  if (options.model !== undefined) result.model = options.model;
  if (typeof result.instructions !== 'string') result.instructions = '';
  if (options.compact) {
    delete result.stream;
    return result;
  }
  result.input = codexInput(body.input);
  for (const key of refused) delete result[key];
  if (result.service_tier !== 'priority') delete result.service_tier;
  if (Array.isArray(body.tools)) result.tools = body.tools.map(codexTool);
  if (asObject(body.tool_choice)) result.tool_choice = codexTool(body.tool_choice as JsonObject);
  result.parallel_tool_calls = body.parallel_tool_calls !== false;
  Object.assign(result, codexFixed);
  return codexAfterRules(result);
}

/** Edits that must hold whatever payload rules did. Changes and gives back `body`. */
export function codexAfterRules(body: JsonObject): JsonObject {
  for (const key of refusedAfterRules) delete body[key];
  body.stream = true;
  if (typeof body.instructions !== 'string') body.instructions = '';
  return body;
}

function codexInput(input: Json | undefined): Json {
  if (typeof input === 'string') {
    return [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }];
  }
  if (!Array.isArray(input)) return [];
  return input.map((item) =>
    asObject(item)?.role === 'system' ? { ...(item as JsonObject), role: 'developer' } : item,
  );
}

function codexTool(tool: Json): Json {
  const object = asObject(tool);
  if (!object) return tool;
  const renamed = searchTools.has(object.type ?? null) ? { ...object, type: 'web_search' } : object;
  // `allowed_tools` as a choice lists tools once more.
  return Array.isArray(renamed.tools) ? { ...renamed, tools: renamed.tools.map(codexTool) } : renamed;
}
