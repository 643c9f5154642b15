// Pages of the C heap that hold nothing go back to the system. glibc keeps what lies below anything in use, and all that
// the threads of the compiler and the collector held: a burst leaves 15 to 30 MB so (docs/performance.md).
import type { DynamicLibraryResult, FunctionDefinitions } from 'node:ffi';

/** malloc_trim(3). */
const trimOfGlibc = { malloc_trim: { arguments: ['u64'], return: 'i32' } } as const satisfies FunctionDefinitions;

type Trim = DynamicLibraryResult<typeof trimOfGlibc>['functions']['malloc_trim'];

/** `null`: this system's C library has none. */
let trim: Trim | null | undefined;

/** Some milliseconds. Does nothing where the C library gives pages back by itself (musl, macOS, Windows). */
export function returnFreePages(): void {
  if (trim === undefined) trim = find();
  trim?.(0n);
}

function find(): Trim | null {
  if (process.platform !== 'linux') return null;
  try {
    return process.getBuiltinModule('node:ffi').dlopen(null, trimOfGlibc).functions.malloc_trim;
  } catch {
    return null;
  }
}
