// What V8 is told once the server listens. At the start of the process it would cost start-up time and memory.
import { setFlagsFromString } from 'node:v8';

/**
 * The optimising compiler works at the thousandth call of a function instead of the three thousandth. A server's hot
 * functions are the same few all its life: after 4,000 requests each costs what it costs after 18,000 otherwise
 * (docs/performance.md).
 */
export function optimizeEarly(): void {
  setFlagsFromString('--invocation-count-for-turbofan=1000');
}
