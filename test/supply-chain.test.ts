// What ships beside our own code: few packages, exact versions, no scripts at install time, licences that allow it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

interface Lock {
  packages: Record<
    string,
    { version?: string; dev?: boolean; hasInstallScript?: boolean; integrity?: string; optional?: boolean }
  >;
}
interface Licenses {
  isAllowed(expression: string): boolean;
  shipped(lock: Lock, root: string): { place: string; name: string }[];
  licenseOf(folder: string): { license: string; text: string | undefined };
}

const root = path.join(import.meta.dirname, '..');
const read = (file: string) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));
const script = path.join(root, 'scripts/licenses.mjs');
const { isAllowed, shipped, licenseOf } = (await import(script)) as Licenses;
const lock = read('package-lock.json') as Lock;

test('every dependency is written down with one exact version', () => {
  const { dependencies, devDependencies, optionalDependencies } = read('package.json') as Record<
    string,
    Record<string, string>
  >;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name);
  }
});

test('nothing that ships runs a script when it is installed, and each is pinned by its hash', () => {
  for (const { place, name } of shipped(lock, root)) {
    const entry = lock.packages[place];
    assert.notEqual(entry?.hasInstallScript, true, name);
    assert.match(entry?.integrity ?? '', /^sha512-/, name);
  }
});

test('everything that ships has a permissive licence', () => {
  const packages = shipped(lock, root);
  assert.ok(packages.length > 10 && packages.length < 100, `${packages.length} packages`);
  for (const { place, name } of packages) {
    assert.ok(
      isAllowed(licenseOf(path.join(root, place)).license),
      `${name}: ${licenseOf(path.join(root, place)).license}`,
    );
  }
  assert.match(execFileSync(process.execPath, [script], { encoding: 'utf8' }), /\d+ packages: .*MIT/);
});

test('a licence that is copyleft, unknown or not told is refused', (t) => {
  for (const good of ['MIT', '(MIT OR GPL-3.0)', 'ISC AND BSD-3-Clause', '(MIT AND (Apache-2.0 OR GPL-2.0))']) {
    assert.ok(isAllowed(good), good);
  }
  for (const bad of [
    '',
    'GPL-3.0',
    'AGPL-3.0-only',
    'MIT AND GPL-2.0',
    '(MIT AND GPL-3.0) OR LGPL-3.0',
    'SEE LICENSE IN x',
    'UNLICENSED',
  ]) {
    assert.ok(!isAllowed(bad), bad);
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'licence-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(path.join(folder, 'package.json'), '{"name":"x"}');
  assert.equal(licenseOf(folder).license, '');
  assert.ok(existsSync(script));
});

test('the lock file gives a bill of materials with every package that ships, its licence and its hash', () => {
  const text = execFileSync(process.execPath, [path.join(root, 'scripts/sbom.mjs')], { encoding: 'utf8' });
  const bom = JSON.parse(text) as {
    bomFormat: string;
    components: { name: string; purl: string; hashes?: object[] }[];
  };
  assert.equal(bom.bomFormat, 'CycloneDX');
  const names = new Set(bom.components.map(({ name }) => name));
  for (const name of [...shipped(lock, root).map((found) => found.name), 'undici', 'zod', 'fastify']) {
    assert.ok(names.has(name), name);
  }
  for (const { purl, hashes } of bom.components) {
    assert.match(purl, /^pkg:npm\/(%40)?[\w./-]+@\d/);
    assert.equal(hashes?.length, 1);
  }
});
