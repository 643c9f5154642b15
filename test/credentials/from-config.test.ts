// API keys of the config as credentials.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { configSchema } from '../../src/config/index.ts';
import { configCredentials } from '../../src/credentials/from-config.ts';

const credentialsOf = (fields: object) => configCredentials(configSchema.parse(fields));
const hash = (text: string) => createHash('sha256').update(text).digest('hex');

test('an id is the kind and a hash of key and base URL', () => {
  const [credential] = credentialsOf({ 'gemini-api-key': [{ 'api-key': 'k1', 'base-url': 'http://g/' }] });
  assert.equal(credential?.id, `gemini:apikey:${hash('gemini:apikey\0k1\0http://g/').slice(0, 12)}`);
  assert.equal(credential?.baseUrl, 'http://g');
  assert.equal(credential?.token?.reveal(), 'k1');
  assert.match(credential?.authIndex ?? '', /^[0-9a-f]{16}$/);
});

test('repeats get a number; headers, models and priority do not change the id', () => {
  const entry = { 'api-key': 'k', 'base-url': 'http://c' };
  const twice = credentialsOf({ 'codex-api-key': [entry, { ...entry, priority: 5, headers: { a: 'b' } }] });
  assert.equal(twice[1]?.id, `${twice[0]?.id}-1`);
  assert.deepEqual([twice[1]?.priority, twice[1]?.headers], [5, { a: 'b' }]);
});

test('blank Claude keys make no credential, spaces around a key do not count', () => {
  const list = credentialsOf({ 'claude-api-key': [{ 'api-key': ' ' }, { 'api-key': ' k ' }] });
  assert.deepEqual(
    list.map((credential) => credential.token?.reveal()),
    ['k'],
  );
});

test('a compatible provider makes one credential per key, and one without a key when it has none', () => {
  const list = credentialsOf({
    'openai-compatibility': [
      {
        name: 'OpenRouter',
        'base-url': 'http://o/v1',
        'api-key-entries': [
          { 'api-key': 'a', 'proxy-url': 'socks5://p' },
          { 'api-key': 'b', disabled: true },
        ],
        models: [{ name: 'm', alias: 'x', thinking: { levels: ['low'], 'zero-allowed': true } }, { name: 'n' }],
      },
      { name: 'openrouter', 'base-url': 'http://o2', models: [{ name: 'other' }] },
      { 'base-url': 'http://o3' },
    ],
  });
  assert.deepEqual(
    list.map((credential) => [
      credential.providerKey,
      credential.token?.reveal(),
      credential.proxyUrl,
      credential.status,
    ]),
    [
      ['openrouter', 'a', 'socks5://p', 'active'],
      ['openrouter', 'b', undefined, 'disabled'],
      ['openrouter', undefined, undefined, 'active'],
      ['openai-compatibility', undefined, undefined, 'active'],
    ],
  );
  assert.equal(
    list[0]?.id,
    `openai-compatibility:openrouter:${hash('openai-compatibility:openrouter\0a\0http://o/v1\0socks5://p').slice(0, 12)}`,
  );
  // Of entries with one name the first one's models count.
  assert.deepEqual(list[2]?.models, list[0]?.models);
  assert.deepEqual(list[0]?.models, [
    {
      name: 'm',
      alias: 'x',
      thinking: { min: undefined, max: undefined, zeroAllowed: true, dynamicAllowed: false, levels: ['low'] },
    },
    { name: 'n', alias: 'n', thinking: undefined },
  ]);
});

test('an entry without models leaves the catalog in force', () => {
  const [credential] = credentialsOf({ 'claude-api-key': [{ 'api-key': 'k' }] });
  assert.equal(credential?.models, undefined);
});

test('a credential shows no key, however it is printed', () => {
  const [credential] = credentialsOf({ 'claude-api-key': [{ 'api-key': 'sk-ant-api03-very-secret-key' }] });
  assert.ok(!inspect(credential, { depth: 9 }).includes('very-secret'));
  assert.ok(!JSON.stringify(credential).includes('very-secret'));
});
