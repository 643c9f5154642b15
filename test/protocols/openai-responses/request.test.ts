import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/failure.ts';
import type { ChatRequest, Json, JsonObject } from '../../../src/protocols/neutral.ts';
import { codexAfterRules, codexBody, openaiResponses } from '../../../src/protocols/openai-responses/index.ts';
import { restoreToolNames } from '../../../src/protocols/tool-names.ts';
import { requests } from '../requests.ts';

const plain = { model: 'up', stream: false, provider: 'openai' };
const codex = { model: 'up', stream: true, provider: 'codex' };
const decode = (input: Json, rest: JsonObject = {}): ChatRequest =>
  openaiResponses.decodeRequest({ model: 'm', input, ...rest });
const encode = (messages: ChatRequest['messages'], rest: Partial<ChatRequest> = {}): JsonObject =>
  openaiResponses.encodeRequest({ model: 'm', stream: false, tools: [], messages, ...rest }, codex);

describe('decodeRequest of openai-responses', () => {
  it('reads a string, instructions and easy messages', () => {
    assert.deepEqual(decode('hi', { instructions: 'S' }).messages, [
      { role: 'system', parts: [{ type: 'text', text: 'S' }] },
      { role: 'user', parts: [{ type: 'text', text: 'hi' }] },
    ]);
    assert.deepEqual(decode([{ role: 'developer', content: 'D' }]).messages, [
      { role: 'developer', parts: [{ type: 'text', text: 'D' }] },
    ]);
  });

  it('makes one answer of thoughts, text and neighbouring calls, and one turn of their results', () => {
    const call = (id: string): JsonObject => ({ type: 'function_call', call_id: id, name: 'f', arguments: '{}' });
    const result = (id: string): JsonObject => ({ type: 'function_call_output', call_id: id, output: 'r' });
    const { messages } = decode([
      { role: 'user', content: 'q' },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'g' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'ok' }] },
      call('a'),
      call('b'),
      result('a'),
      result('b'),
      { role: 'assistant', content: 'one' },
      { role: 'assistant', content: 'two' },
    ]);
    assert.deepEqual(
      messages.map(({ role, parts }) => [role, ...parts.map((part) => part.type)]),
      [
        ['user', 'text'],
        ['assistant', 'reasoning', 'text', 'tool-call', 'tool-call'],
        ['tool', 'tool-result', 'tool-result'],
        ['assistant', 'text'],
        ['assistant', 'text'],
      ],
    );
    assert.deepEqual(messages[1]?.parts[0], {
      type: 'reasoning',
      text: 'hm',
      signature: 'g',
      origin: 'openai-responses',
      id: 'rs_1',
    });
    assert.deepEqual(messages[2]?.parts[0], {
      type: 'tool-result',
      callId: 'a',
      name: 'f',
      content: [{ type: 'text', text: 'r' }],
    });
  });

  it('reads an output array as parts, never as JSON text', () => {
    const output: JsonObject[] = [
      { type: 'input_text', text: 'p1' },
      { type: 'input_image', image_url: 'data:image/png;base64,QUJD' },
    ];
    const part = decode([{ type: 'function_call_output', call_id: 'a', output }]).messages[0]?.parts[0];
    assert.deepEqual(part?.type === 'tool-result' && part.content, [
      { type: 'text', text: 'p1' },
      { type: 'file', mediaType: 'image/png', data: { kind: 'base64', base64: 'QUJD' } },
    ]);
  });

  it('reads files given as data, link and id', () => {
    const content: JsonObject[] = [
      { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,QUJD' },
      { type: 'input_file', file_url: 'https://example.com/x' },
      { type: 'input_file', file_id: 'file-1' },
    ];
    assert.deepEqual(decode([{ role: 'user', content }]).messages[0]?.parts, [
      { type: 'file', mediaType: 'application/pdf', data: { kind: 'base64', base64: 'QUJD' }, filename: 'a.pdf' },
      { type: 'file', mediaType: 'application/pdf', data: { kind: 'url', url: 'https://example.com/x' } },
      { type: 'file', mediaType: '', data: { kind: 'id', id: 'file-1' } },
    ]);
  });

  it('reads tools, flat and nested, and keeps built-in ones', () => {
    const { tools } = decode('x', {
      tools: [
        { type: 'function', name: 'f', strict: null },
        { type: 'function', function: { name: 'g' } },
        { type: 'web_search' },
      ],
    });
    assert.deepEqual(tools, [
      { type: 'function', name: 'f' },
      { type: 'function', name: 'g' },
      { type: 'builtin', protocol: 'openai-responses', kind: 'web_search', raw: { type: 'web_search' } },
    ]);
  });

  it('refuses what it cannot read with a 400', () => {
    for (const body of [{}, { model: 'm' }, { model: 'm', input: 5 }, { model: 'm', input: [1] }] as JsonObject[]) {
      assert.throws(() => openaiResponses.decodeRequest(body), Failure, JSON.stringify(body));
    }
    assert.throws(() => decode([{ role: 'robot', content: 'x' }]), Failure);
    assert.throws(() => decode([{ type: 'function_call', call_id: 'a' }]), Failure);
  });
});

describe('encodeRequest for Codex', () => {
  it('sets what the backend wants and sends none of what it refuses', () => {
    const body = encode([{ role: 'user', parts: [{ type: 'text', text: 'hi' }] }], {
      maxTokens: 5,
      temperature: 1,
      topP: 1,
      stop: ['x'],
      seed: 1,
      user: 'u',
      serviceTier: 'auto',
      metadata: { k: 'v' },
      promptCacheKey: 'p',
    });
    assert.deepEqual(body, {
      model: 'up',
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }],
      instructions: '',
      stream: true,
      store: false,
      include: ['reasoning.encrypted_content'],
      parallel_tool_calls: true,
      reasoning: { effort: 'medium', summary: 'auto' },
    });
  });

  it('makes system text developer items in their place, and honours a serial client', () => {
    const body = encode(
      [
        { role: 'user', parts: [{ type: 'text', text: 'hi' }] },
        { role: 'system', parts: [{ type: 'text', text: 'S' }] },
      ],
      { parallelToolCalls: false },
    );
    assert.deepEqual(
      (body.input as JsonObject[]).map((item) => item.role),
      ['user', 'developer'],
    );
    assert.equal(body.parallel_tool_calls, false);
  });

  it('shortens long names in declarations, choice and history, and can restore them', () => {
    const long = `mcp__${'server'.repeat(12)}__do_it`;
    const request: ChatRequest = {
      model: 'm',
      stream: false,
      tools: [{ type: 'function', name: long, parameters: { $schema: 'x', type: 'object' } }],
      toolChoice: { type: 'tool', name: long },
      messages: [{ role: 'assistant', parts: [{ type: 'tool-call', id: 'a', name: long, arguments: '' }] }],
    };
    const body = openaiResponses.encodeRequest(request, codex);
    assert.deepEqual(body.tools, [
      { type: 'function', name: 'mcp__do_it', parameters: { type: 'object', properties: {} }, strict: false },
    ]);
    assert.deepEqual(body.tool_choice, { type: 'function', name: 'mcp__do_it' });
    assert.deepEqual(body.input, [{ type: 'function_call', call_id: 'a', name: 'mcp__do_it', arguments: '' }]);
    assert.equal(restoreToolNames(request, codex).get('mcp__do_it'), long);
  });

  it('sends thoughts back only with their proof, and only its own', () => {
    const { input } = encode([
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'mine', origin: 'openai-responses', signature: 'g', id: 'rs_1' },
          { type: 'reasoning', text: 'unproven', origin: 'openai-responses' },
          { type: 'reasoning', text: 'foreign', origin: 'anthropic', signature: 's' },
          { type: 'text', text: 'ok' },
        ],
      },
    ]);
    assert.deepEqual(input, [
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'mine' }], encrypted_content: 'g' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'ok' }] },
    ]);
  });

  it('sends images of tool results, documents and links in their own parts', () => {
    const file = (mediaType: string, data: { kind: 'url'; url: string } | { kind: 'base64'; base64: string }) =>
      ({ type: 'file', mediaType, data }) as const;
    const url = { kind: 'url', url: 'https://example.com/a' } as const;
    const { input } = encode([
      {
        role: 'tool',
        parts: [
          {
            type: 'tool-result',
            callId: 'a',
            name: 'f',
            content: [{ type: 'text', text: 't' }, file('image/png', url)],
          },
        ],
      },
      {
        role: 'user',
        parts: [file('application/pdf', { kind: 'base64', base64: 'QUJD' }), file('application/pdf', url)],
      },
    ]);
    assert.deepEqual(input, [
      {
        type: 'function_call_output',
        call_id: 'a',
        output: [
          { type: 'input_text', text: 't' },
          { type: 'input_image', image_url: url.url },
        ],
      },
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_file', filename: 'document.pdf', file_data: 'data:application/pdf;base64,QUJD' },
          { type: 'input_file', file_url: url.url },
        ],
      },
    ]);
  });

  it('keeps the search tool of other vendors and drops the rest', () => {
    const builtin = (kind: string) => ({ type: 'builtin', protocol: 'anthropic', kind, raw: {} }) as const;
    const body = encode([], { tools: [builtin('web_search_20250305'), builtin('computer_20250124')] });
    assert.deepEqual(body.tools, [{ type: 'web_search' }]);
  });
});

describe('encodeRequest of plain openai-responses', () => {
  it('is undone by decodeRequest, for any request both can say', () => {
    fc.assert(
      fc.property(requests('openai-responses'), (request) => {
        const body = openaiResponses.encodeRequest(request, { ...plain, model: request.model });
        const { extras: _extras, ...back } = openaiResponses.decodeRequest(body);
        assert.deepEqual(back, request);
      }),
    );
  });

  it('keeps what the neutral form does not carry', () => {
    const request = decode('x', { store: true, truncation: 'auto', instructions: 'S' });
    const body = openaiResponses.encodeRequest(request, plain);
    assert.deepEqual([body.store, body.truncation, body.instructions], [true, 'auto', undefined]);
  });
});

describe('codexBody', () => {
  it('removes what the backend refuses and keeps everything else', () => {
    const body: JsonObject = {
      model: 'm',
      input: 'hi',
      stream: false,
      store: true,
      include: ['message.output_text.logprobs'],
      reasoning: { effort: 'high', summary: 'detailed' },
      text: { verbosity: 'low' },
      metadata: { k: 'v' },
      prompt_cache_key: 'p',
      service_tier: 'auto',
      parallel_tool_calls: false,
    };
    const refused = [
      'max_output_tokens',
      'temperature',
      'top_p',
      'truncation',
      'user',
      'context_management',
      'previous_response_id',
      'prompt_cache_retention',
      'safety_identifier',
      'stream_options',
    ];
    for (const key of refused) body[key] = 'x';
    const before = structuredClone(body);
    assert.deepEqual(codexBody(body, { model: 'up' }), {
      model: 'up',
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }],
      instructions: '',
      stream: true,
      store: false,
      include: ['reasoning.encrypted_content'],
      reasoning: { effort: 'high', summary: 'detailed' },
      text: { verbosity: 'low' },
      metadata: { k: 'v' },
      prompt_cache_key: 'p',
      parallel_tool_calls: false,
    });
    assert.deepEqual(body, before);
  });

  it('keeps the priority tier, renames system to developer and old search tools', () => {
    const preview = { type: 'web_search_preview_2025_03_11' };
    const body = codexBody({
      model: 'm',
      service_tier: 'priority',
      input: [
        { role: 'system', content: 'S' },
        { role: 'user', content: 'q' },
      ],
      tools: [
        { type: 'web_search_preview', search_context_size: 'low' },
        { type: 'custom', name: 'c' },
      ],
      tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [preview] },
    });
    assert.equal(body.service_tier, 'priority');
    assert.deepEqual((body.input as JsonObject[])[0], { role: 'developer', content: 'S' });
    assert.deepEqual(body.tools, [
      { type: 'web_search', search_context_size: 'low' },
      { type: 'custom', name: 'c' },
    ]);
    assert.deepEqual(body.tool_choice, { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'web_search' }] });
  });

  it('touches only model, stream and instructions for compact', () => {
    assert.deepEqual(
      codexBody({ model: 'm', input: 'x', stream: true, temperature: 1 }, { model: 'up', compact: true }),
      {
        model: 'up',
        input: 'x',
        temperature: 1,
        instructions: '',
      },
    );
  });

  it('has its last word after payload rules', () => {
    assert.deepEqual(codexAfterRules({ stream: false, safety_identifier: 's', instructions: null }), {
      stream: true,
      instructions: '',
    });
  });
});
