import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  antigravityFileName,
  claudeFileName,
  codexFileName,
  geminiFileName,
  iflowFileName,
  kimiFileName,
  pendingFileName,
  qwenFileName,
  safeName,
  vertexFileName,
} from '../../src/oauth/file-name.ts';

const cleaned: [given: string, safe: string][] = [
  ['user@example.com', 'user@example.com'],
  ['a.b+c_d-e@x.org', 'a.b+c_d-e@x.org'],
  ['138****0000', '138xxxx0000'],
  ['  spaced out ', 'spacedout'],
  ['../../etc/passwd', 'etcpasswd'],
  ['..', 'fallback'],
  ['', 'fallback'],
  ['/', 'fallback'],
  ['ünïcödé', 'ncd'],
  ['x'.repeat(150), 'x'.repeat(100)],
];

for (const [given, safe] of cleaned) {
  test(`${JSON.stringify(given.slice(0, 20))} becomes ${JSON.stringify(safe.slice(0, 20))}`, () => {
    assert.equal(safeName(given, 'fallback'), safe);
  });
}

test('no name can leave its folder', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const name = qwenFileName(text);
      assert.match(name, /^qwen-[A-Za-z0-9@._+-]+\.json$/);
      assert.ok(name.length <= 110);
    }),
  );
});

const now = 1_795_368_342_917;
const names: [what: string, name: string, expected: string][] = [
  ['iFlow', iflowFileName('a@b.cd', now), 'iflow-a@b.cd-1795368342.json'],
  ['iFlow, name taken', iflowFileName('a@b.cd', now, 2), 'iflow-a@b.cd-1795368342-2.json'],
  ['Claude', claudeFileName('a@b.cd'), 'claude-a@b.cd.json'],
  ['Claude, second organization', claudeFileName('a@b.cd', '0c4f9d2e-11aa-42'), 'claude-a@b.cd-0c4f9d2e.json'],
  ['Codex without an account id', codexFileName('a@b.cd'), 'codex-a@b.cd.json'],
  ['Codex', codexFileName('a@b.cd', 'acc-123', 'plus'), 'codex-1ce67b02-a@b.cd-plus.json'],
  [
    'Codex, long plan',
    codexFileName('a@b.cd', '', 'Self_Serve Business--Usage'),
    'codex-a@b.cd-self-serve-business-usage.json',
  ],
  ['Gemini', geminiFileName('a@b.cd', ['proj-a']), 'gemini-a@b.cd-proj-a.json'],
  ['Gemini, several projects', geminiFileName('a@b.cd', ['proj-a', 'proj-b']), 'gemini-a@b.cd-all.json'],
  ['Antigravity', antigravityFileName('a@b.cd'), 'antigravity-a@b.cd.json'],
  ['Qwen', qwenFileName('my alias'), 'qwen-myalias.json'],
  ['Kimi', kimiFileName(now), 'kimi-1795368342917.json'],
  ['Vertex', vertexFileName('my:proj/a b'), 'vertex-my_proj_a-b.json'],
  ['Vertex with a prefix', vertexFileName('p', 'teamA'), 'vertex-teamA-p.json'],
  ['an unfinished login', pendingFileName('gemini', now), 'pending-gemini-1795368342.json'],
];

for (const [what, name, expected] of names) {
  test(`file name: ${what}`, () => {
    assert.equal(name, expected);
  });
}
