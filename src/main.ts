// The program. In the single executable this file ran when it was built, and `main` starts in the heap that was left.
import { startupSnapshot } from 'node:v8';
import { run } from './cli/index.ts';
import { rehearse } from './cli/rehearsal.ts';

if (startupSnapshot.isBuildingSnapshot()) {
  startupSnapshot.setDeserializeMainFunction(main);
  rehearse().catch(fail);
} else main();

function main(): void {
  run(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  }, fail);
}

function fail(error: unknown): void {
  process.stderr.write(`cliproxy: ${textOf(error)}\n`);
  // A server that could not start may have begun things that would keep the process alive.
  process.exit(1);
}

/** What is wrong outside of the program is one line; what is wrong inside of it has a stack. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'exit' in error ? error.message : (error.stack ?? error.message);
}
