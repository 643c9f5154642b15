// The example file and the documentation say what the schema says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { documentedKeys, withKeyTable } from '../../src/config/docs.ts';
import { defaultConfig, parseConfig } from '../../src/config/index.ts';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const example = read('config.example.yaml');
/** Settings are commented without a space after the `#`. */
const uncommented = example.replace(/^( *)#(?=\S)/gm, '$1').replace(/^#( {2,}\S)/gm, '$1');

/** Paths of a plain tree in the notation of the documentation. */
function pathsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const below = path === '' ? name : `${path}.${name}`;
    return [below, ...pathsOf(member, below)];
  });
}

describe('config.example.yaml', () => {
  test('loads without a warning', () => {
    assert.deepEqual(parseConfig(example).warnings, []);
  });

  test('keeps the address, port and folder of a start without a file', () => {
    const { config, given } = parseConfig(example);
    assert.equal(config.port, 8080);
    assert.equal(config['auth-dir'], 'auth');
    assert.equal(given.host, undefined);
    assert.deepEqual(config['api-keys'], []);
  });

  test('loads with every commented setting switched on', () => {
    const { warnings } = parseConfig(uncommented);
    assert.deepEqual(
      warnings.filter(({ reason }) => reason !== 'not yet active'),
      [],
    );
  });

  test('names every key that does something', () => {
    const there = new Set(pathsOf(parseConfig(uncommented).given));
    const maps = /\.(headers|params|<name>)(\.|\[|$)/;
    const common = /^(codex|claude|vertex)-api-key\[\]|^openai-compatibility\[\]\.(?!api-key-entries|models|name|base)/;
    const missing = documentedKeys()
      .filter(({ path, effect }) => effect !== 'none' && !maps.test(path) && !common.test(path) && !there.has(path))
      .map(({ path }) => path);
    assert.deepEqual(missing, []);
  });
});

describe('docs/configuration.md', () => {
  test('has the table of the schema as it is (else: node scripts/config-docs.mjs)', () => {
    const page = read('docs/configuration.md');
    assert.equal(withKeyTable(page), page);
  });

  test('describes every key', () => {
    assert.deepEqual(
      documentedKeys()
        .filter(({ description }) => description.length < 3)
        .map(({ path }) => path),
      [],
    );
  });

  test('covers every default of an empty file', () => {
    const documented = new Set(documentedKeys().map(({ path }) => path.split(/[.[]/)[0]));
    assert.deepEqual(
      Object.keys(defaultConfig()).filter((name) => !documented.has(name)),
      [],
    );
  });
});
