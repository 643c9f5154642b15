// From text to configuration: the dialect, the sanitising, the complaints (spec/config.md §2–§7, §15).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Config, ConfigError, defaultConfig, milliseconds, parseConfig } from '../../src/config/index.ts';

const load = (text: string): Config => parseConfig(text).config;
const remarks = (text: string) =>
  parseConfig(text).warnings.map(({ line, path, reason }) => `${line}: ${path}: ${reason}`);

/** The one-line complaint about a text. */
function complaint(text: string): string {
  try {
    parseConfig(text, 'c.yaml');
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exit, 1);
    return error.message;
  }
  return 'none';
}

describe('the YAML dialect', () => {
  for (const word of ['true', 'yes', 'on', 'y', 'True', 'YES', 'On', 'Y']) {
    test(`a switch takes ${word}`, () => assert.equal(load(`debug: ${word}`).debug, true));
  }
  for (const word of ['false', 'no', 'off', 'n', 'FALSE', 'No', 'OFF', 'N']) {
    test(`a switch takes ${word}`, () => assert.equal(load(`logging-to-file: on\ndebug: ${word}`).debug, false));
  }
  for (const word of ['"true"', '1', 'maybe', '[true]']) {
    test(`a switch refuses ${word}`, () =>
      assert.match(complaint(`port: 1\ndebug: ${word}`), /^config: c\.yaml:2: debug: must be true or false/));
  }
  const numbers = {
    '3': 3,
    '0x10': 16,
    '1_000': 1000,
    '2.7': 2,
    '3.0': 3,
    '0o17': 15,
    '017': 15,
    '0b11': 3,
    '1e2': 100,
    '+4': 4,
  };
  for (const [source, value] of Object.entries(numbers)) {
    test(`a number takes ${source}`, () => assert.equal(load(`request-retry: ${source}`)['request-retry'], value));
  }
  for (const source of ['"8317"', 'many', '1.2.3', '[1]', '0x', '1e999']) {
    test(`a number refuses ${source}`, () =>
      assert.match(complaint(`port: ${source}`), /^config: c\.yaml:1: port: must be a whole number/));
  }
  for (const source of ['12345', '0x10', 'yes', '1.50', '2026-01-01', '1_0']) {
    test(`a text keeps ${source} as written`, () => {
      assert.deepEqual(load(`proxy-url: ${source}\napi-keys: [${source}]`)['api-keys'], [source]);
      assert.equal(load(`proxy-url: ${source}`)['proxy-url'], source);
    });
  }
  test('null in a list of texts is dropped', () => {
    assert.deepEqual(load('api-keys:\n  - a\n  - ~\n  - null\n  -\n  - b')['api-keys'], ['a', 'b']);
  });
  test('a key with null is as good as absent', () => {
    const text = 'debug:\nrequest-retry: ~\napi-keys: null\nrouting:\ngemini-api-key:\nport:\nhost: NULL\n';
    assert.deepEqual(load(text), defaultConfig());
  });
  test('a list must be a list, a text no map', () => {
    assert.match(complaint('api-keys: one'), /:1: api-keys: must be a list/);
    assert.match(complaint('host:\n  a: 1'), /:2: host: must be text, not a map/);
    assert.match(complaint('routing: ff'), /:1: routing: must be a map/);
    assert.match(complaint('- a'), /must be a map of settings, not a list/);
  });
  test('a key that stands twice rejects the file', () => {
    assert.equal(complaint('port: 1\nport: 2'), 'config: c.yaml:2: key `port` is there twice');
  });
  test('anchors, aliases and merges work', () => {
    const config = load(
      'x: &h {A: b}\nclaude-api-key:\n  - &e\n    api-key: a\n    headers: *h\n  - <<: *e\n    api-key: c\n  - <<: [{prefix: p}, *e]\n',
    );
    assert.deepEqual(
      config['claude-api-key'].map((entry) => [entry['api-key'], entry.headers.A, entry.prefix]),
      [
        ['a', 'b', ''],
        ['c', 'b', ''],
        ['a', 'b', 'p'],
      ],
    );
  });
  test('of several documents the first counts', () => {
    assert.equal(load('port: 1\n---\nport: {broken\n').port, 1);
  });
  test('tabs, broken quotes and unknown anchors are errors with a line', () => {
    assert.match(complaint('tls:\n\tenable: true'), /^config: c\.yaml:2: .*Tabs/);
    assert.match(complaint('debug: true\nhost: "x'), /^config: c\.yaml:2: /);
    assert.match(complaint('debug: true\nhost: *x'), /^config: c\.yaml:2: host: unknown anchor \*x/);
  });
  test('case counts, near names are hinted, unknown ones kept out', () => {
    assert.deepEqual(remarks('Debug: true\nrouting:\n  stratgy: ff\nwhatever: [1]\n'), [
      '1: Debug: unknown key, ignored; did you mean `debug`?',
      '3: routing.stratgy: unknown key, ignored; did you mean `strategy`?',
      '4: whatever: unknown key, ignored',
    ]);
    assert.equal(load('Debug: true').debug, false);
  });
  test('empty, blank and commented files mean defaults', () => {
    for (const text of ['', ' \n', '# only\n', '---\n', '\ufeff']) assert.deepEqual(load(text), defaultConfig());
  });
  test('a bomb of aliases, endless nesting and self-reference end in a complaint', () => {
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 9; level++) bomb.push(`a${level}: &a${level} [${`*a${level - 1},`.repeat(10)}]`);
    assert.match(
      complaint(`${bomb.join('\n')}\npayload:\n  default:\n    - params: {z: *a8}\n`),
      /nested too deeply or too many aliases/,
    );
    assert.match(complaint('['.repeat(50_000)), /^config: c\.yaml:1: /);
    assert.match(complaint('payload:\n  default:\n    - params: &p\n        z: *p\n'), /nested too deeply/);
  });
  test('any text either loads or is refused with a line', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.constantFrom('', 'port: ', 'api-keys:\n  - ', 'routing: {'),
        (text, start) => {
          assert.match(complaint(start + text), /^none$|^config: c\.yaml:\d+: /);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('values', () => {
  test('out of range are refused with their line', () => {
    assert.equal(complaint('debug: no\nport: 70000'), 'config: c.yaml:2: port: must be at most 65535');
    assert.equal(complaint('port: -1'), 'config: c.yaml:1: port: must be at least 0');
    assert.match(complaint('max-cooldown: 5 minutes'), /:1: max-cooldown: not a duration/);
    assert.match(
      complaint('trusted-proxies:\n  - 10.0.0.0/8\n  - nowhere'),
      /:3: trusted-proxies\[1\]: not an address/,
    );
    assert.match(
      complaint('management-keys:\n  - scope: god'),
      /:2: management-keys\[0\]\.scope: must be one of admin, viewer/,
    );
    assert.match(
      complaint(`remote-management:\n  secret-key: ${'k'.repeat(73)}`),
      /:2: remote-management\.secret-key: longer than 72 bytes/,
    );
  });
  test('that are secret are not in the complaint', () => {
    assert.doesNotMatch(complaint('api-keys: sk-very-secret'), /sk-very/);
    assert.doesNotMatch(complaint('debug: sk-very-secret'), /sk-very/);
  });
  test('negative counts are put right', () => {
    const config = load(
      'request-retry: -3\nmax-retry-interval: -1\nerror-logs-max-files: -1\nauth-auto-refresh-workers: -2\nlogs-max-total-size-mb: -5',
    );
    assert.deepEqual(
      [
        config['request-retry'],
        config['max-retry-interval'],
        config['error-logs-max-files'],
        config['auth-auto-refresh-workers'],
        config['logs-max-total-size-mb'],
      ],
      [0, 0, 10, 16, 0],
    );
  });
  test('of the strategy take any known spelling', () => {
    const strategy = (word: string) => load(`routing: {strategy: "${word}"}`).routing.strategy;
    assert.deepEqual(['', 'RR', ' Fill-First ', 'ff', 'quota-aware', 'nonsense'].map(strategy), [
      'round-robin',
      'round-robin',
      'fill-first',
      'fill-first',
      'quota-aware',
      'round-robin',
    ]);
    assert.deepEqual(remarks('routing: {strategy: nonsense}'), [
      '1: routing.strategy: unknown strategy, round-robin is used',
    ]);
  });
  test('are an immutable snapshot', () => {
    assert.throws(() => (load('api-keys: [a]')['api-keys'] as string[]).push('b'), TypeError);
  });
  test('of durations turn into milliseconds', () => {
    assert.deepEqual(['', '30', '90s', '1h30m', '500ms', '1.5s', '2d'].map(milliseconds), [
      undefined,
      30_000,
      90_000,
      5_400_000,
      500,
      1500,
      172_800_000,
    ]);
  });
});

describe('credential lists', () => {
  test('drop entries without a key or base URL, and repeats, and say so', () => {
    const text =
      'gemini-api-key: [{api-key: " a "}, {api-key: a}, {api-key: " "}, {api-key: a, base-url: "http://x"}]\ncodex-api-key:\n  - api-key: k\n  - api-key: k\n    base-url: " http://c "\n  - api-key: k\n    base-url: http://c\nclaude-api-key: [{api-key: ""}, {api-key: " b "}]\nopenai-compatibility: [{name: X}]\n';
    const config = load(text);
    assert.deepEqual(
      config['gemini-api-key'].map((entry) => [entry['api-key'], entry['base-url']]),
      [
        ['a', ''],
        ['a', 'http://x'],
      ],
    );
    assert.deepEqual(
      config['codex-api-key'].map((entry) => entry['base-url']),
      ['http://c', 'http://c'],
    );
    assert.deepEqual(
      config['claude-api-key'].map((entry) => entry['api-key']),
      ['', ' b '],
    );
    assert.deepEqual(config['openai-compatibility'], []);
    assert.deepEqual(remarks(text), [
      '1: gemini-api-key[1]: is there twice, ignored',
      '1: gemini-api-key[2]: has no api-key, ignored',
      '3: codex-api-key[0]: has no base-url, ignored',
      '9: openai-compatibility[0]: has no base-url, ignored',
    ]);
  });
  test('clean prefixes, headers, patterns and models', () => {
    const [entry] = load(
      'vertex-api-key:\n  - api-key: a\n    prefix: " /team/ "\n    headers: {" X-A ": " b ", "": c, D: " "}\n    excluded-models: [" Foo-* ", foo-*, ""]\n    models: [{name: n}, {name: n, alias: m}]\n',
    )['vertex-api-key'];
    assert.deepEqual(
      [entry?.prefix, entry?.headers, entry?.['excluded-models'], entry?.models],
      ['team', { 'X-A': 'b' }, ['foo-*'], [{ name: 'n', alias: 'm' }]],
    );
    assert.equal(load('gemini-api-key: [{api-key: a, prefix: a/b}]')['gemini-api-key'][0]?.prefix, '');
  });
  test('take what a credential may tune', () => {
    const [entry] = load(
      'gemini-api-key: [{api-key: a, weight: 3, disable-cooling: yes, request-retry: 2, max-concurrency: 4, disabled: on, priority: 7}]',
    )['gemini-api-key'];
    assert.deepEqual(
      [
        entry?.weight,
        entry?.['disable-cooling'],
        entry?.['request-retry'],
        entry?.['max-concurrency'],
        entry?.disabled,
        entry?.priority,
      ],
      [3, true, 2, 4, true, 7],
    );
  });
});

describe('model rules', () => {
  test('OAuth maps: channels lower-case, useless aliases and empty lists dropped', () => {
    const config = load(
      'oauth-excluded-models: {" Codex ": [" A ", a], claude: []}\noauth-model-alias:\n  Claude: [{name: a, alias: b, fork: yes}, {name: c, alias: B}, {name: d, alias: D}, {name: "", alias: e}]\n',
    );
    assert.deepEqual(config['oauth-excluded-models'], { codex: ['a'] });
    assert.deepEqual(config['oauth-model-alias'], { claude: [{ name: 'a', alias: 'b', fork: true }] });
  });
  test('payload: values keep their types and order, rules that cannot work are dropped', () => {
    const text =
      'payload:\n  override:\n    - models: [{name: "gpt-*"}]\n      params: {z: 1, "a.b": "1", c: yes, d: null, e: 1_000, f: {g: [true]}}\n    - models: []\n  default-raw:\n    - params: {a: "{"}\n    - params: {a: "[1]"}\n  filter: [{params: [a]}]\n';
    const { payload } = load(text);
    assert.deepEqual(Object.entries(payload.override[0]?.params ?? {}), [
      ['z', 1],
      ['a.b', '1'],
      ['c', 'yes'],
      ['d', null],
      ['e', 1000],
      ['f', { g: [true] }],
    ]);
    assert.deepEqual([payload.override.length, payload['default-raw'].length, payload.filter.length], [1, 1, 1]);
    assert.deepEqual(remarks(text), ['7: payload.default-raw[0]: a value is not valid JSON, rule ignored']);
  });
});

describe('keys of other times and programs', () => {
  test('older names are read, existing entries win, keys are not doubled, one remark each', () => {
    const text =
      'generative-language-api-key: [g1, g1, g2]\ngemini-api-key: [{api-key: g1, prefix: p}]\nopenai-compatibility:\n  - name: u\n    base-url: http://u\n    api-keys: [k1, k2]\n    api-key-entries: [{api-key: k2, proxy-url: direct}]\namp-upstream-url: http://old\nampcode: {upstream-url: http://new}\nauth: {providers: [{name: d, type: config-api-key, api-keys: [c1]}]}\nallow-localhost-unauthenticated: true\n';
    const config = load(text);
    assert.deepEqual(
      config['gemini-api-key'].map((entry) => [entry['api-key'], entry.prefix]),
      [
        ['g1', 'p'],
        ['g2', ''],
      ],
    );
    assert.deepEqual(
      config['openai-compatibility'][0]?.['api-key-entries'].map((entry) => entry['api-key']),
      ['k2', 'k1'],
    );
    assert.equal(config.ampcode['upstream-url'], 'http://new');
    assert.deepEqual(config['api-keys'], ['c1']);
    assert.equal(remarks(text).filter((line) => line.includes('is called') || line.includes('was removed')).length, 5);
  });
  test('imitation keys load, are kept, do nothing, and are told once', () => {
    const text =
      'claude-header-defaults: {user-agent: x, package-version: 1.0, os: MacOS, timeout: "600", stabilize-device-profile: true}\ncodex-header-defaults: {user-agent: y}\nclaude-api-key:\n  - api-key: a\n    cloak: {mode: auto}\n    experimental-cch-signing: true\n  - api-key: b\n    cloak: {mode: auto}\n';
    assert.deepEqual(
      remarks(text).map((line) => line.replace(/ accepted.*/, '')),
      [
        '1: claude-header-defaults:',
        '2: codex-header-defaults.user-agent:',
        '5: claude-api-key[0].cloak:',
        '6: claude-api-key[0].experimental-cch-signing:',
      ],
    );
    assert.equal(load(text)['claude-header-defaults']['package-version'], '1.0');
  });
  test('planned keys are told once, at their line, and only when used', () => {
    assert.deepEqual(remarks('debug: true\nws-auth: true'), ['2: ws-auth: not yet active']);
    assert.deepEqual(remarks('ws-auth: false'), []);
  });
  test('a plain management key is noticed, a hash is not', () => {
    assert.equal(parseConfig('remote-management: {secret-key: hello}').plainSecretKey, true);
    for (const prefix of ['$2a$', '$2b$', '$2y$']) {
      assert.equal(parseConfig(`remote-management: {secret-key: "${prefix}10$x"}`).plainSecretKey, false);
    }
  });
});
