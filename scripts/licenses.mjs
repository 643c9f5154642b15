// `npm run licenses`: the licences of everything that ships, read from the installed packages. Fails on a licence that is
// missing or unknown to the list below, so that a new dependency cannot bring one in unseen.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/** Permissive licences: they ask for their text to be passed on, and nothing about our own code. */
export const allowed = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unlicense',
]);

/** True when an SPDX expression can be satisfied with allowed licences alone. */
export function isAllowed(expression) {
  const text = expression.trim();
  const bare = /^\((.*)\)$/.exec(text);
  if (bare && !/^[^(]*\)/.test(bare[1])) return isAllowed(bare[1]);
  const either = splitAtTop(text, ' OR ');
  if (either.length > 1) return either.some(isAllowed);
  const both = splitAtTop(text, ' AND ');
  if (both.length > 1) return both.every(isAllowed);
  return allowed.has(text);
}

function splitAtTop(text, separator) {
  const parts = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')') depth--;
    else if (depth === 0 && text.startsWith(separator, at)) {
      parts.push(text.slice(from, at));
      from = at + separator.length;
    }
  }
  return [...parts, text.slice(from)];
}

/** `package-lock.json` → the packages that ship: neither for development only nor for another platform. */
export function shipped(lock, root) {
  return Object.entries(lock.packages)
    .filter(([place, entry]) => place !== '' && !entry.dev && !entry.devOptional && !entry.link)
    .filter(([place, entry]) => !entry.optional || existsSync(path.join(root, place, 'package.json')))
    .map(([place, entry]) => ({ place, name: place.replace(/^.*node_modules\//, ''), version: entry.version }));
}

export function licenseOf(folder) {
  let told;
  try {
    const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    told = manifest.license ?? manifest.licenses;
  } catch {
    return { license: '', text: undefined };
  }
  const names = [told].flat().map((entry) => (typeof entry === 'string' ? entry : (entry?.type ?? '')));
  const text = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name));
  return { license: names.filter(Boolean).join(' OR '), text };
}

function main() {
  const root = path.join(import.meta.dirname, '..');
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const rows = shipped(lock, root).map((found) => ({ ...found, ...licenseOf(path.join(root, found.place)) }));
  const count = new Map();
  for (const { name, version, license } of rows) {
    console.log(`${license.padEnd(14) || '(none)        '} ${name}@${version}`);
    count.set(license, (count.get(license) ?? 0) + 1);
  }
  console.log(`\n${rows.length} packages: ${[...count].map(([name, n]) => `${n} ${name || '(none)'}`).join(', ')}`);
  const refused = rows.filter(({ license }) => !isAllowed(license));
  for (const { name, license } of refused) console.error(`not allowed: ${name} (${license || 'no licence told'})`);
  return refused.length === 0 ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main();
