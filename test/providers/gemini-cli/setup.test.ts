import assert from 'node:assert/strict';
import test from 'node:test';
import type { RemoteContext } from '../../../src/oauth/flow.ts';
import { setUpProjects } from '../../../src/providers/gemini-cli/setup.ts';
import { configOf } from '../stand-ins.ts';

test('onboarding that is never done ends after five minutes, asked every five seconds', async () => {
  let now = 0;
  let asked = 0;
  const context = {
    config: configOf(),
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
    signal: new AbortController().signal,
    http: {
      request: async (url: string) => {
        if (url.includes(':onboardUser')) asked++;
        return { status: 200, headers: {}, text: '{}', json: {} };
      },
    },
  } as unknown as RemoteContext;
  const setUp = setUpProjects(
    context,
    'token',
    { kind: 'projects', ids: ['p'] },
    {
      progress: () => undefined,
      warn: () => undefined,
    },
  );
  await assert.rejects(setUp, { code: 'onboarding_failed', message: /not done within 5 minutes/ });
  assert.equal(now, 300_000);
  assert.equal(asked, 61);
});
