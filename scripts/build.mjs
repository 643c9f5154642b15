// Bundles src/main.ts with esbuild, runs it as far as every start would go (src/cli/rehearsal.ts), and packs the heap that is
// left, with the Node that runs this script, into one executable. CommonJS, because start-up snapshots know nothing else.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { lateBuiltins } from './late-builtins.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

if (Number(process.versions.node.split('.')[0]) < 26) {
  console.error('cliproxy: this script needs the Node 26 that `npm ci` installs; run it as `npm run build`.');
  process.exit(1);
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const commit = gitCommit();
mkdirSync('dist', { recursive: true });

/**
 * What libraries load at every start and never use here: neither side speaks HTTP/2 (3 MB), and the log has no worker
 * threads.
 */
const withoutUnused = {
  name: 'without-unused',
  setup(bundle) {
    const nothing = { contents: 'module.exports = {};' };
    bundle.onResolve({ filter: /^(?:node:http2|worker_threads)$/ }, ({ path }) => ({ path, namespace: 'nothing' }));
    bundle.onLoad({ filter: /.*/, namespace: 'nothing' }, ({ path }) =>
      // pino asks whether it runs in the main thread.
      path === 'worker_threads' ? { contents: 'module.exports = { isMainThread: true };' } : nothing,
    );
    bundle.onLoad({ filter: /undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/ }, () => nothing);
  },
};

await build({
  entryPoints: ['src/main.ts'],
  outfile: 'dist/cliproxy.cjs',
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'cjs',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'linked',
  loader: { '.json': 'json', '.html': 'text', '.svg': 'text', '.css': 'text' },
  define: {
    'process.env.CLIPROXY_BUILD_VERSION': JSON.stringify(version),
    'process.env.CLIPROXY_BUILD_COMMIT': JSON.stringify(commit),
    'process.env.CLIPROXY_BUILD_DATE': JSON.stringify(`${new Date().toISOString().slice(0, 19)}Z`),
    // `open` and others read their own URL to find helper files; inside one executable there are none.
    'import.meta.url': '__cliproxy.url',
    // undici's own switch: without its experimental second parser.
    esbuildDetection: 'true',
  },
  banner: { js: "const __cliproxy={get url(){return require('node:url').pathToFileURL(process.execPath).href}};" },
  plugins: [withoutUnused, lateBuiltins],
  logLevel: 'warning',
});
// esbuild leaves regular expressions as they are. One character beyond Latin-1 makes V8 keep the source in two bytes per
// character, which is 3 MB of memory; the escape means the same there.
writeFileSync(
  'dist/cliproxy.cjs',
  readFileSync('dist/cliproxy.cjs', 'utf8').replace(
    /[^\x00-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  ),
);

// A small young generation, no full collection for a large body or two, compiled code that outlives the collections of an
// idle server, and no such collections but our own (src/server/idle-memory.ts): measured in docs/performance.md.
const engineFlags = [
  '--max-semi-space-size=8',
  '--initial-old-space-size=64',
  '--no-flush-bytecode',
  '--no-memory-reducer',
  // What is experimental in Node and used here (src/server/free-pages.ts) is ours to watch, not the user's to read about.
  '--disable-warning=ExperimentalWarning',
];

const binary = process.platform === 'win32' ? 'cliproxy.exe' : 'cliproxy';
const temporary = `dist/${binary}`;
if (!pack({ useSnapshot: true })) {
  console.error('cliproxy: no start-up snapshot here (see above); the executable starts more slowly without it.');
  if (!pack({ useCodeCache: true })) process.exit(1);
}
if (process.platform === 'darwin') execFileSync('codesign', ['--sign', '-', '--force', temporary]);
chmodSync(temporary, 0o755);
// The builder's one large write leaves pages that the kernel maps in large pieces: a copy is 20 MB smaller in memory.
copyFileSync(temporary, `${temporary}.copy`);
renameSync(`${temporary}.copy`, temporary);
// A rename replaces the name, not the running program: a server started from the old file goes on.
renameSync(temporary, binary);
if (process.platform !== 'win32') {
  rmSync('CLIProxyAPI', { force: true });
  symlinkSync(binary, 'CLIProxyAPI');
}

/** True when the executable was made. */
function pack(kind) {
  writeFileSync(
    'dist/sea.json',
    JSON.stringify({
      main: 'dist/cliproxy.cjs',
      output: temporary,
      disableExperimentalSEAWarning: true,
      execArgvExtension: 'none',
      execArgv: engineFlags,
      ...kind,
    }),
  );
  rmSync(temporary, { force: true });
  // Snapshot and code cache are good for an engine with the same flags only. What Node has not verified in snapshots is
  // verified here: by the tests, which drive the executable.
  const { status } = spawnSync(process.execPath, [...engineFlags, '--no-warnings', '--build-sea', 'dist/sea.json'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return status === 0;
}

function gitCommit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return 'none';
  }
}
