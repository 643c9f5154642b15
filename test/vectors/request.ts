// What an upstream was asked, in one form for all upstream protocols (protocols.md §6, comparison rules 2 and 3).
import { isObject, type Json, type JsonObject, list, objects, text, type UpstreamName } from './format.ts';
import { readEnvelope, readGeminiBody } from './request-gemini.ts';
import {
  chatPart,
  claudePart,
  contentParts,
  joinedSystem,
  looseArguments,
  type Meaning,
  plainTexts,
  responsesPart,
  resultOf,
  type Said,
  schemaMeaning,
  toolMeaning,
  turnsOf,
} from './request-parts.ts';

export { camel } from './request-gemini.ts';
export type { Meaning } from './request-parts.ts';
export { schemaMeaning } from './request-parts.ts';

/** Everything a `core` comparison looks at. `loose` names aspects that are left out. */
export function meaningOf(upstream: UpstreamName, body: JsonObject, loose: readonly string[] = []): Meaning {
  const meaning = readers[upstream](body);
  for (const aspect of loose) {
    for (const key of looseKeys[aspect] ?? [aspect]) delete meaning[key];
  }
  return Object.fromEntries(
    Object.entries(meaning).filter(([, value]) => value !== undefined && value !== null),
  ) as Meaning;
}

const looseKeys: Record<string, string[]> = {
  max: ['max'],
  tools: ['tools', 'cache'],
  turns: ['turns'],
  system: ['system'],
  tool_choice: ['choice'],
};

const readers: Record<UpstreamName, (body: JsonObject) => Meaning> = {
  'openai-compat': readChat,
  claude: readMessages,
  codex: readCodex,
  gemini: readGeminiBody,
  vertex: readGeminiBody,
  'gemini-cli': readEnvelope,
  antigravity: readEnvelope,
  none: () => ({}),
};

function readChat(body: JsonObject): Meaning {
  const system: string[] = [];
  const said: Said[] = [];
  for (const message of objects(body.messages)) {
    const role = text(message.role);
    if (role === 'system' || role === 'developer') {
      system.push(...plainTexts(message.content));
      continue;
    }
    if (role === 'tool') {
      said.push({ role: 'result', call: text(message.tool_call_id), part: { result: resultOf(message.content) } });
      continue;
    }
    for (const part of contentParts(message.content)) said.push({ role, part: chatPart(part) });
    if (text(message.refusal)) said.push({ role, part: { text: text(message.refusal) } });
    for (const call of objects(message.tool_calls)) {
      const fn = isObject(call.function) ? call.function : {};
      said.push({ role, call: text(call.id), part: { call: text(fn.name), input: looseArguments(fn.arguments) } });
    }
  }
  const tools = objects(body.tools).map((tool) => (isObject(tool.function) ? tool.function : tool));
  return {
    system: joinedSystem(system),
    turns: turnsOf(said),
    ...toolMeaning(tools, (tool) => tool.parameters),
    choice: list(body.tools).length > 0 ? chatChoice(body.tool_choice) : undefined,
    serial: list(body.tools).length > 0 && body.parallel_tool_calls === false ? true : undefined,
    max: body.max_completion_tokens ?? body.max_tokens,
    temperature: body.temperature,
    top_p: body.top_p,
    stop: typeof body.stop === 'string' ? [body.stop] : body.stop,
    n: body.n === 1 ? undefined : body.n,
    seed: body.seed,
    presence_penalty: body.presence_penalty,
    frequency_penalty: body.frequency_penalty,
    format: chatFormat(body.response_format),
    model: body.model,
    stream: body.stream === true,
    include_usage:
      body.stream === true ? isObject(body.stream_options) && body.stream_options.include_usage === true : undefined,
    effort: body.reasoning_effort,
  } as Meaning;
}

function chatChoice(choice: Json | undefined): Json | undefined {
  if (typeof choice === 'string') return choice === 'auto' ? undefined : choice;
  if (!isObject(choice)) return undefined;
  const fn = isObject(choice.function) ? choice.function : choice;
  return { name: text(fn.name) };
}

function chatFormat(format: Json | undefined): Json | undefined {
  if (!isObject(format) || format.type === 'text') return undefined;
  const schema = isObject(format.json_schema) ? format.json_schema : undefined;
  return schema ? { schema: schemaMeaning(schema.schema) } : { json: true };
}

function readMessages(body: JsonObject): Meaning {
  const said: Said[] = [];
  for (const message of objects(body.messages)) {
    const role = text(message.role);
    for (const block of contentParts(message.content)) {
      if (block.type === 'thinking' || block.type === 'redacted_thinking') continue;
      if (block.type === 'tool_use') {
        said.push({ role, call: text(block.id), part: { call: text(block.name), input: block.input ?? {} } });
      } else if (block.type === 'tool_result') {
        said.push({ role: 'result', call: text(block.tool_use_id), part: { result: resultOf(block.content) } });
      } else said.push({ role, part: claudePart(block) });
    }
  }
  const choice = isObject(body.tool_choice) ? body.tool_choice : undefined;
  const thinking = isObject(body.thinking) ? body.thinking : undefined;
  const hasTools = list(body.tools).length > 0;
  return {
    system: joinedSystem(plainTexts(body.system)),
    turns: turnsOf(said),
    ...toolMeaning(objects(body.tools), (tool) => tool.input_schema),
    choice: hasTools ? claudeChoice(choice) : undefined,
    serial: hasTools && choice?.disable_parallel_tool_use === true ? true : undefined,
    max: body.max_tokens,
    temperature: body.temperature,
    top_p: body.top_p,
    top_k: body.top_k,
    stop: body.stop_sequences,
    model: body.model,
    thinking: thinking ? (thinking as Json) : undefined,
    effort: isObject(body.output_config) ? body.output_config.effort : undefined,
    cache: cacheMarks(body),
  } as Meaning;
}

function claudeChoice(choice: JsonObject | undefined): Json | undefined {
  if (choice?.type === 'any') return 'required';
  if (choice?.type === 'none') return 'none';
  return choice?.type === 'tool' ? { name: text(choice.name) } : undefined;
}

/** Where the cache breakpoints are: section and place from its end, so that merged turns do not matter. */
function cacheMarks(body: JsonObject): Json {
  const marks: string[] = [];
  const look = (section: string, blocks: Json | undefined) => {
    const all = objects(blocks);
    all.forEach((block, index) => {
      if (isObject(block.cache_control))
        marks.push(`${section}:${index - all.length}:${text(block.cache_control.ttl)}`);
    });
  };
  look('tools', body.tools);
  look('system', body.system);
  const messages = objects(body.messages);
  const users = messages.filter((message) => message.role === 'user');
  for (const message of messages) {
    const place = message.role === 'user' ? users.indexOf(message) - users.length : 0;
    look(`${text(message.role)}:${place}`, message.content);
  }
  return marks;
}

function readCodex(body: JsonObject): Meaning {
  const system: string[] = [text(body.instructions)];
  const said: Said[] = [];
  const input: JsonObject[] =
    typeof body.input === 'string' ? [{ type: 'message', role: 'user', content: body.input }] : objects(body.input);
  for (const item of input) {
    const type = text(item.type) || 'message';
    const role = text(item.role);
    if (type === 'message' && (role === 'developer' || role === 'system')) system.push(...plainTexts(item.content));
    else if (type === 'message') {
      for (const part of contentParts(item.content)) said.push({ role, part: responsesPart(part) });
    } else if (type === 'function_call') {
      said.push({
        role: 'assistant',
        call: text(item.call_id),
        part: { call: text(item.name), input: looseArguments(item.arguments) },
      });
    } else if (type === 'function_call_output') {
      said.push({ role: 'result', call: text(item.call_id), part: { result: resultOf(item.output) } });
    } else if (type !== 'reasoning') said.push({ role: type, part: { other: item } });
  }
  const format = isObject(body.text) && isObject(body.text.format) ? body.text.format : undefined;
  const hasTools = list(body.tools).length > 0;
  return {
    system: joinedSystem(system),
    turns: turnsOf(said),
    ...toolMeaning(objects(body.tools), (tool) => tool.parameters),
    choice: hasTools ? chatChoice(body.tool_choice) : undefined,
    serial: hasTools && body.parallel_tool_calls === false ? true : undefined,
    format:
      format?.type === 'json_schema'
        ? { schema: schemaMeaning(format.schema) }
        : format?.type === 'json_object'
          ? { json: true }
          : undefined,
    model: body.model,
    stream: body.stream,
    store: body.store,
    include: body.include,
    effort: isObject(body.reasoning) ? body.reasoning.effort : undefined,
    instructions: typeof body.instructions === 'string',
    forbidden: ['max_output_tokens', 'temperature', 'top_p', 'stop', 'user', 'previous_response_id'].filter(
      (key) => key in body,
    ),
  } as Meaning;
}
