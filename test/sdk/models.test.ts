// Each vendor's SDK reads the model list, one model, token counts, and refusals, in its own dialect.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { binaryExists, type Proxy as RunningProxy, startProxy } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';
import { clientKey, configFor, shapes } from './scenarios.ts';

const aliases = shapes.map(({ model }) => model).sort();

describe('models, counts and refusals', { skip: binaryExists ? false : 'the program is not built' }, () => {
  let world: World;
  let proxy: RunningProxy;
  before(async () => {
    world = await startWorld();
    proxy = await startProxy({ config: configFor(world) });
  });
  after(async () => {
    await proxy?.stop();
    await world?.close();
  });
  const openai = (apiKey = clientKey) => new OpenAI({ apiKey, baseURL: `${proxy.url}/v1`, maxRetries: 0 });
  const anthropic = (apiKey = clientKey) => new Anthropic({ apiKey, baseURL: proxy.url, maxRetries: 0 });
  const google = (apiKey = clientKey) =>
    new GoogleGenAI({ apiKey, vertexai: false, httpOptions: { baseUrl: proxy.url } });

  test('each SDK lists every model and finds one by its name', async () => {
    const ids: Record<string, string[]> = { openai: [], anthropic: [], google: [] };
    for await (const { id } of openai().models.list()) ids.openai?.push(id);
    for await (const { id } of anthropic().models.list()) ids.anthropic?.push(id);
    for await (const { name } of await google().models.list()) ids.google?.push(String(name).replace('models/', ''));
    for (const found of Object.values(ids)) assert.deepEqual(found.sort(), aliases);
    assert.equal((await openai().models.retrieve('via-gemini')).id, 'via-gemini');
    assert.equal((await anthropic().models.retrieve('via-gemini')).type, 'model');
    assert.equal((await google().models.get({ model: 'via-openai' })).name, 'models/via-openai');
  });

  for (const { shape, model } of shapes) {
    test(`tokens are counted for an upstream that speaks ${shape}`, async () => {
      const messages = [{ role: 'user' as const, content: 'one two three four' }];
      const { input_tokens } = await anthropic().messages.countTokens({ model, messages });
      const { totalTokens } = await google().models.countTokens({ model, contents: 'one two three four' });
      assert.ok(input_tokens > 0 && (totalTokens ?? 0) > 0, `${input_tokens}, ${totalTokens}`);
    });
  }

  test('a wrong key is the authentication error of each SDK, before any upstream is asked', async () => {
    const seen = world.log.length;
    await assert.rejects(openai('wrong').models.list(), OpenAI.AuthenticationError);
    await assert.rejects(anthropic('wrong').models.list(), Anthropic.AuthenticationError);
    await assert.rejects(google('wrong').models.list(), (error) => error instanceof ApiError && error.status === 401);
    assert.equal(world.log.length, seen);
  });

  test('an unknown model is the not-found error of each SDK, in the envelope of its vendor', async () => {
    const wrong = { model: 'no-such-model' };
    const messages = [{ role: 'user' as const, content: 'hi' }];
    await assert.rejects(openai().chat.completions.create({ ...wrong, messages }), OpenAI.NotFoundError);
    for (const attempt of [
      anthropic().messages.create({ ...wrong, messages, max_tokens: 5 }),
      anthropic().models.retrieve('no-such-model'),
    ]) {
      await assert.rejects(attempt, (error) => {
        assert.ok(error instanceof Anthropic.NotFoundError);
        const { type, error: inner } = error.error as { type: string; error: { type: string } };
        assert.deepEqual([type, inner.type], ['error', 'not_found_error']);
        return true;
      });
    }
    await assert.rejects(
      google().models.generateContent({ ...wrong, contents: 'hi' }),
      (error) => error instanceof ApiError && error.status === 404 && error.message.includes('NOT_FOUND'),
    );
  });
});
