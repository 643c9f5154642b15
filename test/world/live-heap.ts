/**
 * Bytes that a running program really holds: its heap after a collection, asked through Node's inspector. Resident memory
 * says how much the collector has not yet given back, which differs from run to run.
 */
import assert from 'node:assert/strict';
import type { Run } from './binary.ts';

export interface LiveHeap {
  /** Bytes of living JavaScript objects, after a collection. */
  bytes(): Promise<number>;
  close(): void;
}

/** Of a run that was started with `inspected: true`. */
export async function liveHeap(run: Run): Promise<LiveHeap> {
  const [, address] = await run.until(/Debugger listening on (ws:\S+)/);
  assert.ok(address);
  const socket = new WebSocket(address);
  const waiting = new Map<number, (result: { usedSize?: number }) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result: { usedSize?: number } };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('no inspector')), { once: true });
  });
  let last = 0;
  const ask = (method: string): Promise<{ usedSize?: number }> =>
    new Promise((resolve) => {
      const id = ++last;
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method }));
    });
  return {
    async bytes() {
      await ask('HeapProfiler.collectGarbage');
      const { usedSize } = await ask('Runtime.getHeapUsage');
      assert.ok(usedSize !== undefined);
      return usedSize;
    },
    close: () => socket.close(),
  };
}
