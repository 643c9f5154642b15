// Editing the text of a config: only what is meant changes (spec/config.md W1, W2, W6).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ConfigDraft } from '../../src/config/draft.ts';
import { parseConfig } from '../../src/config/load.ts';
import { commented } from './commented.ts';

const draftOf = (text: string) => new ConfigDraft(parseConfig(text), 'config.yaml');

/** Lines of `after` that are new and lines of `before` that are gone, by longest common subsequence. */
function diff(before: string, after: string): { gone: string[]; fresh: string[] } {
  const [a, b] = [before.split('\n'), after.split('\n')];
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = lengths[i] as number[];
      row[j] =
        a[i] === b[j]
          ? (lengths[i + 1]?.[j + 1] as number) + 1
          : Math.max(lengths[i + 1]?.[j] as number, row[j + 1] as number);
    }
  }
  const [gone, fresh]: [string[], string[]] = [[], []];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && (lengths[i + 1]?.[j] as number) >= (lengths[i]?.[j + 1] as number))) {
      gone.push(a[i++] as string);
    } else fresh.push(b[j++] as string);
  }
  return { gone, fresh };
}

function changed(path: string[], value: unknown, text = commented): { gone: string[]; fresh: string[]; text: string } {
  const draft = draftOf(text).set(path, value);
  return { ...diff(text, draft.text), text: draft.text };
}

const config = parseConfig(commented).config;

describe('a scalar', () => {
  test('changes on its line, quotes and comment stay', () => {
    assert.deepEqual(changed(['host'], '0.0.0.0'), {
      gone: ['host: "127.0.0.1"   # loopback'],
      fresh: ['host: "0.0.0.0"   # loopback'],
      text: commented.replace('"127.0.0.1"', '"0.0.0.0"'),
    });
    assert.deepEqual(changed(['auth-dir'], "it's").fresh, ["auth-dir: 'it''s'"]);
    assert.deepEqual(changed(['routing', 'strategy'], 'fill-first').fresh, ['  strategy: fill-first # turn by turn']);
  });

  test('of the same meaning is not written', () => {
    assert.equal(changed(['debug'], false).text, commented);
    assert.equal(changed(['routing', 'strategy'], 'RR').text, commented);
    assert.equal(changed(['request-retry'], 3).text, commented);
  });

  test('that is absent and gets its default is not written', () => {
    assert.equal(changed(['request-log'], false).text, commented);
    assert.equal(changed(['api-call-allowed-hosts'], []).text, commented);
  });

  test('that is absent is added behind its siblings', () => {
    assert.deepEqual(changed(['routing', 'session-affinity'], true).fresh, ['  session-affinity: true']);
    assert.deepEqual(changed(['streaming', 'bootstrap-retries'], 2).fresh, ['streaming:', '  bootstrap-retries: 2']);
    assert.equal(draftOf('').set(['debug'], true).text, 'debug: true\n');
    assert.equal(draftOf('# only words').set(['debug'], true).text, '# only words\ndebug: true\n');
    assert.equal(draftOf('port:\ndebug: # why\n').set(['debug'], true).text, 'port:\ndebug: true # why\n');
  });

  test('with a hostile text comes back as it went in', () => {
    for (const value of [
      'a: b',
      '# x',
      '- y',
      '"',
      "'",
      'true',
      '~',
      '0x10',
      'ünï',
      'a\nb',
      '\u2028',
      '*a',
      '%',
      ' x ',
    ]) {
      const draft = draftOf(commented).set(['proxy-url'], value).set(['auth-dir'], `d${value}`);
      assert.equal(parseConfig(draft.text).config['proxy-url'], value);
      assert.equal(parseConfig(draft.text).config['auth-dir'], `d${value}`.trim());
    }
  });
});

describe('a list', () => {
  test('gains, loses and renames one item on that line alone', () => {
    const [one, two] = config['api-keys'] as [string, string];
    assert.deepEqual(changed(['api-keys'], [one, two, 'new']).fresh, ['  - "new"']);
    assert.deepEqual(changed(['api-keys'], [two]).gone, [`  - "${one}" # first`]);
    assert.deepEqual(changed(['api-keys'], [one, 'other']).fresh, ["  - 'other'   # spare"]);
    assert.deepEqual(changed(['api-keys'], [two, one]).gone.length, 1);
  });

  test('that becomes empty keeps the comments in it', () => {
    const { text, fresh } = changed(['api-keys'], []);
    assert.deepEqual(fresh, ['api-keys: []']);
    assert.match(text, /# the second one/);
    assert.deepEqual(parseConfig(text).config['api-keys'], []);
  });

  test('of maps keeps unknown keys, comments and anchors inside its items', () => {
    const [first, ...rest] = config['openai-compatibility'];
    assert.ok(first);
    const { fresh, gone, text } = changed(['openai-compatibility'], [{ ...first, prefix: 'team' }, ...rest]);
    assert.deepEqual(gone, []);
    assert.deepEqual(fresh, ['    prefix: "team"']);
    assert.match(text, /x-note: mine/);
    assert.match(text, /# provider comment/);
  });

  test('in brackets changes inside its line', () => {
    assert.deepEqual(changed(['trusted-proxies'], ['10.0.0.0/8', '::1']).fresh, [
      'trusted-proxies: [ "10.0.0.0/8", "::1" ] # ours',
    ]);
    assert.deepEqual(changed(['trusted-proxies'], ['192.168.0.0/16']).fresh, [
      'trusted-proxies: [ 192.168.0.0/16 ] # ours',
    ]);
    assert.deepEqual(changed(['trusted-proxies'], []).fresh, ['trusted-proxies: [] # ours']);
  });

  test('writes neither defaults nor sanitised values of an entry', () => {
    const text = 'gemini-api-key:\n  - api-key: " AIza "\n    prefix: /x/\n    excluded-models: [A, a]\n';
    const entries = parseConfig(text).config['gemini-api-key'];
    assert.equal(draftOf(text).set(['gemini-api-key'], entries).text, text);
    const added = draftOf(text).set(['gemini-api-key'], [...entries, { ...entries[0], 'api-key': 'B', prefix: '' }]);
    assert.equal(added.text, `${text}  - api-key: "B"\n    excluded-models:\n      - "a"\n`);
  });

  test('deletes all repeats of an entry that goes, and leaves entries that never counted', () => {
    const text = 'gemini-api-key:\n  - api-key: A\n  - api-key: A\n  - api-key: ""\n  - api-key: B\n';
    assert.equal(
      draftOf(text).set(['gemini-api-key'], [{ 'api-key': 'B' }]).text,
      'gemini-api-key:\n  - api-key: ""\n  - api-key: B\n',
    );
  });
});

describe('a map of channels', () => {
  const text = 'oauth-excluded-models:\n  Codex: [a] # mine\n  claude:\n    - b\n    # last\n';
  test('keeps the spelling of the file', () => {
    const { config: now } = parseConfig(text);
    const next = { ...now['oauth-excluded-models'], codex: ['a', 'c'] };
    assert.equal(draftOf(text).set(['oauth-excluded-models'], next).text, text.replace('[a]', '[a, "c"]'));
    assert.equal(
      draftOf(text).set(['oauth-excluded-models', 'codex'], ['a', 'c']).text,
      text.replace('[a]', '[a, "c"]'),
    );
  });
  test('loses a channel however it is spelled', () => {
    const without = 'oauth-excluded-models:\n  claude:\n    - b\n    # last\n';
    assert.equal(draftOf(text).remove(['oauth-excluded-models', 'codex']).text, without);
    assert.equal(draftOf(text).set(['oauth-excluded-models'], { claude: ['b'] }).text, without);
  });
});

describe('anchors', () => {
  test('an alias that is edited becomes a value of its own', () => {
    assert.deepEqual(changed(['max-retry-interval'], 9), {
      gone: ['max-retry-interval: *retry'],
      fresh: ['max-retry-interval: 9'],
      text: commented.replace('interval: *retry', 'interval: 9'),
    });
  });

  test('a value that others refer to changes alone', () => {
    const { config: after } = draftOf(commented).set(['request-retry'], 8);
    assert.equal(after['request-retry'], 8);
    assert.equal(after['max-retry-interval'], 3);
  });

  test('a merged key is overridden, not changed at its origin', () => {
    assert.equal(config['quota-exceeded']['switch-project'], true);
    assert.deepEqual(changed(['quota-exceeded', 'switch-project'], false).fresh, ['  switch-project: false']);
    const { config: after } = draftOf(commented).remove(['quota-exceeded', 'switch-project']);
    assert.equal(after['quota-exceeded']['switch-project'], false);
  });
});

describe('removing', () => {
  test('takes the lines of the key and leaves the comment above', () => {
    const { gone, fresh, text } = changed(['api-keys'], undefined);
    assert.deepEqual(fresh, []);
    assert.equal(gone[0], 'api-keys:');
    assert.match(text, /# client keys/);
  });

  test('of the last member leaves a group that still reads', () => {
    const text = 'routing:\n  strategy: ff # c\n# next\ndebug: true\n';
    const draft = draftOf(text).remove(['routing', 'strategy']);
    assert.equal(draft.text, 'routing: {}\n# next\ndebug: true\n');
  });

  test('of what is not there changes nothing', () => {
    assert.equal(draftOf(commented).remove(['streaming', 'bootstrap-retries']).text, commented);
  });
});

test('line ends and a byte order mark stay as they are', () => {
  const text = '\ufeffdebug: false\r\napi-keys:\r\n  - a\r\nport: 1\r\n';
  const draft = draftOf(text).set(['api-keys'], ['a', 'b']).set(['debug'], true);
  assert.equal(draft.text, '\ufeffdebug: true\r\napi-keys:\r\n  - a\r\n  - "b"\r\nport: 1\r\n');
});

test('older key names are renamed by the first write, with their values', () => {
  const text =
    '# old\ngenerative-language-api-key: [g1, g2]\nopenai-compatibility:\n  - name: up # c\n    base-url: http://u\n    api-keys: [k1]\namp-upstream-url: http://amp\nauth:\n  providers:\n    - api-keys: [c1]\ndebug: false\n';
  const before = parseConfig(text);
  const draft = draftOf(text).set(['debug'], true);
  const after = parseConfig(draft.text);
  assert.deepEqual({ ...after.config, debug: false }, before.config);
  assert.deepEqual(
    after.warnings.filter(({ reason }) => reason.includes('is called')),
    [],
  );
  assert.deepEqual(
    after.config['gemini-api-key'].map((entry) => entry['api-key']),
    ['g1', 'g2'],
  );
  assert.deepEqual(after.config['api-keys'], ['c1']);
  assert.match(draft.text, /- name: up # c/);
});

describe('any 100 edits', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9 :#*&'"-]{0,11}$/).map((text) => `${text.trim()}x`);
  const keys = fc.uniqueArray(word, { maxLength: 5 });
  const edit = fc.oneof(
    fc.tuple(
      fc.constantFrom(['debug'], ['request-log'], ['routing', 'session-affinity'], ['tls', 'enable']),
      fc.boolean(),
    ),
    fc.tuple(
      fc.constantFrom(['request-retry'], ['max-retry-interval'], ['streaming', 'keepalive-seconds'], ['port']),
      fc.nat({ max: 99 }),
    ),
    fc.tuple(fc.constantFrom(['proxy-url'], ['host'], ['auth-dir'], ['remote-management', 'secret-key']), word),
    fc.tuple(fc.constantFrom(['api-keys'], ['management-allowed-hosts'], ['api-call-allowed-hosts']), keys),
    fc.tuple(
      fc.constant(['openai-compatibility']),
      fc.array(
        fc.record({
          name: word,
          'base-url': fc.constant('http://u'),
          prefix: word,
          models: fc.array(fc.record({ name: word, alias: word }), { maxLength: 3 }),
        }),
        { maxLength: 3 },
      ),
    ),
    fc.tuple(fc.constant(['oauth-excluded-models']), fc.dictionary(fc.constantFrom('codex', 'claude'), keys)),
    fc.tuple(
      fc.constantFrom(['quota-exceeded'], ['api-keys'], ['routing', 'strategy'], ['payload']),
      fc.constant(undefined),
    ),
  ) as unknown as fc.Arbitrary<[string[], unknown]>;

  test('keep every comment, unknown key and untouched line', () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 100, maxLength: 100 }), (edits) => {
        let before = parseConfig(commented);
        for (const [path, value] of edits) {
          const draft = new ConfigDraft(before, 'config.yaml').set(path, value);
          const after = parseConfig(draft.text);
          for (const name of Object.keys(before.config) as (keyof typeof before.config)[]) {
            if (name !== path[0]) assert.deepEqual(after.config[name], before.config[name], name);
          }
          for (const line of commented.split('\n')) {
            if (/^# |^x-/.test(line))
              assert.ok(draft.text.includes(line), `${line} is gone after ${JSON.stringify(path)}`);
          }
          if (value !== undefined) assert.equal(draft.set(path, value).text, after.text);
          before = after;
        }
      }),
      { numRuns: 2 },
    );
  });
});
