import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import { gemini } from '../../../src/protocols/gemini/index.ts';
import type { ChatRequest, JsonObject, Message, Part } from '../../../src/protocols/neutral.ts';

const target = { model: 'gemini-2.5-pro', stream: false, provider: 'gemini' };
const SKIP = 'skip_thought_signature_validator';

function request(members: Partial<ChatRequest>): ChatRequest {
  return { model: 'm', stream: false, messages: [], tools: [], ...members };
}

function decode(body: JsonObject): ChatRequest {
  return gemini.decodeRequest(body);
}

describe('gemini: reading a request', () => {
  it('understands camelCase and snake_case alike', () => {
    const camel = decode({
      systemInstruction: { parts: [{ text: 'S' }] },
      contents: [
        { role: 'user', parts: [{ inlineData: { mimeType: 'image/png', data: 'AA' } }] },
        { role: 'user', parts: [{ fileData: { mimeType: 'image/jpeg', fileUri: 'https://e.x/a.jpg' } }] },
        { role: 'model', parts: [{ functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 's' }] },
        { role: 'user', parts: [{ functionResponse: { name: 'f', response: { result: 'r' } } }] },
      ],
      tools: [{ functionDeclarations: [{ name: 'f', parametersJsonSchema: { type: 'object' } }] }],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] } },
      generationConfig: {
        maxOutputTokens: 5,
        topP: 0.5,
        stopSequences: ['x'],
        responseMimeType: 'application/json',
        responseJsonSchema: { type: 'object' },
        thinkingConfig: { thinkingBudget: 512, includeThoughts: true },
      },
    });
    const snake = decode({
      system_instruction: { parts: [{ text: 'S' }] },
      contents: [
        { role: 'user', parts: [{ inline_data: { mime_type: 'image/png', data: 'AA' } }] },
        { role: 'user', parts: [{ file_data: { mime_type: 'image/jpeg', file_uri: 'https://e.x/a.jpg' } }] },
        { role: 'model', parts: [{ function_call: { name: 'f', args: { a: 1 } }, thought_signature: 's' }] },
        { role: 'user', parts: [{ function_response: { name: 'f', response: { result: 'r' } } }] },
      ],
      tools: [{ function_declarations: [{ name: 'f', parameters_json_schema: { type: 'object' } }] }],
      tool_config: { function_calling_config: { mode: 'ANY', allowed_function_names: ['f'] } },
      generation_config: {
        max_output_tokens: 5,
        top_p: 0.5,
        stop_sequences: ['x'],
        response_mime_type: 'application/json',
        response_json_schema: { type: 'object' },
        thinking_config: { thinking_budget: 512, include_thoughts: true },
      },
    });
    assert.deepEqual(snake, camel);
    assert.deepEqual(camel.toolChoice, { type: 'tool', name: 'f' });
    assert.equal(camel.maxTokens, 5);
    assert.deepEqual(camel.thinking, { type: 'budget', tokens: 512 });
    assert.equal(camel.extras, undefined);
  });

  it('takes a content without role as the user, and the function role too', () => {
    const { messages } = decode({
      contents: [{ parts: [{ text: 'a' }] }, { role: 'function', parts: [{ functionResponse: { name: 'f' } }] }],
    });
    assert.deepEqual(
      messages.map((message) => message.role),
      ['user', 'user'],
    );
  });

  it('answers the n-th open call of a name with its n-th result', () => {
    const call = (name: string): JsonObject => ({ functionCall: { name, args: {} } });
    const result = (name: string, text: string): JsonObject => ({
      functionResponse: { name, response: { result: text } },
    });
    const { messages } = decode({
      contents: [
        { role: 'model', parts: [call('f'), call('g'), call('f')] },
        { role: 'user', parts: [result('g', 'G'), result('f', 'F1'), result('f', 'F2')] },
        { role: 'model', parts: [call('f')] },
        { role: 'user', parts: [result('f', 'F3')] },
      ],
    });
    const parts = messages.flatMap((message) => message.parts);
    const calls = parts.flatMap((part) => (part.type === 'tool-call' ? [part.id] : []));
    assert.equal(new Set(calls).size, 4);
    const answers = parts.flatMap((part) => (part.type === 'tool-result' ? [calls.indexOf(part.callId)] : []));
    assert.deepEqual(answers, [1, 0, 2, 3]);
  });

  it('uses the ids that a client did send and never makes an equal one', () => {
    const { messages } = decode({
      contents: [
        {
          role: 'model',
          parts: [{ functionCall: { name: 'f' } }, { functionCall: { name: 'f', id: 'call_1' } }],
        },
        {
          role: 'user',
          parts: [{ functionResponse: { name: 'f', id: 'call_1' } }, { functionResponse: { name: 'f' } }],
        },
      ],
    });
    const ids = messages.flatMap((message) =>
      message.parts.map((part) =>
        part.type === 'tool-call' ? part.id : part.type === 'tool-result' ? part.callId : '',
      ),
    );
    assert.equal(ids[1], 'call_1');
    assert.notEqual(ids[0], 'call_1');
    assert.deepEqual([ids[2], ids[3]], [ids[1], ids[0]]);
  });

  it('reads results as text, and what is not text as JSON', () => {
    const text = (response: JsonObject): unknown => {
      const part = decode({ contents: [{ parts: [{ functionResponse: { name: 'f', response } }] }] }).messages[0]
        ?.parts[0];
      return part?.type === 'tool-result' && part.content[0]?.type === 'text' ? part.content[0].text : undefined;
    };
    assert.equal(text({ result: '12C' }), '12C');
    assert.equal(text({ output: { temp: 12 } }), '{"temp":12}');
    assert.equal(text({ error: 'boom' }), '{"error":"boom"}');
    assert.equal(text({ a: 1, b: 2 }), '{"a":1,"b":2}');
  });

  it('keeps thoughts apart from text', () => {
    const { messages } = decode({
      contents: [
        {
          role: 'model',
          parts: [
            { text: 'hm', thought: true },
            { text: 'A', thoughtSignature: 's' },
          ],
        },
      ],
    });
    assert.deepEqual(messages[0]?.parts, [
      { type: 'reasoning', text: 'hm', origin: 'gemini' },
      { type: 'text', text: 'A', signature: 's' },
    ]);
  });

  it('lowers OpenAPI types and leaves a property called type alone', () => {
    const { tools } = decode({
      contents: [],
      tools: [
        {
          functionDeclarations: [
            {
              name: 'f',
              parameters: {
                type: 'OBJECT',
                properties: {
                  type: { type: 'STRING', enum: ['STRING'] },
                  list: { type: 'ARRAY', items: { type: 'INTEGER' }, minItems: '2' },
                },
              },
            },
          ],
        },
      ],
    });
    assert.deepEqual(tools[0]?.type === 'function' && tools[0].parameters, {
      type: 'object',
      properties: {
        type: { type: 'string', enum: ['STRING'] },
        list: { type: 'array', items: { type: 'integer' }, minItems: 2 },
      },
    });
  });

  it('carries what it does not know to Gemini upstreams', () => {
    const body = {
      contents: [{ role: 'user', parts: [{ text: 'x' }] }],
      cachedContent: 'cachedContents/abc',
      safetySettings: [],
      generationConfig: { responseModalities: ['IMAGE'] },
      tools: [{ googleSearch: {} }],
    };
    assert.deepEqual(gemini.encodeRequest(decode(body), target), body);
  });

  it('answers 400 when contents are no list of objects', () => {
    for (const contents of [7, [7], [{ parts: [7] }]]) {
      assert.throws(() => decode({ contents: contents as JsonObject[string] }), Failure);
    }
  });
});

describe('gemini: writing a request', () => {
  const call = (id: string, name: string, args = '{}'): Part => ({ type: 'tool-call', id, name, arguments: args });
  const result = (callId: string, name: string, text: string): Message => ({
    role: 'tool',
    parts: [{ type: 'tool-result', callId, name, content: [{ type: 'text', text }] }],
  });

  it('joins results of one turn and puts them in the order of their calls', () => {
    const { contents } = gemini.encodeRequest(
      request({
        messages: [
          { role: 'assistant', parts: [call('a', 'f')] },
          { role: 'assistant', parts: [call('b', 'f')] },
          result('b', 'f', 'B'),
          result('a', 'f', 'A'),
        ],
      }),
      target,
    );
    assert.deepEqual(contents, [
      {
        role: 'model',
        parts: [
          { functionCall: { name: 'f', args: {} }, thoughtSignature: SKIP },
          { functionCall: { name: 'f', args: {} }, thoughtSignature: SKIP },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { name: 'f', response: { result: 'A' } } },
          { functionResponse: { name: 'f', response: { result: 'B' } } },
        ],
      },
    ]);
  });

  it('links by id on antigravity', () => {
    const messages: Message[] = [{ role: 'assistant', parts: [call('a', 'f')] }, result('a', 'f', 'A')];
    const { contents } = gemini.encodeRequest(request({ messages }), { ...target, provider: 'antigravity' });
    assert.ok(JSON.stringify(contents).includes('"functionCall":{"name":"f","args":{},"id":"a"}'));
    assert.ok(JSON.stringify(contents).includes('"id":"a"}}]'));
  });

  it('puts the images of a result beside it', () => {
    const { contents } = gemini.encodeRequest(
      request({
        messages: [
          {
            role: 'user',
            parts: [
              {
                type: 'tool-result',
                callId: 'a',
                name: 'f',
                content: [{ type: 'file', mediaType: 'image/png', data: { kind: 'base64', base64: 'AA' } }],
              },
            ],
          },
        ],
      }),
      target,
    );
    assert.deepEqual(contents, [
      {
        role: 'user',
        parts: [
          { functionResponse: { name: 'f', response: { result: '' } } },
          { inlineData: { mimeType: 'image/png', data: 'AA' } },
        ],
      },
    ]);
  });

  it('says system text as the user when there is nothing else', () => {
    const body = gemini.encodeRequest(
      request({ messages: [{ role: 'system', parts: [{ type: 'text', text: 'S' }] }] }),
      target,
    );
    assert.deepEqual(body.contents, [{ role: 'user', parts: [{ text: 'S' }] }]);
    assert.equal(body.systemInstruction, undefined);
  });

  it('sends no thoughts of others, but those that Claude signed to Claude behind antigravity', () => {
    const messages: Message[] = [
      { role: 'user', parts: [{ type: 'text', text: 'q' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'hm', signature: 's', origin: 'anthropic' },
          { type: 'text', text: 'A' },
        ],
      },
    ];
    const parts = (model: string): unknown => {
      const body = gemini.encodeRequest(request({ messages }), { model, stream: false, provider: 'antigravity' });
      return (body.contents as JsonObject[])[1]?.parts;
    };
    assert.deepEqual(parts('gemini-3-pro-high'), [{ text: 'A' }]);
    assert.deepEqual(parts('claude-sonnet-4-5'), [{ text: 'hm', thought: true, thoughtSignature: 's' }, { text: 'A' }]);
  });

  it('drops a last model turn that calls functions and keeps a prefill', () => {
    const user: Message = { role: 'user', parts: [{ type: 'text', text: 'q' }] };
    const encode = (last: Part): unknown[] =>
      gemini.encodeRequest(request({ messages: [user, { role: 'assistant', parts: [last] }] }), target)
        .contents as unknown[];
    assert.equal(encode(call('a', 'f')).length, 1);
    assert.equal(encode({ type: 'text', text: '{' }).length, 2);
  });

  it('uses lawful function names everywhere', () => {
    const name = 'get weather/v2@x';
    const body = gemini.encodeRequest(
      request({
        tools: [{ type: 'function', name }],
        toolChoice: { type: 'tool', name },
        messages: [{ role: 'assistant', parts: [call('a', name)] }, result('a', name, 'ok')],
      }),
      target,
    );
    assert.ok(!JSON.stringify(body).includes(name));
    assert.equal(JSON.stringify(body).split('get_weather_v2_x').length - 1, 4);
  });

  it('maps all tool choices and gives a schema to a function without one', () => {
    const tools = [{ type: 'function', name: 'f' } as const];
    const mode = (toolChoice: ChatRequest['toolChoice']): unknown =>
      gemini.encodeRequest(request({ tools, ...(toolChoice ? { toolChoice } : {}) }), target).toolConfig;
    assert.equal(mode(undefined), undefined);
    assert.deepEqual(mode({ type: 'none' }), { functionCallingConfig: { mode: 'NONE' } });
    assert.deepEqual(mode({ type: 'required' }), { functionCallingConfig: { mode: 'ANY' } });
    assert.deepEqual(mode({ type: 'tool', name: 'f' }), {
      functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] },
    });
    assert.deepEqual(gemini.encodeRequest(request({ tools }), target).tools, [
      { functionDeclarations: [{ name: 'f', parametersJsonSchema: { type: 'object', properties: {} } }] },
    ]);
  });

  it('replaces half characters, which Google refuses', () => {
    const body = gemini.encodeRequest(
      request({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'a\ud83d b' }] }] }),
      target,
    );
    assert.deepEqual(body.contents, [{ role: 'user', parts: [{ text: 'a\ufffd b' }] }]);
  });
});

describe('gemini: round trip', () => {
  const text = fc.string({ minLength: 1 }).map((value): Part => ({ type: 'text', text: value }));
  const image = fc
    .base64String({ minLength: 4 })
    .map((base64): Part => ({ type: 'file', mediaType: 'image/png', data: { kind: 'base64', base64 } }));
  const thought = fc
    .string({ minLength: 1 })
    .map((value): Part => ({ type: 'reasoning', text: value, origin: 'gemini' }));
  const user = fc
    .array(fc.oneof(text, image), { minLength: 1, maxLength: 3 })
    .map((parts): Message => ({ role: 'user', parts }));
  const model = fc
    .array(fc.oneof(text, thought), { minLength: 1, maxLength: 3 })
    .map((parts): Message => ({ role: 'assistant', parts }));

  it('gives back whatever both forms can say', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(user, model), { minLength: 1, maxLength: 4 }),
        fc.option(fc.integer({ min: 1 }), { nil: undefined }),
        fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
        (turns, seed, system) => {
          const original = request({
            model: '',
            messages: [
              ...(system === undefined ? [] : [{ role: 'system', parts: [{ type: 'text', text: system }] } as Message]),
              ...turns.flat(),
            ],
            ...(seed === undefined ? {} : { seed }),
            maxTokens: 7,
            stop: ['END'],
            tools: [{ type: 'function', name: 'f', description: 'd', parameters: { type: 'object', properties: {} } }],
            toolChoice: { type: 'required' },
            responseFormat: { type: 'json', schema: { type: 'object' } },
          });
          const decoded = decode(gemini.encodeRequest(original, { ...target, provider: 'antigravity' }));
          assert.deepEqual(decoded, original);
        },
      ),
    );
  });
});
