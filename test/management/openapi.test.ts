import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { docsPage } from '../../src/server/management/docs-page.ts';
import { openApiDocument } from '../../src/server/management/openapi.ts';
import { allRoutes } from '../../src/server/management/routes/index.ts';
import { openEcho, openLab } from './lab.ts';
import { before, play, recordings, startConfig, startFiles } from './replay.ts';

type Json = Record<string, unknown>;
const document = openApiDocument(allRoutes);

/** management-api.md §5, without the prefix. */
const index: Record<string, string> = {
  config: 'G',
  'config.yaml': 'GU',
  'latest-version': 'G',
  ...Object.fromEntries(
    'debug logging-to-file usage-statistics-enabled request-log ws-auth force-model-prefix quota-exceeded/switch-project quota-exceeded/switch-preview-model logs-max-total-size-mb error-logs-max-files request-retry max-retry-interval max-retry-credentials routing/strategy ampcode/restrict-management-to-localhost ampcode/force-model-mappings'
      .split(' ')
      .map((path) => [path, 'GUA']),
  ),
  ...Object.fromEntries(
    'proxy-url api-keys gemini-api-key claude-api-key codex-api-key vertex-api-key openai-compatibility oauth-excluded-models oauth-model-alias ampcode/upstream-url ampcode/upstream-api-key ampcode/model-mappings ampcode/upstream-api-keys'
      .split(' ')
      .map((path) => [path, 'GUAD']),
  ),
  ampcode: 'G',
  'auth-files': 'GPD',
  'auth-files/download': 'G',
  'auth-files/models': 'G',
  'auth-files/status': 'A',
  'auth-files/fields': 'A',
  'vertex/import': 'P',
  'model-definitions/{channel}': 'G',
  usage: 'G',
  'usage/export': 'G',
  'usage/import': 'P',
  logs: 'GD',
  'request-error-logs': 'G',
  'request-error-logs/{name}': 'G',
  'request-log-by-id/{id}': 'G',
  'api-call': 'P',
  ...Object.fromEntries(
    'anthropic codex gemini-cli antigravity qwen kimi'.split(' ').map((key) => [`${key}-auth-url`, 'G']),
  ),
  'iflow-auth-url': 'GP',
  'oauth-callback': 'P',
  'get-auth-status': 'G',
};
const methods: Record<string, string> = { G: 'get', U: 'put', A: 'patch', D: 'delete', P: 'post' };

describe('the OpenAPI document', () => {
  it('has every route of the reference', () => {
    const paths = document.paths as Record<string, Json>;
    for (const [path, letters] of Object.entries(index)) {
      for (const letter of letters) {
        const method = methods[letter] as string;
        assert.ok(paths[`/v0/management/${path}`]?.[method], `${method} ${path}`);
      }
    }
  });

  it('names each operation once', () => {
    const ids = Object.values(document.paths as Record<string, Record<string, Json>>).flatMap((path) =>
      Object.values(path).map((operation) => operation.operationId),
    );
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.length, allRoutes.length);
  });

  it('leads nowhere with its references', () => {
    const text = JSON.stringify(document);
    for (const [, reference] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      let node: unknown = document;
      for (const part of (reference as string).split('/')) node = (node as Json)[part];
      assert.ok(node, String(reference));
    }
  });

  it('is a page without script and without anything from elsewhere', async () => {
    const page = docsPage(document);
    assert.ok(!/<script|<link|<img|src=|href=|url\(|@import/i.test(page));
    const lab = await openLab();
    const answer = await lab.call('GET', 'docs');
    assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/);
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    await lab.close();
  });

  it('describes every answer to every recorded request', async () => {
    const echo = await openEcho();
    const lab = await openLab({ config: startConfig, files: startFiles, deps: { relay: echo.network } });
    const wrong: string[] = [];
    const state = { login: '', exported: '', original: startConfig };
    for (const recording of recordings) {
      const { method, path } = recording.request;
      if (
        !path.startsWith('/v0/management/') ||
        ['disabled', 'lockout', 'config-file-errors', 'remote-ban'].includes(recording.scenario)
      )
        continue;
      if (recording.id === '644' || /config\.yaml/.test(path)) continue;
      if (recording.id === '484') await before[recording.id]?.(lab);
      lab.clock.now += 3_600_000;
      const bare = path.replace('/v0/management/', '').split('?', 1)[0] as string;
      const route = allRoutes.find(
        (candidate) =>
          candidate.method === method &&
          new RegExp(`^${candidate.path.replace(/:\w+/g, '[^/]+').replaceAll('.', '\\.')}$`).test(bare),
      );
      const answer = await play(lab, recording, state);
      if (!route || answer.statusCode >= 400 || answer.statusCode === 304) continue;
      const spec = route.responses[answer.statusCode];
      if (!spec) wrong.push(`${recording.id} ${method} ${bare}: ${answer.statusCode} is not described`);
      else if (spec.schema && !spec.contentType) {
        const parsed = spec.schema.safeParse(answer.json());
        if (!parsed.success) wrong.push(`${recording.id} ${method} ${bare}: ${parsed.error.message}`);
      }
    }
    assert.deepEqual(wrong, []);
    await lab.close();
    echo.close();
  });
});
