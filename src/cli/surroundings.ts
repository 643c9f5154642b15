// What a command may touch, and how it reads its flags' values.
import type { FlagValue } from './arguments.ts';

export interface Surroundings {
  env: NodeJS.ProcessEnv;
  cwd: string;
  print(line: string): void;
  complain(line: string): void;
}

export function textOf(values: ReadonlyMap<string, FlagValue>, name: string): string | undefined {
  const value = values.get(name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
