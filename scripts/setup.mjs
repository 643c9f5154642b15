// Makes a fresh clone ready: installs the locked dependencies (they bring Node 26) and, with --build, the binary.
// Runs on whatever Node npm itself runs on, so: no dependencies, no recent syntax.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

function run(command, args) {
  const result = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (result.status !== 0) process.exit(result.status === null ? 1 : result.status);
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function filesBelow(dir) {
  const found = [];
  for (const name of readdirSync(dir).sort()) {
    const file = path.join(dir, name);
    if (statSync(file).isDirectory()) found.push(...filesBelow(file));
    else found.push(file);
  }
  return found;
}

const stamp = (name) => path.join('node_modules', name);
const upToDate = (name, hash) => existsSync(stamp(name)) && readFileSync(stamp(name), 'utf8') === hash;

const locked = hashOf(['package-lock.json']);
if (!upToDate('.cliproxy-installed', locked)) {
  console.log('cliproxy: installing dependencies (once; takes about a minute) ...');
  run('npm', ['ci', '--ignore-scripts', '--loglevel=error']);
  writeFileSync(stamp('.cliproxy-installed'), locked);
}

if (process.argv.includes('--build')) {
  const binary = process.platform === 'win32' ? 'cliproxy.exe' : 'cliproxy';
  const sources = hashOf([...filesBelow('src'), 'scripts/build.mjs', 'package.json', 'package-lock.json']);
  if (!existsSync(binary) || !upToDate('.cliproxy-built', sources)) {
    console.log('cliproxy: building ./cliproxy ...');
    run('npm', ['run', '--silent', 'build']);
    writeFileSync(stamp('.cliproxy-built'), sources);
  }
}
