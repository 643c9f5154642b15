// `cliproxy doctor`: looks at everything a working set-up needs and says what to do about what is missing.
import type { FlagValue } from './arguments.ts';
import type { Surroundings } from './index.ts';

export async function runDoctor(_values: ReadonlyMap<string, FlagValue>, where: Surroundings): Promise<number> {
  where.complain('doctor: not yet');
  return 1;
}
