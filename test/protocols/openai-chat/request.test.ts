import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import type { ChatRequest, JsonObject } from '../../../src/protocols/neutral.ts';
import { openaiChat } from '../../../src/protocols/openai-chat/index.ts';
import { requests } from '../requests.ts';

const target = { model: 'up', stream: false, provider: 'openai-compatibility' };
const user = { role: 'user', content: 'hi' };
const decode = (rest: JsonObject = {}): ChatRequest =>
  openaiChat.decodeRequest({ model: 'm', messages: [user], ...rest });
const encode = (messages: ChatRequest['messages'], rest: Partial<ChatRequest> = {}): JsonObject =>
  openaiChat.encodeRequest({ model: 'm', stream: false, tools: [], messages, ...rest }, target);

describe('decodeRequest of openai-chat', () => {
  it('reads sampling and limits, the newer limit first', () => {
    const request = decode({
      max_tokens: 1,
      max_completion_tokens: 2,
      temperature: 0,
      top_p: 1,
      stop: 'x',
      n: 2,
      seed: 3,
    });
    assert.deepEqual(request, {
      model: 'm',
      stream: false,
      messages: [{ role: 'user', parts: [{ type: 'text', text: 'hi' }] }],
      tools: [],
      maxTokens: 2,
      temperature: 0,
      topP: 1,
      stop: ['x'],
      candidates: 2,
      seed: 3,
    });
  });

  it('reads text, images, files and audio', () => {
    const content: JsonObject[] = [
      { type: 'text', text: 'a' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,QUJD', detail: 'low' } },
      { type: 'image_url', image_url: { url: 'https://example.com/a.jpg' } },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,QUJD' } },
      { type: 'file', file: { file_id: 'file-1' } },
      { type: 'input_audio', input_audio: { data: 'QUJD', format: 'mp3' } },
    ];
    const base64 = { kind: 'base64', base64: 'QUJD' };
    assert.deepEqual(decode({ messages: [{ role: 'user', content }] }).messages[0]?.parts, [
      { type: 'text', text: 'a' },
      { type: 'file', mediaType: 'image/png', data: base64, detail: 'low' },
      { type: 'file', mediaType: 'image/jpeg', data: { kind: 'url', url: 'https://example.com/a.jpg' } },
      { type: 'file', mediaType: 'application/pdf', data: base64, filename: 'a.pdf' },
      { type: 'file', mediaType: '', data: { kind: 'id', id: 'file-1' } },
      { type: 'file', mediaType: 'audio/mp3', data: base64 },
    ]);
  });

  it('names tool results after the call they answer and puts those of one round together', () => {
    const call = (id: string, name: string): JsonObject => ({
      id,
      type: 'function',
      function: { name, arguments: '{}' },
    });
    const messages: JsonObject[] = [
      { role: 'assistant', content: null, tool_calls: [call('a', 'f'), call('b', 'g')] },
      { role: 'tool', tool_call_id: 'a', content: '1' },
      { role: 'tool', tool_call_id: 'b', content: [{ type: 'text', text: '2' }] },
    ];
    assert.deepEqual(decode({ messages }).messages[1], {
      role: 'tool',
      parts: [
        { type: 'tool-result', callId: 'a', name: 'f', content: [{ type: 'text', text: '1' }] },
        { type: 'tool-result', callId: 'b', name: 'g', content: [{ type: 'text', text: '2' }] },
      ],
    });
  });

  it('understands functions and function_call of old clients', () => {
    const request = decode({
      functions: [{ name: 'f' }],
      function_call: { name: 'f' },
      messages: [
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
        { role: 'function', name: 'f', content: 'r' },
      ],
    });
    assert.deepEqual(request.tools, [{ type: 'function', name: 'f' }]);
    assert.deepEqual(request.toolChoice, { type: 'tool', name: 'f' });
    assert.deepEqual(request.messages[1]?.parts[0], {
      type: 'tool-result',
      callId: 'f',
      name: 'f',
      content: [{ type: 'text', text: 'r' }],
    });
  });

  it('reads every tool choice, auto as absent', () => {
    const choose = (tool_choice: JsonObject | string) => decode({ tool_choice }).toolChoice;
    assert.equal(choose('auto'), undefined);
    assert.deepEqual(choose('none'), { type: 'none' });
    assert.deepEqual(choose('required'), { type: 'required' });
    assert.deepEqual(choose({ type: 'function', function: { name: 'f' } }), { type: 'tool', name: 'f' });
  });

  it('reads effort, response format and the wish for usage', () => {
    const schema = { type: 'object' };
    const request = decode({
      reasoning_effort: 'none',
      response_format: { type: 'json_schema', json_schema: { name: 'o', schema, strict: true } },
      stream_options: { include_usage: true },
    });
    assert.deepEqual(request.thinking, { type: 'off' });
    assert.deepEqual(request.responseFormat, { type: 'json', name: 'o', schema, strict: true });
    assert.equal(request.includeUsage, true);
  });

  it('keeps what it does not know, and writes it back', () => {
    const request = decode({ logit_bias: { '1': 2 }, verbosity: 'low' });
    assert.deepEqual(request.extras, { 'openai-chat': { logit_bias: { '1': 2 }, verbosity: 'low' } });
    assert.equal(openaiChat.encodeRequest(request, target).verbosity, 'low');
  });

  it('takes a Responses body for what it is', () => {
    const request = openaiChat.decodeRequest({ model: 'm', input: 'hi', instructions: 'S' });
    assert.deepEqual(
      request.messages.map((message) => message.role),
      ['system', 'user'],
    );
  });

  it('refuses what it cannot read with a 400', () => {
    const broken: JsonObject[] = [
      {},
      { model: 'm' },
      { model: 1, messages: [] },
      { model: 'm', messages: 'x' },
      { model: 'm', messages: [1] },
      { model: 'm', messages: [{ role: 'robot', content: 'x' }] },
      { model: 'm', messages: [{ role: 'user', content: 5 }] },
      { model: 'm', messages: [], temperature: 'hot' },
      { model: 'm', messages: [], stop: [1] },
      { model: 'm', messages: [], tools: [{ type: 'function' }] },
      { model: 'm', messages: [], tools: {} },
    ];
    for (const body of broken) {
      assert.throws(
        () => openaiChat.decodeRequest(body),
        (error) => error instanceof Failure && error.status === 400 && error.kind === 'invalid-request',
        JSON.stringify(body),
      );
    }
  });

  it('meets any JSON with a request or a 400, never with a crash', () => {
    const names = [
      'model',
      'messages',
      'tools',
      'tool_choice',
      'stop',
      'stream',
      'role',
      'content',
      'type',
      'function',
    ];
    const key = fc.oneof(
      fc.constantFrom(...names, 'tool_calls', 'image_url', 'name', 'input', '__proto__'),
      fc.string(),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom('user', 'assistant', 'tool', 'text', 'function', null, 0, true, 'm'),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.record({ model: tree, messages: fc.array(tree), tools: tree, tool_choice: tree, stop: tree }),
        (body) => {
          try {
            openaiChat.decodeRequest(body as JsonObject);
          } catch (error) {
            assert.ok(error instanceof Failure, String(error));
          }
        },
      ),
    );
  });
});

describe('encodeRequest of openai-chat', () => {
  it('asks for usage in every stream', () => {
    const body = openaiChat.encodeRequest(decode(), { ...target, stream: true });
    assert.deepEqual([body.model, body.stream, body.stream_options], ['up', true, { include_usage: true }]);
  });

  it('puts tool results before anything else their turn says, images inside', () => {
    const image = { type: 'file', mediaType: 'image/png', data: { kind: 'base64', base64: 'QUJD' } } as const;
    const body = encode([
      {
        role: 'user',
        parts: [
          { type: 'text', text: 'fyi' },
          { type: 'tool-result', callId: 'a', name: 'f', content: [{ type: 'text', text: '1' }, image] },
          { type: 'tool-result', callId: 'b', name: 'g', content: [], json: { ok: true } },
        ],
      },
    ]);
    assert.deepEqual(body.messages, [
      {
        role: 'tool',
        tool_call_id: 'a',
        content: [
          { type: 'text', text: '1' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,QUJD' } },
        ],
      },
      { role: 'tool', tool_call_id: 'b', content: '{"ok":true}' },
      { role: 'user', content: 'fyi' },
    ]);
  });

  it('joins several texts of one result with a blank line', () => {
    const content = ['a', 'b'].map((text) => ({ type: 'text', text }) as const);
    const body = encode([{ role: 'tool', parts: [{ type: 'tool-result', callId: 'a', name: 'f', content }] }]);
    assert.deepEqual(body.messages, [{ role: 'tool', tool_call_id: 'a', content: 'a\n\nb' }]);
  });

  it('makes one message of thoughts, text and calls, and none of an empty turn', () => {
    const body = encode([
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'hm', origin: 'anthropic', signature: 's' },
          { type: 'text', text: 'Let me look.' },
          { type: 'tool-call', id: 'a', name: 'f', arguments: '' },
        ],
      },
      { role: 'assistant', parts: [{ type: 'reasoning', text: '', origin: 'anthropic', redacted: 'x' }] },
    ]);
    assert.deepEqual(body.messages, [
      {
        role: 'assistant',
        content: 'Let me look.',
        reasoning_content: 'hm',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '' } }],
      },
    ]);
  });

  it('sends a tool choice only with tools, and a schema for a tool without parameters', () => {
    assert.equal(encode([], { toolChoice: { type: 'none' }, parallelToolCalls: false }).tool_choice, undefined);
    const body = encode([], {
      tools: [
        { type: 'function', name: 'f' },
        { type: 'builtin', protocol: 'gemini', kind: 'googleSearch', raw: {} },
      ],
      toolChoice: { type: 'tool', name: 'f' },
      parallelToolCalls: false,
    });
    assert.deepEqual(body.tools, [
      { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } },
    ]);
    assert.deepEqual(body.tool_choice, { type: 'function', function: { name: 'f' } });
    assert.equal(body.parallel_tool_calls, false);
  });

  it('never passes on service tiers and metadata of other vendors', () => {
    const body = encode([], { serviceTier: 'standard_only', metadata: { user_id: 'u' } });
    assert.deepEqual([body.service_tier, body.metadata], [undefined, undefined]);
  });

  it('is undone by decodeRequest, for any request both can say', () => {
    fc.assert(
      fc.property(requests('openai-chat'), (request) => {
        const back = openaiChat.decodeRequest(openaiChat.encodeRequest(request, { ...target, model: request.model }));
        assert.deepEqual(back, request);
      }),
    );
  });
});
