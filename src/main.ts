import { run } from './cli/index.ts';

run(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`cliproxy: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  },
);
