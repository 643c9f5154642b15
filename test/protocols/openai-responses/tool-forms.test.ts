import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChatRequest, Json, JsonObject, StreamPart } from '../../../src/protocols/neutral.ts';
import { openaiResponses } from '../../../src/protocols/openai-responses/index.ts';
import { sseParser } from '../../../src/protocols/sse.ts';

const decode = (input: Json, tools: Json[] = []): ChatRequest =>
  openaiResponses.decodeRequest({ model: 'm', input, tools });

const patch: JsonObject = {
  type: 'custom',
  name: 'apply_patch',
  description: 'Edits files.',
  format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' },
};
const lookup: JsonObject = { type: 'function', name: 'lookup', parameters: { type: 'object', properties: {} } };
const server: JsonObject = { type: 'namespace', name: 'mcp__demo', description: 'D', tools: [lookup] };
const search: JsonObject = {
  type: 'tool_search',
  execution: 'client',
  description: 'Finds tools.',
  parameters: { type: 'object', properties: { query: { type: 'string' } } },
};

const answer = (calls: [id: string, name: string, args: string][]): StreamPart[] => [
  { type: 'start' },
  ...calls.flatMap(([id, name, args], index): StreamPart[] => [
    { type: 'tool-start', index, id, name },
    { type: 'tool-delta', index, text: args.slice(0, 3) },
    { type: 'tool-delta', index, text: args.slice(3) },
    { type: 'tool-end', index },
  ]),
  { type: 'finish', reason: 'tool-calls' },
];

function output(parts: StreamPart[], request: ChatRequest): JsonObject[] {
  return openaiResponses.encodeResponse(parts, { model: 'm', request }).output as JsonObject[];
}

function events(parts: StreamPart[], request: ChatRequest): JsonObject[] {
  const encoder = openaiResponses.streamEncoder({ model: 'm', request });
  const seen: JsonObject[] = [];
  const parser = sseParser((event) => seen.push(JSON.parse(event.data) as JsonObject));
  parser.push(Buffer.from(parts.map((part) => encoder.write(part)).join('') + encoder.end()));
  parser.end();
  return seen;
}

describe('Responses tools that are no plain functions', () => {
  it('tells a free-text tool as a function of one text, its grammar included', () => {
    const [tool] = decode('go', [patch]).tools;
    assert.equal(tool?.type, 'function');
    assert.equal(tool.name, 'apply_patch');
    assert.equal(tool.description, 'Edits files.');
    const { properties, required } = tool.parameters as { properties: { input: JsonObject }; required: string[] };
    assert.deepEqual(required, ['input']);
    assert.match(String(properties.input.description), /lark grammar:\nstart: "x"/);
  });

  it('tells the functions of a namespace by one flat name', () => {
    assert.deepEqual(
      decode('go', [server]).tools.map((tool) => tool.name),
      ['mcp__demo__lookup'],
    );
  });

  it('finds tools that an item adds or a search found, each once', () => {
    const input: JsonObject[] = [
      { type: 'additional_tools', role: 'developer', tools: [server, patch] },
      { role: 'user', content: 'go' },
      { type: 'tool_search_call', call_id: 's', execution: 'client', arguments: { query: 'q' } },
      { type: 'tool_search_output', call_id: 's', execution: 'client', tools: [server] },
    ];
    const request = decode(input, [search]);
    assert.deepEqual(
      request.tools.map((tool) => tool.name),
      ['tool_search', 'mcp__demo__lookup', 'apply_patch'],
    );
    const [call, result] = request.messages.flatMap((message) => message.parts).slice(1);
    assert.deepEqual(call, { type: 'tool-call', id: 's', name: 'tool_search', arguments: '{"query":"q"}' });
    assert.equal(result?.type, 'tool-result');
    assert.match(JSON.stringify(result.content), /mcp__demo__lookup/);
  });

  it('says a free-text tool again as it was declared', () => {
    const request = decode('go', [patch, search]);
    const body = openaiResponses.encodeRequest(request, { model: 'up', stream: true, provider: 'codex' });
    assert.deepEqual(body.tools, [patch, search]);
  });

  const request = decode('go', [patch, server, search]);
  const calls: [string, string, string][] = [
    ['a', 'apply_patch', '{"input":"*** Begin\\nü"}'],
    ['b', 'mcp__demo__lookup', '{"q":1}'],
    ['c', 'tool_search', '{"query":"x"}'],
    ['d', 'plain', '{}'],
  ];
  const items: JsonObject[] = [
    {
      type: 'custom_tool_call',
      id: 'ctc_a',
      call_id: 'ctc_a',
      name: 'apply_patch',
      input: '*** Begin\nü',
      status: 'completed',
    },
    {
      type: 'function_call',
      id: 'fc_b',
      call_id: 'b',
      name: 'lookup',
      namespace: 'mcp__demo',
      arguments: '{"q":1}',
      status: 'completed',
    },
    {
      type: 'tool_search_call',
      id: 'tsc_c',
      call_id: 'c',
      execution: 'client',
      arguments: { query: 'x' },
      status: 'completed',
    },
    { type: 'function_call', id: 'fc_d', call_id: 'd', name: 'plain', arguments: '{}', status: 'completed' },
  ];

  it('tells their calls back in their own forms', () => {
    assert.deepEqual(output(answer(calls), request), items);
  });

  it('streams the same items, free text in its own events', () => {
    const seen = events(answer(calls), request);
    const done = seen.filter((event) => event.type === 'response.output_item.done').map((event) => event.item);
    assert.deepEqual(done, items);
    const { response } = seen.at(-1) as { response?: JsonObject };
    assert.deepEqual(response?.output, items);
    const own = seen.filter((event) => event.item_id === 'ctc_a');
    assert.deepEqual(
      own.map((event) => [event.type, event.delta ?? event.input]),
      [
        ['response.custom_tool_call_input.delta', '*** Begin\nü'],
        ['response.custom_tool_call_input.done', '*** Begin\nü'],
      ],
    );
    assert.deepEqual(
      seen.map((event) => event.sequence_number),
      seen.map((_, i) => i),
    );
  });

  it('takes free text that a model did not wrap as it is', () => {
    const [item] = output(answer([['a', 'apply_patch', '*** Begin Patch']]), request);
    assert.equal(item?.input, '*** Begin Patch');
  });

  it('reads the calls that it told back as the function calls that they were', () => {
    const [custom, member] = items;
    const { messages } = decode(
      [
        { role: 'user', content: 'go' },
        custom as JsonObject,
        member as JsonObject,
        { type: 'custom_tool_call_output', call_id: 'ctc_a', output: 'Done!' },
        { type: 'function_call_output', call_id: 'b', output: 'found' },
      ],
      [patch, server],
    );
    assert.deepEqual(messages.slice(1), [
      {
        role: 'assistant',
        parts: [
          { type: 'tool-call', id: 'a', name: 'apply_patch', arguments: '{"input":"*** Begin\\nü"}' },
          { type: 'tool-call', id: 'b', name: 'mcp__demo__lookup', arguments: '{"q":1}' },
        ],
      },
      {
        role: 'tool',
        parts: [
          { type: 'tool-result', callId: 'a', name: 'apply_patch', content: [{ type: 'text', text: 'Done!' }] },
          { type: 'tool-result', callId: 'b', name: 'mcp__demo__lookup', content: [{ type: 'text', text: 'found' }] },
        ],
      },
    ]);
  });

  it('leaves out free-text calls that another backend made', () => {
    const { messages } = decode([
      { type: 'custom_tool_call', call_id: 'call_1', name: 'apply_patch', input: 'x' },
      { type: 'custom_tool_call_output', call_id: 'call_1', output: 'ok' },
    ]);
    assert.deepEqual(messages, []);
  });
});
