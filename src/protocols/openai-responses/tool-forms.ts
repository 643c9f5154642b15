// Responses tools that are no plain functions – free text, tools in a namespace, tool search by the client – told to other
// providers as functions, and their calls told back (platform.openai.com/docs/api-reference/responses, `Tool`).
import { asObject, asString, asText, defined, isObject } from '../json.ts';
import type { BuiltinTool, ChatRequest, FunctionTool, Json, JsonObject, Tool, ToolForm } from '../neutral.ts';

/**
 * Call ids that start so were given to a free-text call by us. The client hands them back, and only then is the call told
 * to the upstream as the function call that it was there.
 */
const customCallMark = 'ctc_';

export const customCallId = (id: string): string => `${customCallMark}${id}`;

/** The upstream's own id; undefined for a free-text call that another backend made. */
export function ownCustomCallId(callId: string): string | undefined {
  return callId.startsWith(customCallMark) ? callId.slice(customCallMark.length) : undefined;
}

/** A function's one name for providers that have no namespaces. */
export function flatName(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}__${name}`;
}

export const searchToolName = 'tool_search';

/** One declared tool as those that other providers can have. `undefined`: a function without a name. */
export function decodeTool(tool: JsonObject, namespace?: string): Tool[] | undefined {
  const kind = asText(tool.type);
  switch (kind) {
    case undefined:
    case 'function':
      return functionTool(tool, namespace);
    case 'custom':
      return customTool(tool, namespace);
    case 'namespace':
      return namespaceTools(tool);
    case 'tool_search':
      if (tool.execution === 'client') return [searchTool(tool)];
      return [builtin(tool, kind)];
    default:
      return [builtin(tool, kind)];
  }
}

function builtin(tool: JsonObject, kind: string): BuiltinTool {
  return defined({ type: 'builtin', protocol: 'openai-responses', kind, name: asText(tool.name), raw: tool });
}

function functionTool(tool: JsonObject, namespace: string | undefined): FunctionTool[] | undefined {
  // Chat's nested spelling is common among clients that speak both.
  const declared = asObject(tool.function) ?? tool;
  const name = asText(declared.name);
  if (name === undefined) return undefined;
  return [
    defined<FunctionTool>({
      type: 'function',
      name: flatName(namespace, name),
      description: asString(declared.description),
      parameters: declared.parameters ?? undefined,
      strict: typeof declared.strict === 'boolean' ? declared.strict : undefined,
      form: namespace === undefined ? undefined : { kind: 'function', namespace, name },
    }),
  ];
}

function customTool(tool: JsonObject, namespace: string | undefined): Tool[] {
  const name = asText(tool.name);
  if (name === undefined) return [builtin(tool, 'custom')];
  return [
    defined<FunctionTool>({
      type: 'function',
      name: flatName(namespace, name),
      description: asString(tool.description),
      parameters: {
        type: 'object',
        properties: { input: { type: 'string', description: inputDescription(asObject(tool.format)) } },
        required: ['input'],
        additionalProperties: false,
      },
      form: defined<ToolForm>({ kind: 'custom', namespace, name, raw: namespace === undefined ? tool : undefined }),
    }),
  ];
}

/** A grammar binds the model only where the provider enforces it; elsewhere it must at least be told. */
function inputDescription(format: JsonObject | undefined): string {
  const definition = asText(format?.definition);
  const plain = 'The whole text that the tool takes.';
  return definition === undefined
    ? plain
    : `${plain} It must match this ${asText(format?.syntax) ?? ''} grammar:\n${definition}`;
}

function namespaceTools(tool: JsonObject): Tool[] {
  const namespace = asText(tool.name);
  const members = Array.isArray(tool.tools) ? tool.tools.filter(isObject) : [];
  return members.flatMap((member) => decodeTool(member, namespace) ?? []);
}

function searchTool(tool: JsonObject): FunctionTool {
  return defined<FunctionTool>({
    type: 'function',
    name: searchToolName,
    description: asString(tool.description),
    parameters: tool.parameters ?? undefined,
    form: { kind: 'search', name: searchToolName, raw: tool },
  });
}

/** The text of a free-text call, out of its one argument. What is no such object is the text itself. */
export function customInput(args: string): string {
  try {
    const parsed: unknown = JSON.parse(args);
    if (isObject(parsed as Json) && typeof (parsed as JsonObject).input === 'string')
      return (parsed as JsonObject).input as string;
  } catch {
    // Some models write the text without wrapping it.
  }
  return args;
}

/** Function name → what it is for this client. Empty for most requests. */
export function toolForms(request: ChatRequest | undefined): ReadonlyMap<string, ToolForm> {
  const forms = new Map<string, ToolForm>();
  for (const tool of request?.tools ?? []) if (tool.type === 'function' && tool.form) forms.set(tool.name, tool.form);
  return forms;
}

/** A call under way, or finished when `text` is given. */
export function callItem(form: ToolForm | undefined, id: string, name: string, text?: string): JsonObject {
  const status = text === undefined ? 'in_progress' : 'completed';
  const namespace: JsonObject = form?.namespace === undefined ? {} : { namespace: form.namespace };
  switch (form?.kind) {
    case 'custom': {
      const callId = customCallId(id);
      const input = text === undefined ? '' : customInput(text);
      return { type: 'custom_tool_call', id: callId, call_id: callId, name: form.name, ...namespace, input, status };
    }
    case 'search': {
      const members = { id: `tsc_${id}`, call_id: id, execution: 'client' };
      return { type: 'tool_search_call', ...members, arguments: searchArguments(text), status };
    }
    default: {
      const members = { id: `fc_${id}`, call_id: id, name: form?.name ?? name };
      return { type: 'function_call', ...members, ...namespace, arguments: text ?? '', status };
    }
  }
}

function searchArguments(text: string | undefined): Json {
  try {
    return (asObject(JSON.parse(text || '{}') as Json) ?? {}) as JsonObject;
  } catch {
    return {};
  }
}

/** What a search found, for a model that reads texts only. */
export function searchResult(tools: readonly Tool[]): string {
  const found = tools.flatMap((tool) =>
    tool.type === 'function' ? [{ name: tool.name, description: tool.description ?? '' }] : [],
  );
  return JSON.stringify({ tools: found });
}
