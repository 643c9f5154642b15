// One vector against what really happened: the differences, as short texts (protocols.md §6).
import { type Answer, type Block, type DataEvent, dataEvents, readAnswer } from './answer.ts';
import { differences, show } from './diff.ts';
import { isObject, type Json, type JsonObject, objects, text, type Vector } from './format.ts';
import { lintStream } from './lint.ts';
import { lintBody } from './lint-body.ts';
import { camel, meaningOf, schemaMeaning } from './request.ts';

/** What the mock upstream received. */
export interface SeenRequest {
  method: string;
  path: string;
  query: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** What the client got. */
export interface SeenAnswer {
  status: number;
  contentType: string;
  body: string;
}

export function checkRequest(vector: Vector, seen: readonly SeenRequest[]): string[] {
  const expected = vector.expected_upstream_request;
  if (expected === null) return seen.length === 0 ? [] : ['an upstream call was made, none may be'];
  const actual = seen[0];
  if (!actual) return ['no upstream call was made'];
  const found: string[] = [];
  if (seen.length > 1) found.push(`${seen.length} upstream calls`);
  if (actual.method !== expected.method) found.push(`method ${actual.method}`);
  const anyLeg = vector.upstream_stream_any === true;
  const method = (path: string) => (anyLeg ? path.replace('streamGenerateContent', 'generateContent') : path);
  if (method(actual.path) !== method(expected.path)) found.push(`path ${actual.path}, expected ${expected.path}`);
  if (!anyLeg && vector.upstream_protocol !== 'claude' && actual.query !== expected.query) {
    found.push(`query ${actual.query}, expected ${expected.query}`);
  }
  for (const [name, value] of Object.entries(expected.headers)) {
    if (String(actual.headers[name] ?? '').split(';')[0] !== value)
      found.push(`header ${name}: ${String(actual.headers[name])}`);
  }
  let body: Json;
  try {
    body = JSON.parse(actual.body) as Json;
  } catch {
    return [...found, 'upstream body is not JSON'];
  }
  if (!isObject(body)) return [...found, 'upstream body is no object'];
  return [...found, ...requestBodyDifferences(vector, expected.body, body).map((line) => `request ${line}`)];
}

function requestBodyDifferences(vector: Vector, expected: JsonObject, actual: JsonObject): string[] {
  const upstream = vector.upstream_protocol;
  const mean = (body: JsonObject) => meaningOf(upstream, body, vector.request_loose);
  const freed = (body: JsonObject): JsonObject => {
    const meaning = mean(body);
    const ignored = vector.ignore?.request ?? [];
    if (ignored.includes('$.model') || upstream === 'gemini' || upstream === 'vertex') delete meaning.model;
    if (ignored.includes('$.stream') || vector.upstream_stream_any) {
      delete meaning.stream;
      delete meaning.include_usage;
    }
    return meaning;
  };
  if (vector.request_check === 'core') return differences(freed(expected), freed(actual));
  if (vector.request_check === 'none') return [];
  const ignore = [...(vector.ignore?.request ?? [])];
  if (vector.upstream_stream_any) ignore.push('$.stream', '$.stream_options');
  return differences(equivalent(vector, expected), equivalent(vector, actual), {
    volatile: vector.volatile?.request,
    ignore,
  });
}

/** A `full` body with the shapes that mean the same made the same. */
function equivalent(vector: Vector, body: JsonObject): Json {
  switch (vector.upstream_protocol) {
    case 'openai-compat': {
      const result: JsonObject = { ...body, messages: objects(body.messages).map(sameContent) };
      if (typeof body.stop === 'string') result.stop = [body.stop];
      if (body.tool_choice === 'auto') delete result.tool_choice;
      return result;
    }
    case 'claude': {
      const result: JsonObject = { ...body, messages: objects(body.messages).map(sameContent) };
      if (typeof body.system === 'string') result.system = [{ type: 'text', text: body.system }];
      if (
        isObject(body.tool_choice) &&
        body.tool_choice.type === 'auto' &&
        Object.keys(body.tool_choice).length === 1
      ) {
        delete result.tool_choice;
      }
      return result;
    }
    case 'codex': {
      const result: JsonObject = { ...body };
      if (body.tool_choice === 'auto') delete result.tool_choice;
      if (Array.isArray(body.input)) {
        result.input = objects(body.input).map((item) =>
          item.type === undefined && item.role !== undefined
            ? sameContent({ ...item, type: 'message' })
            : sameContent(item),
        );
      }
      return result;
    }
    case 'gemini-cli':
      return { ...body, request: sameGemini(isObject(body.request) ? body.request : {}) };
    case 'antigravity':
      // The wording of reduced schemas is not pinned (protocols.md §2.6).
      return { ...body, request: sameGemini(isObject(body.request) ? body.request : {}, schemaMeaning) };
    default:
      return sameGemini(body);
  }
}

function sameContent(message: JsonObject): JsonObject {
  const { content, role } = message;
  if (typeof content !== 'string') return message;
  const type = message.type === 'message' ? (role === 'assistant' ? 'output_text' : 'input_text') : 'text';
  return { ...message, content: content === '' ? [] : [{ type, text: content }] };
}

function sameGemini(body: JsonObject, schemaOf: (schema: Json) => Json = (schema) => schema): Json {
  const result = camel(body) as JsonObject;
  result.contents = objects(result.contents).map((content) => ({ role: 'user', ...content }));
  if (Array.isArray(result.tools)) {
    result.tools = objects(result.tools).map((tool) => ({
      ...tool,
      ...(Array.isArray(tool.functionDeclarations)
        ? {
            functionDeclarations: objects(tool.functionDeclarations).map(({ parameters, ...rest }) => {
              const schema = rest.parametersJsonSchema ?? parameters;
              return schema === undefined ? rest : { ...rest, parametersJsonSchema: schemaOf(schema) };
            }),
          }
        : {}),
    }));
  }
  return result;
}

export function checkAnswer(vector: Vector, seen: SeenAnswer): string[] {
  const expected = vector.expected_client_response;
  if (vector.response_check === 'error') return checkError(vector, seen);
  if (vector.response_check === 'errors') return checkFailure(vector, seen);
  const statuses = vector.status_any ?? [expected.status];
  if (!statuses.includes(seen.status))
    return [`status ${seen.status}, expected ${statuses.join(' or ')}: ${seen.body.slice(0, 200)}`];
  const streamed = expected.sse !== undefined;
  if (streamed !== seen.contentType.startsWith('text/event-stream')) return [`content type ${seen.contentType}`];
  const actual = parseAnswer(vector, seen, streamed);
  if (typeof actual === 'string') return [actual];
  const wanted = readAnswer(
    vector.client_protocol,
    streamed ? dataEvents(expected.sse ?? []) : (expected.json ?? {}),
    streamed,
  );
  if (vector.response_check === 'terminates') {
    return [
      ...contentDifferences(vector, wanted, actual.answer),
      ...(endsLawfully(vector, actual) ? [] : ['stream neither ends nor fails']),
    ];
  }
  return [
    ...(streamed ? lint(vector, actual.events) : bodyLint(vector, actual.answer)),
    ...contentDifferences(vector, wanted, actual.answer),
    ...finishDifferences(vector, wanted, actual.answer),
    ...usageDifferences(vector, wanted, actual.answer),
    ...idDifferences(vector, wanted, actual.answer),
    ...(streamed && vector.sequence_check !== false ? sequenceDifferences(vector, wanted, actual.answer) : []),
    ...(vector.response_check === 'full' ? wholeDifferences(vector, wanted, actual.answer) : []),
  ];
}

interface Parsed {
  answer: Answer;
  events: DataEvent[];
}

function parseAnswer(vector: Vector, seen: SeenAnswer, streamed: boolean): Parsed | string {
  if (streamed) {
    const events = parseEvents(seen.body);
    if (typeof events === 'string') return events;
    return { events, answer: readAnswer(vector.client_protocol, events, true) };
  }
  try {
    return { events: [], answer: readAnswer(vector.client_protocol, JSON.parse(seen.body) as Json, false) };
  } catch {
    return `body is not JSON: ${seen.body.slice(0, 120)}`;
  }
}

/** Events of a text/event-stream body; a text on failure. */
export function parseEvents(body: string): DataEvent[] | string {
  const events: DataEvent[] = [];
  for (const block of body.replace(/\r\n?/g, '\n').split('\n\n')) {
    let event = '';
    const data: string[] = [];
    for (const line of block.split('\n')) {
      if (line.startsWith('event:')) event = line.slice(6).trim();
      if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    }
    if (data.length === 0) continue;
    const joined = data.join('\n');
    if (joined === '[DONE]') events.push({ event, data: '[DONE]' });
    else {
      try {
        events.push({ event, data: JSON.parse(joined) as Json });
      } catch {
        return `event is not JSON: ${joined.slice(0, 120)}`;
      }
    }
  }
  return events;
}

function lint(vector: Vector, events: readonly DataEvent[]): string[] {
  const allowed = vector.lint_allow ?? [];
  return lintStream(vector.client_protocol, events)
    .filter((finding) => !allowed.includes(finding))
    .map((finding) => `contract: ${finding}`);
}

function bodyLint(vector: Vector, answer: Answer): string[] {
  const allowed = vector.lint_allow ?? [];
  return lintBody(vector.client_protocol, answer.body)
    .filter((finding) => !allowed.includes(finding))
    .map((finding) => `contract: ${finding}`);
}

function endsLawfully(vector: Vector, { answer, events }: Parsed): boolean {
  return answer.error !== undefined || lint(vector, events).length === 0;
}

function comparable(vector: Vector, blocks: readonly Block[]): Json {
  const shown = blocks.map((block): JsonObject => {
    if (block.kind === 'tool') return { tool: block.name, input: block.input };
    const said = block.kind === 'thinking' ? block.text.replace(/\s+/g, '') : block.text;
    return { [block.kind]: said };
  });
  if (!vector.merge_kinds) return shown;
  // The order of text and thinking is free: one text, one thinking, then the rest.
  const joined = (kind: string) => shown.map((block) => text(block[kind])).join('');
  return [
    { text: joined('text'), thinking: joined('thinking') },
    ...shown.filter((block) => !('text' in block) && !('thinking' in block)),
  ];
}

function contentDifferences(vector: Vector, wanted: Answer, actual: Answer): string[] {
  return differences(comparable(vector, wanted.blocks), comparable(vector, actual.blocks)).map(
    (line) => `content ${line}`,
  );
}

function finishDifferences(vector: Vector, wanted: Answer, actual: Answer): string[] {
  const allowed = vector.finish_any ?? [wanted.finish];
  if (vector.finish_any && vector.client_protocol === 'responses') return [];
  return allowed.includes(actual.finish) ? [] : [`finish ${actual.finish}, expected ${allowed.join(' or ')}`];
}

const usageKeys: Record<string, string[]> = {
  openai: [
    'prompt_tokens',
    'completion_tokens',
    'total_tokens',
    'prompt_tokens_details.cached_tokens',
    'completion_tokens_details.reasoning_tokens',
  ],
  responses: [
    'input_tokens',
    'output_tokens',
    'total_tokens',
    'input_tokens_details.cached_tokens',
    'output_tokens_details.reasoning_tokens',
  ],
  claude: ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'],
  gemini: [
    'promptTokenCount',
    'candidatesTokenCount',
    'totalTokenCount',
    'cachedContentTokenCount',
    'thoughtsTokenCount',
  ],
};

function usageDifferences(vector: Vector, wanted: Answer, actual: Answer): string[] {
  const keys = usageKeys[vector.client_protocol === 'completions' ? 'openai' : vector.client_protocol] ?? [];
  const optional = optionalUsage(vector);
  if (optional && (wanted.usage === undefined || actual.usage === undefined)) return [];
  const read = (usage: JsonObject | undefined): JsonObject =>
    Object.fromEntries(keys.map((key) => [key, at(usage, key.split('.')) ?? 0])) as JsonObject;
  if (wanted.usage === undefined && actual.usage === undefined) return [];
  return differences(read(wanted.usage), read(actual.usage)).map((line) => `usage ${line}`);
}

/** Chat clients that did not ask for it may get the usage chunk or not. */
function optionalUsage(vector: Vector): boolean {
  if (!vector.stream || (vector.client_protocol !== 'openai' && vector.client_protocol !== 'completions')) return false;
  const { body } = vector.client_request;
  return !(isObject(body) && isObject(body.stream_options) && body.stream_options.include_usage === true);
}

function at(value: Json | undefined, path: readonly string[]): Json | undefined {
  let node: Json | undefined = value;
  for (const key of path) node = isObject(node) ? node[key] : undefined;
  return node;
}

function idDifferences(vector: Vector, wanted: Answer, actual: Answer): string[] {
  if (vector.client_protocol === 'gemini' || vector.client_protocol === 'completions') return [];
  const ids = (answer: Answer) => answer.blocks.flatMap((block) => (block.kind === 'tool' ? [block.id] : []));
  const got = ids(actual);
  if (vector.ids_from_upstream) return differences(ids(wanted), got).map((line) => `call id ${line}`);
  if (vector.lint_allow?.includes('first tool_call delta without id')) return [];
  if (got.includes('')) return vector.response_check === 'full' ? [] : ['call without id'];
  return new Set(got).size === got.length ? [] : ['call ids repeat'];
}

function sequenceDifferences(vector: Vector, wanted: Answer, actual: Answer): string[] {
  const significant = (kinds: readonly string[]) => simplified(vector, kinds);
  const a = significant(wanted.kinds);
  const b = significant(actual.kinds);
  return a.join(' ') === b.join(' ') ? [] : [`sequence: expected ${show(a)}, got ${show(b)}`];
}

/** Neighbouring blocks of one kind are one; how often a kind repeats does not count. */
function simplified(vector: Vector, kinds: readonly string[]): string[] {
  let rest = [...kinds];
  if (vector.client_protocol === 'claude') {
    rest = rest.filter((kind) => kind !== 'stop');
  }
  if (vector.client_protocol === 'responses') {
    rest = rest.filter((kind) => !['item', 'item-done', 'part', 'part-done'].includes(kind) && !kind.endsWith('-done'));
  }
  return rest.filter((kind, index) => kind !== rest[index - 1]);
}

function wholeDifferences(vector: Vector, wanted: Answer, actual: Answer): string[] {
  // Usage is compared by meaning; what a stream tells of it before its end may be dropped (protocols.md §4).
  const ignore = ['$.usage', '$.message.usage', '$.response.usage', '$.usageMetadata', '$.cpaUsageMetadata'];
  return differences(wanted.body, actual.body, { volatile: vector.volatile?.response, ignore }).map(
    (line) => `body ${line}`,
  );
}

// Errors

function checkError(vector: Vector, seen: SeenAnswer): string[] {
  const expected = vector.expected_client_response;
  const statuses = vector.status_any ?? [expected.status];
  const found: string[] = [];
  if (!statuses.includes(seen.status)) found.push(`status ${seen.status}, expected ${statuses.join(' or ')}`);
  if (!seen.contentType.startsWith('application/json')) found.push(`content type ${seen.contentType}`);
  let body: Json;
  try {
    body = JSON.parse(seen.body) as Json;
  } catch {
    return [...found, 'error is not JSON'];
  }
  const wanted = isObject(expected.json) ? expected.json : {};
  if (vector.passthrough_error) return [...found, ...differences(wanted, body).map((line) => `error ${line}`)];
  const kept = (error: JsonObject): JsonObject => {
    const inner = isObject(error.error) ? error.error : {};
    const same: JsonObject = { type: inner.type ?? null, status: inner.status ?? null };
    if (vector.client_protocol === 'gemini') same.code = inner.code ?? null;
    if (!vector.message_any) same.message = inner.message ?? null;
    if (vector.client_protocol === 'claude') same.envelope = error.type ?? null;
    return same;
  };
  const got = isObject(body) ? kept(body) : {};
  const want = kept(wanted);
  if (vector.status_any && vector.status_any.length > 1) {
    for (const key of ['type', 'status', 'code']) {
      delete got[key];
      delete want[key];
    }
  }
  return [...found, ...differences(want, got).map((line) => `error ${line}`)];
}

/** The upstream failed inside its answer: the client must learn of it, and keep what came before. */
function checkFailure(vector: Vector, seen: SeenAnswer): string[] {
  if (seen.status >= 400) {
    return seen.body.includes('"error"') ? [] : [`error status ${seen.status} without an envelope`];
  }
  const expected = vector.expected_client_response;
  if (expected.sse === undefined) return [`status ${seen.status}, expected a failure`];
  const actual = parseAnswer(vector, seen, true);
  if (typeof actual === 'string') return [actual];
  const wanted = readAnswer(vector.client_protocol, dataEvents(expected.sse), true);
  return [
    ...(actual.answer.error === undefined ? ['failure is not signalled'] : []),
    ...contentDifferences(vector, wanted, actual.answer),
  ];
}
