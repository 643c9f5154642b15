// The reference matrix of upstreams.md §4.7: an OpenAI chat client, the wish in the model name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/failure.ts';
import { withThinkingLimits } from '../../../src/protocols/anthropic/index.ts';
import type { JsonObject, ProtocolId } from '../../../src/protocols/neutral.ts';
import { applyThinking, splitSuffix, type ThinkingDialect } from '../../../src/protocols/thinking/index.ts';
import { catalogModel } from '../../../src/providers/catalog.ts';

const suffixes = ['none', 'auto', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', '500', '8192', '200000'];

function applied(dialect: ThinkingDialect, native: ProtocolId, catalog: string, name: string, body: JsonObject) {
  const { base, thinking } = splitSuffix(name);
  const info = catalogModel(catalog, base);
  assert.ok(info, `${base} is in the catalog`);
  const written = applyThinking(body, { dialect, client: 'openai-chat', native, suffix: thinking, info, model: base });
  if (native !== 'anthropic') return written;
  return withThinkingLimits(written, { maxOutputTokens: info.maxOutputTokens, minBudget: info.thinking?.min });
}

type Cell = string | number;
interface Row {
  catalog: string;
  model: string;
  dialect: ThinkingDialect;
  native: ProtocolId;
  body?: JsonObject;
  show(body: JsonObject): Cell;
  cells: Cell[];
}

const codexEffort = (body: JsonObject): Cell => (body.reasoning as { effort: string }).effort;

function claudeThinking(body: JsonObject): Cell {
  const thinking = body.thinking as { type: string; budget_tokens?: number };
  if (thinking.type === 'disabled') return 'disabled';
  return thinking.budget_tokens ?? (body.output_config as { effort: string }).effort;
}

function geminiThinking(body: JsonObject): Cell {
  const config = (body.generationConfig as JsonObject | undefined)?.thinkingConfig as JsonObject | undefined;
  if (!config) return 'removed';
  const value = (config.thinkingLevel ?? config.thinkingBudget) as Cell;
  return config.includeThoughts === false ? `${value} hidden` : value;
}

const iflowSwitch = (body: JsonObject): Cell =>
  String((body.chat_template_kwargs as { enable_thinking: boolean }).enable_thinking);

function kimiThinking(body: JsonObject): Cell {
  return body.thinking ? (body.thinking as { type: string }).type : (body.reasoning_effort as string);
}

const gemini = { catalog: 'gemini', dialect: 'gemini', native: 'gemini', show: geminiThinking } as const;
const claude = {
  catalog: 'claude',
  dialect: 'claude',
  native: 'anthropic',
  show: claudeThinking,
  body: { max_tokens: 32000 } as JsonObject,
} as const;
const codex = { catalog: 'codex-pro', dialect: 'codex', native: 'openai-responses', show: codexEffort } as const;

const rows: Row[] = [
  {
    catalog: 'iflow',
    model: 'glm-4.6',
    dialect: 'iflow',
    native: 'openai-chat',
    show: iflowSwitch,
    cells: ['false', ...Array<string>(10).fill('true')],
  },
  {
    ...codex,
    model: 'gpt-5.2',
    cells: ['none', 'medium', 400, 'low', 'medium', 'high', 'xhigh', 400, 'low', 'medium', 'xhigh'],
  },
  {
    ...codex,
    model: 'gpt-5-codex',
    cells: ['low', 'medium', 400, 'low', 'medium', 'high', 400, 400, 'low', 'medium', 'high'],
  },
  {
    ...claude,
    model: 'claude-sonnet-4-5-20250929',
    cells: ['disabled', 31999, 1024, 1024, 8192, 24576, 31999, 31999, 1024, 8192, 31999],
  },
  {
    ...claude,
    model: 'claude-opus-4-6',
    cells: ['disabled', 31999, 'low', 'low', 'medium', 'high', 'high', 'max', 1024, 8192, 31999],
  },
  {
    ...gemini,
    model: 'gemini-2.5-pro',
    cells: ['128 hidden', -1, 512, 1024, 8192, 24576, 32768, 32768, 500, 8192, 32768],
  },
  {
    ...gemini,
    model: 'gemini-2.5-flash',
    cells: ['0 hidden', -1, 512, 1024, 8192, 24576, 24576, 24576, 500, 8192, 24576],
  },
  {
    ...gemini,
    model: 'gemini-3-pro-preview',
    cells: ['low hidden', -1, 'low', 'low', 'low', 'high', 'high', 'high', 500, 8192, 32768],
  },
  {
    ...gemini,
    model: 'gemini-3-flash-preview',
    cells: ['minimal hidden', -1, 'minimal', 'low', 'medium', 'high', 'high', 'high', 500, 8192, 32768],
  },
  {
    ...gemini,
    catalog: 'antigravity',
    model: 'claude-opus-4-6-thinking',
    body: { generationConfig: { maxOutputTokens: 64000 } },
    cells: ['removed', -1, 1024, 1024, 8192, 24576, 32768, 63999, 1024, 8192, 63999],
  },
  {
    catalog: 'kimi',
    model: 'kimi-k2-thinking',
    dialect: 'kimi',
    native: 'openai-chat',
    show: kimiThinking,
    cells: ['disabled', 'auto', 'low', 'low', 'medium', 'high', 'xhigh', 'xhigh', 'low', 'medium', 'xhigh'],
  },
];

for (const row of rows) {
  test(`${row.model} takes every suffix as the reference matrix says`, () => {
    const shown = suffixes.map((suffix) => {
      try {
        return row.show(
          applied(row.dialect, row.native, row.catalog, `${row.model}(${suffix})`, structuredClone(row.body ?? {})),
        );
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
        return error.status;
      }
    });
    assert.deepEqual(shown, row.cells);
  });
}

test('0 means none and -1 means auto', () => {
  assert.deepEqual(splitSuffix('m(0)').thinking, { type: 'off' });
  assert.deepEqual(splitSuffix('m(000)').thinking, { type: 'off' });
  assert.deepEqual(splitSuffix('m(-1)').thinking, { type: 'auto' });
});

test('a suffix that means nothing is taken off and asks for nothing', () => {
  assert.deepEqual(splitSuffix('glm-4.6(what)'), { base: 'glm-4.6', suffix: 'what', thinking: undefined });
  assert.deepEqual(splitSuffix('glm-4.6()').base, 'glm-4.6');
  assert.deepEqual(splitSuffix('a(b)(HIGH)'), {
    base: 'a(b)',
    suffix: 'HIGH',
    thinking: { type: 'level', level: 'high' },
  });
  assert.deepEqual(splitSuffix('plain'), { base: 'plain' });
});

test('clear_thinking: false goes with every switched-on GLM', () => {
  const body = applied('iflow', 'openai-chat', 'iflow', 'glm-4.6(high)', { reasoning_effort: 'low' });
  assert.deepEqual(body, { chat_template_kwargs: { enable_thinking: true, clear_thinking: false } });
});

test('a model that cannot think loses every thinking field, suffix or not', () => {
  const iflow = {
    reasoning_effort: 'high',
    chat_template_kwargs: { enable_thinking: true, x: 1 },
    reasoning_split: true,
  };
  assert.deepEqual(applied('iflow', 'openai-chat', 'iflow', 'qwen3-coder-plus(high)', iflow), {
    chat_template_kwargs: { x: 1 },
  });
  assert.deepEqual(
    applied('claude', 'anthropic', 'claude', 'claude-3-5-haiku-20241022', {
      thinking: { type: 'enabled', budget_tokens: 9 },
      output_config: { effort: 'low' },
      max_tokens: 8192,
    }),
    { max_tokens: 8192 },
  );
});
