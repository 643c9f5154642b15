// The line of a request is written by hand in the log's own form: still one JSON record, and known as one that may wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../src/observe/log.ts';
import type { RequestSummary } from '../../src/server/client-route.ts';
import { requestLine } from '../../src/server/request-line.ts';

function logged(write: (log: ReturnType<typeof createLog>) => void): { line: string; calm: boolean } {
  const lines: { line: string; calm: boolean }[] = [];
  write(
    createLog(
      { debug: false, toFile: false, folder: '', maxTotalBytes: 0 },
      { write: (line, calm) => lines.push({ line, calm }) },
    ),
  );
  assert.equal(lines.length, 1);
  return lines[0] as { line: string; calm: boolean };
}

const request = (changes: Partial<RequestSummary>) =>
  logged((log) =>
    requestLine(log, {
      id: '0a1b2c3d',
      method: 'POST',
      path: '/v1/chat/completions',
      status: 200,
      tookMs: 12.4,
      address: '::ffff:127.0.0.1',
      model: 'big',
      stream: false,
      trace: { attempts: [], answeredBy: undefined },
      failure: undefined,
      ...changes,
    } as RequestSummary),
  );

test('is one JSON record, whatever clients put into model and path', () => {
  for (const odd of ['plain', 'a"b\\c', 'line\nbreak', 'é 😀', '\u0000\u2028']) {
    const { line } = request({ model: odd, path: `/v1/${odd}` });
    assert.match(line, /^[^\n]*\n$/);
    const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
    assert.equal(typeof time, 'number');
    assert.deepEqual(rest, {
      level: 'info',
      scope: 'request',
      requestId: '0a1b2c3d',
      model: odd,
      message: `200 |          12ms |       127.0.0.1 | POST    "/v1/${odd}"`,
    });
  }
});

test('may wait for others when all went well; a failure, and what the program says of itself, is written at once', () => {
  assert.equal(request({}).calm, true);
  assert.equal(request({ status: 502 }).calm, false);
  assert.equal(logged((log) => log.info('listening', { scope: 'server' })).calm, false);
});
