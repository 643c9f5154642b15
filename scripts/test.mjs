// `npm test`: types, lint, then every test, on the Node 26 that the project brings.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import process from 'node:process';

const steps = [
  ['types', 'tsc', ['--noEmit']],
  ['lint', 'biome', ['check', '--error-on-warnings', '.']],
];
for (const [name, command, args] of steps) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) {
    console.error(`cliproxy: ${name} failed`);
    process.exit(status ?? 1);
  }
}
const wanted = process.argv.slice(2);
const files = wanted.length > 0 ? wanted : globSync('test/**/*.test.ts').sort();
const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...files], { stdio: 'inherit' });
process.exit(status ?? 1);
