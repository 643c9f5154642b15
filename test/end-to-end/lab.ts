// What the end-to-end tests share: a world, keys of its OpenAI-like service, one chat call, and a wait for conditions.
import assert from 'node:assert/strict';
import type { RunningServer } from '../world/binary.ts';
import type { World } from '../world/index.ts';

/** The model that the fake OpenAI service knows, and the name under which clients ask for it. */
export const upstreamModel = 'world-model-a';
export const model = 'm';

/** One `openai-compatibility` entry with a key per name; the world calls these accounts by the same names. */
export function compat(world: World, names: readonly string[], more: Record<string, unknown> = {}) {
  return {
    name: 'fake',
    'base-url': world.url('openai', '/v1'),
    'api-key-entries': names.map((name) => ({ 'api-key': world.apiKey('openai', name) })),
    models: [{ name: upstreamModel, alias: model }],
    ...more,
  };
}

export interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

export interface ChatOptions {
  model?: string;
  key?: string;
  stream?: boolean;
  headers?: Record<string, string>;
  body?: Record<string, unknown>;
  path?: string;
}

export function startChat(url: string, options: ChatOptions = {}): Promise<Response> {
  return fetch(`${url}${options.path ?? '/v1/chat/completions'}`, {
    method: 'POST',
    // An answer that never ends fails its test instead of holding up all others.
    signal: AbortSignal.timeout(20_000),
    headers: {
      'content-type': 'application/json',
      ...(options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }),
      ...options.headers,
    },
    body: JSON.stringify({
      model: options.model ?? model,
      messages: [{ role: 'user', content: 'hello' }],
      ...(options.stream === true ? { stream: true } : {}),
      ...options.body,
    }),
  });
}

export async function chat(server: Pick<RunningServer, 'url'>, options: ChatOptions = {}): Promise<Answer> {
  const response = await startChat(server.url, options);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** Tries again until `probe` is true; returns the ms it took. Fails after `withinMs`. */
export async function eventually(
  what: string,
  probe: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    const seen = await probe();
    const took = performance.now() - started;
    if (seen) {
      assert.ok(took <= withinMs, `${what}: after ${Math.round(took)} ms only`);
      return took;
    }
    assert.ok(took < withinMs, `${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Runs `work` for every index, at most `width` at a time. */
export async function inParallel<T>(count: number, width: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, count) }, async () => {
      for (let index = next++; index < count; index = next++) results[index] = await work(index);
    }),
  );
  return results;
}
