import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catchTheRest } from '../../src/server/last-resort.ts';
import { listenError } from '../../src/server/start-error.ts';

function watched(act: () => void) {
  const lines: string[] = [];
  let ended = 0;
  const kept = (['uncaughtException', 'unhandledRejection'] as const).map((event) => {
    const listeners = process.listeners(event as 'uncaughtException');
    process.removeAllListeners(event);
    return () => {
      for (const listener of listeners) process.on(event, listener);
    };
  });
  const log = {
    error: (line: string, fields?: object) => void lines.push(`${line} ${JSON.stringify(fields)}`),
    flush() {},
  };
  const guard = catchTheRest(log, () => {
    ended++;
  });
  try {
    act();
  } finally {
    guard.stop();
    for (const restore of kept) restore();
  }
  return { lines, ended };
}

test('an I/O error that nobody handled is logged, and the server goes on', () => {
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
  const { lines, ended } = watched(() => process.emit('uncaughtException', reset));
  assert.deepEqual([lines.length, ended], [1, 0]);
});

test('a bug that nobody handled is logged and ends the program', () => {
  const { lines, ended } = watched(() => process.emit('uncaughtException', new TypeError('x is not a function')));
  assert.match(lines.join(), /the program ends/);
  assert.equal(ended, 1);
});

test('only message and stack are logged, not what else an error carries', () => {
  const error = Object.assign(new Error('failed'), { headers: { authorization: 'Bearer canary-secret' } });
  const { lines } = watched(() => process.emit('unhandledRejection', error, Promise.resolve()));
  assert.match(lines.join(), /failed/);
  assert.doesNotMatch(lines.join(), /canary/);
  assert.doesNotMatch(
    watched(() => process.emit('unhandledRejection', 'canary-secret', Promise.resolve())).lines.join(),
    /canary/,
  );
});

test('a port that cannot be used is one line that names it and what to do', () => {
  const message = (code: string, host = '127.0.0.1') =>
    listenError(Object.assign(new Error(code), { code }), host, 8080).message;
  assert.match(message('EADDRINUSE'), /^port 8080 on 127\.0\.0\.1 is in use .*-port$/);
  assert.match(message('EADDRINUSE', ''), /on all interfaces/);
  assert.match(message('EACCES'), /above 1023/);
  assert.match(message('EWHATEVER'), /EWHATEVER/);
});
