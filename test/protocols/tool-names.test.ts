import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ChatRequest } from '../../src/protocols/neutral.ts';
import { restoreToolNames, wireToolNames } from '../../src/protocols/tool-names.ts';

const request = (names: string[], history: string[] = []): ChatRequest => ({
  model: 'm',
  stream: false,
  tools: names.map((name) => ({ type: 'function', name })),
  messages: [
    { role: 'assistant', parts: history.map((name) => ({ type: 'tool-call', id: name, name, arguments: '{}' })) },
  ],
});

const codex = { provider: 'codex' };
const gemini = { provider: 'gemini-cli' };

describe('wireToolNames', () => {
  it('leaves every name alone for providers without a rule', () => {
    assert.equal(wireToolNames(request(['x'.repeat(200), 'a b']), { provider: 'claude' }).size, 0);
  });

  it('shortens an MCP name for Codex to its last segment, only when it is too long', () => {
    const long = `mcp__${'server'.repeat(12)}__do_it`;
    assert.deepEqual([...wireToolNames(request([long, 'mcp__a__b']), codex)], [[long, 'mcp__do_it']]);
  });

  it('keeps shortened names apart, and away from names that are declared as they are', () => {
    const [a, b] = [`mcp__${'a'.repeat(80)}__run`, `mcp__${'b'.repeat(80)}__run`];
    assert.deepEqual([...wireToolNames(request([a, b, 'mcp__run']), codex).values()], ['mcp__run_1', 'mcp__run_2']);
  });

  it('makes a name fit for Gemini', () => {
    assert.equal(wireToolNames(request(['get weather/v2@x']), gemini).get('get weather/v2@x'), 'get_weather_v2_x');
    assert.equal(wireToolNames(request(['1st']), gemini).get('1st'), '_1st');
    assert.equal(wireToolNames(request(['ok.name:x-1']), gemini).size, 0);
  });

  it('renames calls of the history that are no longer declared', () => {
    const long = 'z'.repeat(70);
    assert.equal(wireToolNames(request([], [long]), codex).get(long), 'z'.repeat(64));
  });

  it('gives lawful, different names that lead back to the originals', () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 90 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(names, fc.constantFrom(codex, gemini), (originals, target) => {
        const wire = wireToolNames(request(originals), target);
        const back = restoreToolNames(request(originals), target);
        const sent = originals.map((name) => wire.get(name) ?? name);
        assert.equal(new Set(sent).size, originals.length);
        assert.ok(sent.every((name) => name.length <= 64));
        if (target === gemini) assert.ok(sent.every((name) => /^[A-Za-z_][A-Za-z0-9_.:-]*$/.test(name)));
        assert.deepEqual(
          sent.map((name) => back.get(name) ?? name),
          originals,
        );
      }),
    );
  });
});
