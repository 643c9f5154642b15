// Rewrites one file for ever, until killed. Arguments: the file.
import { writeAtomically } from '../../../src/credentials/atomic-write.ts';

const file = process.argv[2] as string;
process.stdout.write('ready\n');
for (let n = 0; ; n++) {
  await writeAtomically(file, JSON.stringify({ type: 'claude', n, pad: 'x'.repeat((n % 7) * 20_000), end: true }));
}
