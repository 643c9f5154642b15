// Wishes in the body: read in the client's words, fitted, written in the upstream's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelInfo } from '../../../src/credentials/credential.ts';
import { Failure } from '../../../src/failure.ts';
import type { JsonObject, ProtocolId } from '../../../src/protocols/neutral.ts';
import {
  applyThinking,
  readIncludeThoughts,
  readThinking,
  type ThinkingDialect,
} from '../../../src/protocols/thinking/index.ts';
import { catalogModel } from '../../../src/providers/catalog.ts';

function translated(
  client: ProtocolId,
  asked: JsonObject,
  dialect: ThinkingDialect,
  native: ProtocolId,
  info: ModelInfo | undefined,
  body: JsonObject = {},
): JsonObject {
  return applyThinking(body, {
    dialect,
    client,
    native,
    intent: readThinking(client, asked),
    includeThoughts: readIncludeThoughts(client, asked),
    info,
    model: info?.id ?? 'unknown',
  });
}

const pro = catalogModel('gemini', 'gemini-2.5-pro');
const flash = catalogModel('gemini', 'gemini-2.5-flash');
const gpt = catalogModel('codex-pro', 'gpt-5.1');
const opus = catalogModel('claude', 'claude-opus-4-6');

test('a level the model lacks is a 400 within the family and the nearest one across', () => {
  assert.throws(
    () => translated('openai-chat', { reasoning_effort: 'xhigh' }, 'codex', 'openai-responses', gpt),
    (error) =>
      error instanceof Failure &&
      error.status === 400 &&
      error.message === 'level "xhigh" not supported, valid levels: none, low, medium, high',
  );
  const claude = { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } };
  assert.deepEqual(translated('anthropic', claude, 'codex', 'openai-responses', gpt), {
    reasoning: { effort: 'high' },
  });
});

test('a budget out of range is a 400 within the family and clamped across', () => {
  const gemini = { generationConfig: { thinkingConfig: { thinkingBudget: 99999 } } };
  assert.throws(() => translated('gemini', gemini, 'gemini', 'gemini', pro), /budget 99999 out of range \[128,32768\]/);
  const claude = { thinking: { type: 'enabled', budget_tokens: 99999 } };
  assert.deepEqual(translated('anthropic', claude, 'gemini', 'gemini', pro), {
    generationConfig: { thinkingConfig: { thinkingBudget: 32768, includeThoughts: true } },
  });
});

test('a level that does not exist is a 400 everywhere', () => {
  const asked = { reasoning_effort: 'enormous' };
  assert.throws(() => translated('openai-chat', asked, 'gemini', 'gemini', pro), /level "enormous" not supported/);
  assert.throws(() => translated('openai-chat', asked, 'claude', 'anthropic', opus), /valid levels: low, medium/);
});

test('snake-case twins go when something is written', () => {
  const asked = { generation_config: { thinking_config: { thinking_level: 'high', include_thoughts: false } } };
  assert.deepEqual(translated('gemini', asked, 'gemini', 'gemini', pro, structuredClone(asked) as JsonObject), {
    generationConfig: { thinkingConfig: { thinkingBudget: 24576, includeThoughts: false } },
  });
});

test('the envelope dialect writes inside request', () => {
  const body = { project: 'p', request: { contents: [] } };
  assert.deepEqual(
    translated('openai-chat', { reasoning_effort: 'low' }, 'gemini-envelope', 'gemini', pro, body).request,
    { contents: [], generationConfig: { thinkingConfig: { thinkingBudget: 1024, includeThoughts: true } } },
  );
});

test('anthropic disabled switches a Gemini model off, or leaves its default when it cannot be off', () => {
  const asked = { thinking: { type: 'disabled' } };
  assert.deepEqual(translated('anthropic', asked, 'gemini', 'gemini', flash), {
    generationConfig: { thinkingConfig: { thinkingBudget: 0, includeThoughts: false } },
  });
  assert.deepEqual(translated('anthropic', asked, 'gemini', 'gemini', pro), {});
});

test('adaptive without an effort is all there is, in the words of each target', () => {
  const asked = { thinking: { type: 'adaptive' } };
  assert.deepEqual(translated('anthropic', asked, 'gemini', 'gemini', pro), {
    generationConfig: { thinkingConfig: { thinkingBudget: 32768, includeThoughts: true } },
  });
  assert.deepEqual(translated('anthropic', asked, 'codex', 'openai-responses', gpt), { reasoning: { effort: 'high' } });
  assert.deepEqual(translated('anthropic', asked, 'claude', 'anthropic', opus, asked), asked);
});

test('models only the user knows take what the client says, unchecked', () => {
  const own: ModelInfo = { id: 'mine', ownedBy: 'me', userDefined: true };
  assert.deepEqual(translated('openai-chat', { reasoning_effort: 'max' }, 'openai', 'openai-chat', own), {
    reasoning_effort: 'max',
  });
  const budget = { thinking: { type: 'enabled', budget_tokens: 10000 } };
  assert.deepEqual(translated('anthropic', budget, 'openai', 'openai-chat', own), { reasoning_effort: 'high' });
  assert.deepEqual(translated('openai-chat', { reasoning_effort: 'low' }, 'claude', 'anthropic', own), {
    thinking: { type: 'adaptive' },
    output_config: { effort: 'low' },
  });
  assert.deepEqual(translated('openai-chat', { reasoning_effort: 'high' }, 'gemini', 'gemini', own), {
    generationConfig: { thinkingConfig: { thinkingBudget: 24576, includeThoughts: true } },
  });
});

test('no wish changes nothing, not even the object', () => {
  const body = { reasoning: { summary: 'auto' } };
  assert.equal(translated('openai-responses', {}, 'codex', 'openai-responses', gpt, body), body);
});

test('kimi in the Anthropic protocol is written as Anthropic writes it', () => {
  const kimi = catalogModel('kimi', 'kimi-k2-thinking');
  assert.deepEqual(translated('anthropic', { thinking: { type: 'disabled' } }, 'kimi', 'anthropic', kimi), {
    thinking: { type: 'disabled' },
  });
});
