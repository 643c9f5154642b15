import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import { anthropic } from '../../../src/protocols/anthropic/index.ts';
import type { ChatRequest, JsonObject, Message, Part } from '../../../src/protocols/neutral.ts';

const target = { model: 'claude-sonnet-4-5-20250929', stream: false, provider: 'claude' };

function request(members: Partial<ChatRequest>): ChatRequest {
  return { model: 'm', stream: false, messages: [], tools: [], ...members };
}

function user(...parts: Part[]): Message {
  return { role: 'user', parts };
}

describe('anthropic: reading a request', () => {
  it('takes the system prompt as text or as blocks, cache marks included', () => {
    const text = anthropic.decodeRequest({ model: 'c', system: 'Be brief.', messages: [] });
    assert.deepEqual(text.messages, [{ role: 'system', parts: [{ type: 'text', text: 'Be brief.' }] }]);
    const mark = { type: 'ephemeral', ttl: '1h' };
    const blocks = anthropic.decodeRequest({
      model: 'c',
      system: [{ type: 'text', text: 'A', cache_control: mark }],
      messages: [],
    });
    assert.deepEqual(blocks.messages, [{ role: 'system', parts: [{ type: 'text', text: 'A', cache: mark }] }]);
  });

  it('streams for any stream value but absent and false', () => {
    const streams = (stream?: JsonObject[string]): boolean =>
      anthropic.decodeRequest(stream === undefined ? { messages: [] } : { messages: [], stream }).stream;
    assert.deepEqual([streams(), streams(false), streams(true), streams('yes')], [false, false, true, true]);
  });

  it('names a tool result after the call it answers and keeps its image and its error flag', () => {
    const { messages } = anthropic.decodeRequest({
      messages: [
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'shot', input: { a: 1 } }] },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 'toolu_1',
              is_error: true,
              content: [
                { type: 'text', text: 'seen' },
                { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
              ],
            },
          ],
        },
      ],
    });
    assert.deepEqual(messages[1]?.parts, [
      {
        type: 'tool-result',
        callId: 'toolu_1',
        name: 'shot',
        isError: true,
        content: [
          { type: 'text', text: 'seen' },
          { type: 'file', mediaType: 'image/png', data: { kind: 'base64', base64: 'AAAA' } },
        ],
      },
    ]);
  });

  it('reads all four tool choices and the ban on parallel calls', () => {
    const choice = (tool_choice: JsonObject): unknown =>
      anthropic.decodeRequest({ messages: [], tool_choice }).toolChoice;
    assert.deepEqual(choice({ type: 'auto' }), { type: 'auto' });
    assert.deepEqual(choice({ type: 'any' }), { type: 'required' });
    assert.deepEqual(choice({ type: 'none' }), { type: 'none' });
    assert.deepEqual(choice({ type: 'tool', name: 'x' }), { type: 'tool', name: 'x' });
    const serial = anthropic.decodeRequest({
      messages: [],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
    });
    assert.equal(serial.parallelToolCalls, false);
  });

  it('keeps tools that run at Anthropic as they are', () => {
    const raw = { type: 'web_search_20250305', name: 'web_search', max_uses: 3 };
    const decoded = anthropic.decodeRequest({ messages: [{ role: 'user', content: 'x' }], tools: [raw] });
    assert.deepEqual(decoded.tools, [
      { type: 'builtin', protocol: 'anthropic', kind: 'web_search_20250305', name: 'web_search', raw },
    ]);
    assert.deepEqual(anthropic.encodeRequest(decoded, target).tools, [raw]);
  });

  it('reads adaptive thinking without effort as the largest budget', () => {
    const thinking = (body: JsonObject): unknown => anthropic.decodeRequest({ messages: [], ...body }).thinking;
    assert.deepEqual(thinking({ thinking: { type: 'adaptive' } }), { type: 'budget', tokens: 128_000 });
    assert.deepEqual(thinking({ thinking: { type: 'adaptive' }, output_config: { effort: 'medium' } }), {
      type: 'level',
      level: 'medium',
    });
    assert.deepEqual(thinking({ thinking: { type: 'enabled', budget_tokens: 2000 } }), {
      type: 'budget',
      tokens: 2000,
    });
    assert.deepEqual(thinking({ thinking: { type: 'disabled' } }), { type: 'off' });
  });

  it('answers 400 when messages are missing or have no lawful role', () => {
    const status = (body: JsonObject): number | undefined => {
      try {
        anthropic.decodeRequest(body);
      } catch (error) {
        return error instanceof Failure ? error.status : undefined;
      }
      return undefined;
    };
    assert.equal(status({}), 400);
    assert.equal(status({ messages: 'hi' }), 400);
    assert.equal(status({ messages: [{ role: 'robot', content: 'x' }] }), 400);
    assert.equal(status({ messages: [{ role: 'user', content: 7 }] }), 400);
  });
});

describe('anthropic: writing a request', () => {
  it('gives a limit when the client gave none and sends temperature rather than both samplers', () => {
    const body = anthropic.encodeRequest(
      request({ messages: [user({ type: 'text', text: 'x' })], temperature: 0.7, topP: 0.9 }),
      target,
    );
    assert.equal(body.max_tokens, 32_000);
    assert.equal(body.temperature, 0.7);
    assert.equal(body.top_p, undefined);
  });

  it('gathers system and developer text from anywhere, and keeps a user turn when there is nothing else', () => {
    const body = anthropic.encodeRequest(
      request({
        messages: [
          { role: 'system', parts: [{ type: 'text', text: 'A' }] },
          { role: 'developer', parts: [{ type: 'text', text: 'B' }] },
        ],
      }),
      target,
    );
    assert.deepEqual(body.system, [
      { type: 'text', text: 'A' },
      { type: 'text', text: 'B' },
    ]);
    assert.deepEqual(body.messages, [{ role: 'user', content: [{ type: 'text', text: '' }] }]);
  });

  it('puts tool results before the rest of their turn', () => {
    const body = anthropic.encodeRequest(
      request({
        messages: [
          user(
            { type: 'text', text: 'fyi' },
            { type: 'tool-result', callId: 'c', name: 'f', content: [{ type: 'text', text: 'ok' }] },
          ),
        ],
      }),
      target,
    );
    assert.deepEqual(body.messages, [
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c', content: 'ok' },
          { type: 'text', text: 'fyi' },
        ],
      },
    ]);
  });

  it('sends thoughts only with a signature that Claude made', () => {
    const parts: Part[] = [
      { type: 'reasoning', text: 'mine', signature: 's', origin: 'anthropic' },
      { type: 'reasoning', text: 'unsigned', origin: 'anthropic' },
      { type: 'reasoning', text: 'foreign', signature: 'g', origin: 'gemini' },
      { type: 'reasoning', text: '', redacted: 'xx', origin: 'anthropic' },
      { type: 'text', text: 'answer' },
    ];
    const body = anthropic.encodeRequest(request({ messages: [{ role: 'assistant', parts }] }), target);
    assert.deepEqual(body.messages, [
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'mine', signature: 's' },
          { type: 'redacted_thinking', data: 'xx' },
          { type: 'text', text: 'answer' },
        ],
      },
    ]);
  });

  it('makes an empty object of arguments that are empty or broken', () => {
    const call = (args: string): Part => ({ type: 'tool-call', id: 'c', name: 'f', arguments: args });
    for (const args of ['', '{"a":', '[1]']) {
      const body = anthropic.encodeRequest(request({ messages: [{ role: 'assistant', parts: [call(args)] }] }), target);
      assert.deepEqual(body.messages, [
        { role: 'assistant', content: [{ type: 'tool_use', id: 'c', name: 'f', input: {} }] },
      ]);
    }
  });

  it('makes ids lawful on both sides of a call alike', () => {
    const body = anthropic.encodeRequest(
      request({
        messages: [
          { role: 'assistant', parts: [{ type: 'tool-call', id: 'functions.f:0', name: 'f', arguments: '{}' }] },
          { role: 'tool', parts: [{ type: 'tool-result', callId: 'functions.f:0', name: 'f', content: [] }] },
        ],
      }),
      target,
    );
    assert.deepEqual(body.messages, [
      { role: 'assistant', content: [{ type: 'tool_use', id: 'functions_f_0', name: 'f', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'functions_f_0' }] },
    ]);
  });

  it('sends tool_choice only with tools, and forbids parallel calls with it', () => {
    const tool = { type: 'function', name: 'f' } as const;
    const choice = (members: Partial<ChatRequest>): unknown =>
      anthropic.encodeRequest(request(members), target).tool_choice;
    assert.equal(choice({ toolChoice: { type: 'required' } }), undefined);
    assert.deepEqual(choice({ tools: [tool], toolChoice: { type: 'required' } }), { type: 'any' });
    assert.deepEqual(choice({ tools: [tool], toolChoice: { type: 'none' }, parallelToolCalls: false }), {
      type: 'none',
    });
    assert.deepEqual(choice({ tools: [tool], parallelToolCalls: false }), {
      type: 'auto',
      disable_parallel_tool_use: true,
    });
  });

  it('turns media into the blocks the API has and leaves out what it has none for', () => {
    const files: Part[] = [
      { type: 'file', mediaType: 'image/*', data: { kind: 'url', url: 'https://e.x/a.jpg' } },
      { type: 'file', mediaType: 'application/pdf', data: { kind: 'base64', base64: 'JVB' }, filename: 'a.pdf' },
      { type: 'file', mediaType: 'text/plain', data: { kind: 'base64', base64: 'aGk=' } },
      { type: 'file', mediaType: 'audio/wav', data: { kind: 'base64', base64: 'UklG' } },
    ];
    const body = anthropic.encodeRequest(request({ messages: [user(...files)] }), target);
    assert.deepEqual(body.messages, [
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'url', url: 'https://e.x/a.jpg' } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: 'JVB' },
            title: 'a.pdf',
          },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'hi' } },
        ],
      },
    ]);
  });

  it('closes the objects of an answer schema and sends it only to models that know it', () => {
    const responseFormat = {
      type: 'json',
      schema: { type: 'object', properties: { n: { type: 'number', minimum: 0 } } },
    } as const;
    assert.deepEqual(anthropic.encodeRequest(request({ responseFormat }), target).output_config, {
      format: {
        type: 'json_schema',
        schema: {
          type: 'object',
          properties: { n: { type: 'number', description: '(minimum: 0)' } },
          additionalProperties: false,
        },
      },
    });
    const old = { ...target, model: 'claude-3-5-haiku-20241022' };
    assert.equal(anthropic.encodeRequest(request({ responseFormat }), old).output_config, undefined);
  });

  it('never invents a user id', () => {
    assert.equal(anthropic.encodeRequest(request({}), target).metadata, undefined);
    assert.deepEqual(anthropic.encodeRequest(request({ user: 'u-1' }), target).metadata, { user_id: 'u-1' });
  });
});

describe('anthropic: round trip', () => {
  const text = fc.string({ minLength: 1 }).map((value): Part => ({ type: 'text', text: value }));
  const image = fc
    .base64String({ minLength: 4 })
    .map((base64): Part => ({ type: 'file', mediaType: 'image/png', data: { kind: 'base64', base64 } }));
  const thought = fc
    .record({ text: fc.string(), signature: fc.string({ minLength: 1 }) })
    .map((part): Part => ({ type: 'reasoning', ...part, origin: 'anthropic' }));
  const exchange = fc
    .record({
      id: fc.stringMatching(/^[a-z0-9_]{1,8}$/),
      name: fc.stringMatching(/^[a-z_]{1,8}$/),
      args: fc.dictionary(fc.string(), fc.integer()),
      result: fc.string(),
    })
    .map(({ id, name, args, result }): Message[] => [
      { role: 'assistant', parts: [{ type: 'tool-call', id, name, arguments: JSON.stringify(args) }] },
      { role: 'user', parts: [{ type: 'tool-result', callId: id, name, content: [{ type: 'text', text: result }] }] },
    ]);
  const turn = fc.oneof(
    fc
      .array(fc.oneof(text, image), { minLength: 1, maxLength: 3 })
      .map((parts): Message[] => [{ role: 'user', parts }]),
    fc
      .array(fc.oneof(text, thought), { minLength: 1, maxLength: 3 })
      .map((parts): Message[] => [{ role: 'assistant', parts }]),
    exchange,
  );

  it('gives back whatever both forms can say', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(turn, {
          minLength: 1,
          maxLength: 5,
          selector: (messages) => JSON.stringify(messages[0]?.parts[0]),
        }),
        fc.option(fc.integer({ min: 1 }), { nil: undefined }),
        (turns, topK) => {
          const messages = turns.flat();
          const ids = messages.flatMap((m) => m.parts.flatMap((p) => (p.type === 'tool-call' ? [p.id] : [])));
          fc.pre(new Set(ids).size === ids.length);
          const original = request({
            model: target.model,
            maxTokens: 99,
            messages,
            ...(topK === undefined ? {} : { topK }),
            tools: [{ type: 'function', name: 'f', description: 'd', parameters: { type: 'object', properties: {} } }],
            toolChoice: { type: 'required' },
            stop: ['END'],
            user: 'u',
          });
          const encoded = anthropic.encodeRequest(original, target);
          assert.deepEqual(anthropic.decodeRequest(encoded), original);
        },
      ),
    );
  });
});
