import assert from 'node:assert/strict';
import { after, before as beforeAll, describe, it } from 'node:test';
import { deviations, elsewhere } from './deviations.ts';
import { type Echo, type Lab, openEcho, openLab } from './lab.ts';
import { mismatch } from './matching.ts';
import { before, play, type Recording, type ReplayState, recordings, startConfig, startFiles } from './replay.ts';

const keyless = startConfig.replace(/remote-management:[\s\S]*?false\n(?=\nauth-dir)/, '');

async function labFor(scenario: string, echo: Echo): Promise<Lab> {
  const config =
    scenario === 'disabled'
      ? keyless
      : scenario === 'remote-ban'
        ? startConfig.replace('allow-remote: false', 'allow-remote: true')
        : startConfig;
  const files =
    scenario === 'credential-state' ? { 'kimi-1700000000.json': startFiles['kimi-1700000000.json'] } : startFiles;
  const deps =
    scenario === 'env-password'
      ? { envPassword: ' env-pass-FAKE ' }
      : scenario === 'local-password'
        ? { localPassword: 'local-pass-FAKE' }
        : {};
  return openLab({ config, files, deps: { relay: echo.network, ...deps } });
}

function check(recording: Recording, answer: Awaited<ReturnType<typeof play>>, dir: string): string | undefined {
  const deviation = deviations[recording.id];
  const status = deviation?.status ?? recording.response.status;
  if (answer.statusCode !== status) return `status ${status} / ${answer.statusCode} ${answer.body.slice(0, 200)}`;
  if (deviation?.error !== undefined) {
    const said = (answer.json() as { error?: string }).error;
    return said === deviation.error ? undefined : `error ${deviation.error} / ${said}`;
  }
  if (deviation?.body === false || (status >= 300 && status < 400)) return undefined;
  const { json, text } = recording.response;
  if (json !== undefined) return mismatch(json, JSON.parse(answer.body || 'null'), dir);
  // R2: what was plain text under the prefix is the `error` of the envelope now.
  if (text && status >= 400) return mismatch({ error: text }, JSON.parse(answer.body), dir);
  return undefined;
}

describe('the recordings of the reference', () => {
  // 657 was taken on the server with the one kimi file.
  const scenarioOf = ({ id, scenario }: Recording): string => (id === '657' ? 'credential-state' : scenario);
  const scenarios = [...new Set(recordings.map(scenarioOf))];
  let echo: Echo;
  beforeAll(async () => {
    echo = await openEcho();
  });
  after(() => echo.close());

  for (const scenario of scenarios) {
    const own = recordings.filter((recording) => scenarioOf(recording) === scenario && !elsewhere[recording.id]);
    if (own.length === 0) continue;
    it(`${scenario}: ${own.length} answers are as recorded or deviate as listed`, async () => {
      const lab = await labFor(scenario, echo);
      const state: ReplayState = { login: '', exported: '', original: (await lab.deps.config.text()) ?? '' };
      const wrong: string[] = [];
      try {
        for (const recording of own) {
          await before[recording.id]?.(lab);
          lab.clock.now += 50;
          const answer = await play(lab, recording, state);
          const found = check(recording, answer, lab.dir);
          if (found) wrong.push(`${recording.id} ${recording.request.method} ${recording.request.path}: ${found}`);
        }
      } finally {
        await lab.close();
      }
      assert.deepEqual(wrong, []);
    });
  }
});
