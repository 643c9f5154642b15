import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultConfig } from '../../src/config/index.ts';
import { codeAssistFace } from '../../src/protocols/gemini/code-assist-face.ts';
import { refusedForGeminiCli } from '../../src/server/routes/gemini-cli.ts';

const config = (enabled: boolean) => ({ ...defaultConfig(), 'enable-gemini-cli-endpoint': enabled });

test('the Gemini CLI endpoint is off unless configured, and serves this machine only', () => {
  assert.equal(refusedForGeminiCli(config(false), '127.0.0.1')?.status, 403);
  assert.equal(refusedForGeminiCli(config(true), '10.1.2.3')?.status, 403);
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
    assert.equal(refusedForGeminiCli(config(true), address), undefined);
});

test('requests are read out of the envelope and answers put into it, streams included', () => {
  const request = codeAssistFace.decodeRequest({
    model: 'm',
    project: 'p',
    request: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
  });
  assert.deepEqual(request.messages[0]?.parts[0], { type: 'text', text: 'hi' });
  const encoder = codeAssistFace.streamEncoder({ model: 'm' });
  const text = [
    encoder.write({ type: 'start', id: 'x' }),
    encoder.write({ type: 'text-start', index: 0 }),
    encoder.write({ type: 'text-delta', index: 0, text: 'hello' }),
    encoder.write({ type: 'text-end', index: 0 }),
    encoder.write({ type: 'finish', reason: 'stop' }),
    encoder.end(),
  ].join('');
  const events = text
    .split('\n\n')
    .filter(Boolean)
    .map((event) => JSON.parse(event.replace('data: ', '')));
  assert.ok(events.length > 0 && events.every((event) => 'response' in event));
  assert.equal(events[0].response.candidates[0].content.parts[0].text, 'hello');
});

test('a body without an envelope is refused', () => {
  assert.throws(() => codeAssistFace.decodeRequest({ contents: [] }), /"request" must be an object/);
});
