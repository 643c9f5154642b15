import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from '../../../src/protocols/neutral.ts';
import { deviceHeaders, deviceIdOf } from '../../../src/providers/kimi/device.ts';
import { repairToolMessages } from '../../../src/providers/kimi/tool-messages.ts';
import { upstream } from '../../../src/providers/kimi/upstream.ts';
import { callOf, credentialOf } from '../calls.ts';

const credential = credentialOf('kimi', { type: 'kimi', access_token: 'at', refresh_token: 'rt', device_id: 'dev-1' });
const call = (id: string): Json => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });

test('clients of Anthropic messages, and all token counts, go to the messages endpoint; others to chat', () => {
  assert.equal(upstream.native('anthropic', credential), 'anthropic');
  assert.equal(upstream.native('openai-chat', credential), 'openai-chat');
  assert.equal(upstream.native('gemini', credential, 'count-tokens'), 'anthropic');
  const chat = upstream.request({}, callOf(credential));
  assert.equal(chat.url, 'https://api.kimi.com/coding/v1/chat/completions');
  const messages = upstream.request({ messages: [] }, callOf(credential, { client: 'anthropic' }));
  assert.equal(messages.url, 'https://api.kimi.com/coding/v1/messages?beta=true');
  const count = upstream.request({}, callOf(credential, { operation: 'count-tokens' }));
  assert.equal(count.url, 'https://api.kimi.com/coding/v1/messages/count_tokens?beta=true');
  for (const { headers } of [chat, messages, count]) {
    assert.equal(headers.authorization, 'Bearer at');
    assert.equal(headers['x-msh-device-id'], 'dev-1');
    assert.equal(headers['x-msh-platform'], 'cliproxy');
    assert.equal(headers['anthropic-beta'], undefined);
  }
});

test('the model loses its prefix for chat and keeps it for messages', () => {
  const model = 'kimi-k2';
  assert.equal(upstream.adapt({ model }, callOf(credential, { model })).model, 'k2');
  assert.equal(upstream.adapt({ model }, callOf(credential, { model, client: 'anthropic' })).model, model);
});

test('device headers are plain ASCII and name this program', () => {
  for (const value of Object.values(deviceHeaders('x'))) assert.match(value, /^[\x20-\x7e]+$/);
});

test('a file without a device id gets one that stays the same until it is stored', () => {
  const id = deviceIdOf({ refresh_token: 'rt', access_token: 'at' });
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(deviceIdOf({ refresh_token: 'rt', access_token: 'other' }), id);
});

test('a tool message takes call_id, or the only open call, as its id', () => {
  const { messages } = repairToolMessages({
    messages: [
      { role: 'assistant', tool_calls: [call('a')], reasoning_content: 'r' },
      { role: 'tool', content: '1' },
      { role: 'assistant', tool_calls: [call('b'), call('c')], reasoning_content: 'r' },
      { role: 'tool', call_id: 'c', content: '2' },
      { role: 'tool', content: '3' },
    ],
  });
  const ids = (messages as { tool_call_id?: string }[]).map((message) => message.tool_call_id);
  assert.deepEqual(ids, [undefined, 'a', undefined, 'c', 'b']);
});

test('with several open calls nobody can say which is answered: left as it is', () => {
  const body: JsonObject = {
    messages: [
      { role: 'assistant', tool_calls: [call('a'), call('b')], reasoning_content: 'r' },
      { role: 'tool', content: '1' },
    ],
  };
  assert.equal(repairToolMessages(body), body);
});

test('calls without reasoning get the latest, else their own text, else a note', () => {
  const reasoningOf = (messages: Json[]): Json | undefined =>
    (repairToolMessages({ messages }).messages as { reasoning_content?: Json }[]).at(-1)?.reasoning_content;
  const caller = { role: 'assistant', tool_calls: [call('a')] };
  assert.equal(reasoningOf([{ role: 'assistant', reasoning_content: 'before' }, caller]), 'before');
  assert.equal(reasoningOf([{ ...caller, content: 'looking' }]), 'looking');
  assert.equal(reasoningOf([caller]), '[reasoning unavailable]');
});
