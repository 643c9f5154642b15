import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  mergeBetas,
  takeBetas,
  withCacheBreakpoints,
  withThinkingLimits,
} from '../../../src/protocols/anthropic/index.ts';
import type { JsonObject } from '../../../src/protocols/neutral.ts';

const mark = { type: 'ephemeral' };
const block = (text: string, cache?: JsonObject): JsonObject => ({
  type: 'text',
  text,
  ...(cache ? { cache_control: cache } : {}),
});

describe('cache breakpoints', () => {
  it('go on the last tool, the last system block and the second-to-last user turn when there are none', () => {
    const body = {
      tools: [{ name: 'a' }, { name: 'b' }],
      system: 'Be brief.',
      messages: [
        { role: 'user', content: 'One' },
        { role: 'assistant', content: '1' },
        { role: 'user', content: 'Two' },
      ],
    };
    const before = structuredClone(body);
    assert.deepEqual(withCacheBreakpoints(body), {
      tools: [{ name: 'a' }, { name: 'b', cache_control: mark }],
      system: [block('Be brief.', mark)],
      messages: [
        { role: 'user', content: [block('One', mark)] },
        { role: 'assistant', content: '1' },
        { role: 'user', content: 'Two' },
      ],
    });
    assert.deepEqual(body, before);
  });

  it('are left to a client that set any, wherever it did', () => {
    const messages = [{ role: 'user', content: [{ type: 'tool_result', content: [block('x', mark)] }] }];
    const body = { system: 'S', messages };
    assert.equal(withCacheBreakpoints(body), body);
    const automatic = { system: 'S', messages: [], cache_control: mark };
    assert.equal(withCacheBreakpoints(automatic), automatic);
  });

  it('beyond four are taken away: system, then tools, then messages, each from the start', () => {
    const limited = withCacheBreakpoints({
      tools: [
        { name: 'a', cache_control: mark },
        { name: 'b', cache_control: mark },
      ],
      system: [block('s1', mark), block('s2', mark)],
      messages: [{ role: 'user', content: [block('m1', mark), block('m2', mark), block('m3', mark)] }],
    });
    assert.deepEqual(limited, {
      tools: [{ name: 'a' }, { name: 'b', cache_control: mark }],
      system: [block('s1'), block('s2', mark)],
      messages: [{ role: 'user', content: [block('m1'), block('m2', mark), block('m3', mark)] }],
    });
  });

  it('of one hour lose their lifetime after a shorter one', () => {
    const long = { type: 'ephemeral', ttl: '1h' };
    const ordered = withCacheBreakpoints({
      tools: [{ name: 'a', cache_control: long }],
      system: [block('s', mark)],
      messages: [{ role: 'user', content: [block('m', long)] }],
    });
    assert.deepEqual(ordered, {
      tools: [{ name: 'a', cache_control: long }],
      system: [block('s', mark)],
      messages: [{ role: 'user', content: [block('m', mark)] }],
    });
  });

  it('are never more than four and never grow where the client set some', () => {
    const blocks = fc.array(fc.boolean(), { maxLength: 6 });
    fc.assert(
      fc.property(blocks, blocks, blocks, (tools, system, content) => {
        const marked = (flags: boolean[]): JsonObject[] =>
          flags.map((on, at) => block(`t${at}`, on ? mark : undefined));
        const count = [...tools, ...system, ...content].filter(Boolean).length;
        fc.pre(count > 0);
        const body = {
          tools: marked(tools),
          system: marked(system),
          messages: [{ role: 'user', content: marked(content) }],
        };
        const left = JSON.stringify(withCacheBreakpoints(body)).split('cache_control').length - 1;
        assert.equal(left, Math.min(4, count));
      }),
    );
  });
});

describe('thinking limits', () => {
  it('add a token limit from the catalog, else 1024', () => {
    assert.equal(withThinkingLimits({}).max_tokens, 1024);
    assert.equal(withThinkingLimits({}, { maxOutputTokens: 64_000 }).max_tokens, 64_000);
    assert.equal(withThinkingLimits({ max_tokens: 5 }).max_tokens, 5);
  });

  it('keep the budget below the limit, unless the model cannot think that little', () => {
    const thinking = { type: 'enabled', budget_tokens: 9000 };
    assert.deepEqual(withThinkingLimits({ max_tokens: 5000, thinking }, { minBudget: 1024 }).thinking, {
      type: 'enabled',
      budget_tokens: 4999,
    });
    assert.deepEqual(withThinkingLimits({ max_tokens: 500, thinking }, { minBudget: 1024 }).thinking, thinking);
  });

  it('take thinking away from a forced tool call and keep the answer format', () => {
    const format = { type: 'json_schema' };
    const body = {
      max_tokens: 9,
      thinking: { type: 'enabled' },
      output_config: { effort: 'high', format },
      temperature: 0.2,
    };
    const forced = withThinkingLimits({ ...body, tool_choice: { type: 'any' } });
    assert.deepEqual(forced, {
      max_tokens: 9,
      output_config: { format },
      temperature: 0.2,
      tool_choice: { type: 'any' },
    });
    assert.equal(
      withThinkingLimits({ output_config: { effort: 'low' }, tool_choice: { type: 'tool' } }).output_config,
      undefined,
    );
  });

  it('set temperature to 1 where a thinking body has another', () => {
    assert.equal(withThinkingLimits({ temperature: 0.3, thinking: { type: 'adaptive' } }).temperature, 1);
    assert.equal(withThinkingLimits({ temperature: 0.3, thinking: { type: 'disabled' } }).temperature, 0.3);
    assert.equal('temperature' in withThinkingLimits({ thinking: { type: 'enabled' } }), false);
  });
});

describe('betas', () => {
  it('leave the body and join the header without repeats', () => {
    const { body, betas } = takeBetas({ model: 'm', betas: ['a', 'b'] });
    assert.deepEqual(body, { model: 'm' });
    assert.equal(mergeBetas('b, c', betas, undefined, 'oauth'), 'b,c,a,oauth');
  });
});
