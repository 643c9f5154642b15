// A file of the reference works unchanged, and an edit without effect leaves it as it is (spec/config.md §15).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigDraft } from '../../src/config/draft.ts';
import { type Config, parseConfig } from '../../src/config/index.ts';

/** Every key of spec/config.md §4–§6 and of the newer reference, with values that differ from the defaults. */
const everything = `host: ""
port: 8317
tls:
  enable: true
  cert: " a.pem "
  key: b.pem
remote-management:
  allow-remote: true
  secret-key: $2a$10$abcdefghijklmnopqrstuv
  disable-control-panel: true
  disable-auto-update-panel: true
  panel-github-repository: ""
auth-dir: "~/.cli-proxy-api"
api-keys: [" one ", two, one, ""]
debug: yes
pprof: {enable: true, addr: " "}
commercial-mode: true
logging-to-file: true
logs-max-total-size-mb: 5
error-logs-max-files: 0
usage-statistics-enabled: true
request-log: true
proxy-url: socks5://u:p@h:1
force-model-prefix: true
passthrough-headers: true
request-retry: 3
max-retry-credentials: 2
max-retry-interval: 30
disable-cooling: true
auth-auto-refresh-workers: 4
quota-exceeded: {switch-project: true, switch-preview-model: true, antigravity-credits: true}
routing: {strategy: FillFirst, session-affinity: true, session-affinity-ttl: 2h}
ws-auth: true
enable-gemini-cli-endpoint: true
nonstream-keepalive-interval: 7
streaming: {keepalive-seconds: 15, bootstrap-retries: 1}
antigravity-signature-cache-enabled: false
antigravity-signature-bypass-strict: true
save-cooldown-status: true
transient-error-cooldown-seconds: -1
gemini-api-key:
  - api-key: g
    priority: 1
    prefix: /p/
    base-url: http://g
    proxy-url: direct
    headers: {A: b}
    models: [{name: n, alias: m}]
    excluded-models: ["X*"]
vertex-api-key: [{api-key: v, base-url: "http://v", models: [{name: n, alias: m}, {name: lone}]}]
codex-api-key: [{api-key: c, base-url: "http://c", websockets: true}]
claude-api-key: [{api-key: a, cloak: {mode: always, sensitive-words: [x]}, experimental-cch-signing: true}]
openai-compatibility:
  - name: " Up "
    priority: 2
    prefix: q
    base-url: http://u
    headers: {C: d}
    disabled: true
    api-key-entries: [{api-key: k, proxy-url: none}, {api-key: l}]
    models: [{name: n, alias: m, thinking: {min: 1, max: 2, zero-allowed: true, dynamic-allowed: true, levels: [low]}}]
claude-header-defaults: {user-agent: u, package-version: 1.2.3, runtime-version: v1, os: o, arch: a, timeout: "1", stabilize-device-profile: true}
codex-header-defaults: {user-agent: u, beta-features: b}
oauth-model-alias: {codex: [{name: n, alias: m, fork: true}]}
oauth-excluded-models: {claude: [X]}
oauth-request-scoped-errors: {claude: [{status: 400, match: [x], match-regexr: [y], action: continue}]}
payload:
  default: [{models: [{name: "g*", protocol: gemini}], params: {a.b: 1}}]
  default-raw: [{models: [{name: "g*"}], params: {a: "{}"}}]
  override: [{models: [{name: "g*"}], params: {a: x}}]
  override-raw: [{models: [{name: "g*"}], params: {a: "[]"}}]
  filter: [{models: [{name: "g*"}], params: [a]}]
ampcode:
  upstream-url: http://amp
  upstream-api-key: k
  upstream-api-keys: [{upstream-api-key: u, api-keys: [a]}]
  restrict-management-to-localhost: true
  model-mappings: [{from: a, to: b, regex: true}]
  force-model-mappings: true
`;

/** Values as the sheet defines them, by path. */
const expected: readonly [string, unknown][] = [
  ['host', ''],
  ['port', 8317],
  ['tls', { enable: true, cert: 'a.pem', key: 'b.pem' }],
  ['remote-management.panel-github-repository', 'https://github.com/router-for-me/Cli-Proxy-API-Management-Center'],
  ['auth-dir', '~/.cli-proxy-api'],
  ['api-keys', ['one', 'two']],
  ['debug', true],
  ['pprof', { enable: true, addr: '127.0.0.1:8316' }],
  ['error-logs-max-files', 0],
  ['routing.strategy', 'fill-first'],
  ['routing.session-affinity-ttl', '2h'],
  ['antigravity-signature-cache-enabled', false],
  ['antigravity-signature-bypass-strict', true],
  ['transient-error-cooldown-seconds', -1],
  ['gemini-api-key.0.prefix', 'p'],
  ['gemini-api-key.0.excluded-models', ['x*']],
  ['vertex-api-key.0.models', [{ name: 'n', alias: 'm' }]],
  ['codex-api-key.0.websockets', true],
  ['openai-compatibility.0.name', 'Up'],
  ['openai-compatibility.0.disabled', true],
  ['openai-compatibility.0.api-key-entries.1.api-key', 'l'],
  ['openai-compatibility.0.models.0.thinking.levels', ['low']],
  ['oauth-model-alias', { codex: [{ name: 'n', alias: 'm', fork: true }] }],
  ['oauth-excluded-models', { claude: ['x'] }],
  ['payload.default.0.params', { 'a.b': 1 }],
  ['payload.filter.0.params', ['a']],
  ['codex-header-defaults.beta-features', 'b'],
  ['ampcode.model-mappings', [{ from: 'a', to: 'b', regex: true }]],
];

const at = (config: Config, path: string) =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], config);

describe('a file with every key', () => {
  const loaded = parseConfig(everything);

  test('loads, all keys known', () => {
    assert.deepEqual(
      loaded.warnings.filter(({ reason }) => reason.startsWith('unknown')),
      [],
    );
  });
  for (const [path, value] of expected) {
    test(`means ${path} = ${JSON.stringify(value)}`, () => assert.deepEqual(at(loaded.config, path), value));
  }
  test('is the same, byte for byte, after every value was set to itself', () => {
    const draft = new ConfigDraft(loaded, 'config.yaml');
    for (const [name, value] of Object.entries(loaded.config)) draft.set([name], value);
    assert.equal(draft.text, everything);
  });
  test('is the same but for one line after one edit', () => {
    const draft = new ConfigDraft(loaded, 'config.yaml').set(['debug'], false);
    assert.equal(draft.text, everything.replace('debug: yes', 'debug: false'));
  });
});
