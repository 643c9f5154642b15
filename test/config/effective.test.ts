// What is shown of a configuration: everything but its secrets.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  configSchema,
  effectiveText,
  maskSecrets,
  parseConfig,
  resolveSettings,
  restartKeys,
  restoreSecrets,
} from '../../src/config/index.ts';

const canaries = [
  'client-canary-000001',
  'mgmt-canary-0000002',
  'gem-canary-00000003',
  'up-canary-000000004',
  'hdr-canary-00000005',
  'pw-canary-000000006',
  'oauth-canary-000007',
  'amp-canary-00000008',
];
const [client, , gemini, upstream, header, password, oauth, amp] = canaries;
const text = `api-keys: [${client}]
remote-management: {secret-key: ${canaries[1]}}
gemini-api-key:
  - api-key: ${gemini}
    headers: {X-Api-Key: ${header}, X-Plain: shown}
openai-compatibility:
  - name: up
    base-url: http://u
    api-key-entries: [{api-key: ${upstream}, proxy-url: "socks5://me:${password}@h:1"}]
proxy-url: http://me:${password}@proxy:3128
oauth-clients: {iflow: {client-id: my-id, client-secret: ${oauth}}}
ampcode: {upstream-api-key: ${amp}}
nonsense: 1
`;
const loaded = parseConfig(text);

describe('-check-config', () => {
  const settings = resolveSettings({ cwd: '/srv', env: {}, isWritable: () => false, file: loaded });
  const shown = effectiveText(loaded, settings);

  test('shows where things are and what is odd', () => {
    assert.deepEqual(shown.split('\n').slice(0, 6), [
      '# config: /srv/config.yaml',
      '# listen: all interfaces, port 8080',
      '# auth-dir: /srv/auth',
      '# logs: /srv/auth/logs',
      '# config: /srv/config.yaml:12: ampcode: accepted and kept, without effect',
      '# config: /srv/config.yaml:13: nonsense: unknown key, ignored',
    ]);
  });
  test('shows no secret', () => {
    for (const canary of canaries) assert.ok(!shown.includes(canary), canary);
    assert.match(shown, /X-Plain: shown/);
    assert.match(shown, /client-id: my-id/);
    assert.match(shown, /http:\/\/me:pw-c\.\.\.0006@proxy:3128/);
  });
  test('is itself a configuration of the same meaning', () => {
    const again = parseConfig(shown);
    assert.deepEqual(again.config, maskSecrets(loaded.config));
  });
});

test('masked secrets that come back are the stored ones, new ones are new', () => {
  const schema = configSchema.shape['gemini-api-key'];
  const stored = loaded.config['gemini-api-key'];
  const back = structuredClone(maskSecrets(stored, schema)) as unknown as { 'api-key': string }[];
  assert.deepEqual(restoreSecrets(back, stored, schema), stored);
  const added = restoreSecrets([...back, { 'api-key': 'brand-new-key-12345' }], stored, schema);
  assert.equal(added[1]?.['api-key'], 'brand-new-key-12345');
});

test('keys that need a restart', () => {
  assert.deepEqual(restartKeys(), [
    'host',
    'port',
    'tls.enable',
    'tls.cert',
    'tls.key',
    'commercial-mode',
    'auth-auto-refresh-workers',
    'state-file',
    'body-limit-mb',
  ]);
});
