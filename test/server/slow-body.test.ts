// A request body that stops coming is given up, one that dribbles is not, and one whose client leaves is forgotten.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import type { Failure } from '../../src/failure.ts';
import { ClientPresence } from '../../src/routing/presence.ts';
import { readBody } from '../../src/server/body.ts';

/** Ends like a request whose bytes are written to `body`. */
function incoming() {
  const body = new PassThrough();
  const request = Object.assign(body, { headers: {} }) as unknown as IncomingMessage;
  const presence = new ClientPresence();
  let outcome: string | undefined;
  const read = readBody(request, 1000, presence).then(
    (bytes) => {
      outcome = bytes.toString();
    },
    (failure: Failure) => {
      outcome = `${failure.status} ${failure.message}`;
    },
  );
  return { body, presence, read, outcome: () => outcome };
}

/** Streams hand on what was written in a later turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a body', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
  afterEach(() => mock.timers.reset());

  test('of which nothing comes for a minute is given up with 408', async () => {
    const { body, outcome, read } = incoming();
    body.write('{"mo');
    await turn();
    mock.timers.tick(59_000);
    await turn();
    assert.equal(outcome(), undefined);
    mock.timers.tick(5_000);
    await read;
    assert.match(outcome() ?? '', /^408 no byte of the request body came for 60 s/);
  });

  test('that dribbles is waited for', async () => {
    const { body, outcome, read } = incoming();
    for (const byte of 'dribble') {
      body.write(byte);
      await turn();
      mock.timers.tick(50_000);
      await turn();
      assert.equal(outcome(), undefined);
    }
    body.end();
    await read;
    assert.equal(outcome(), 'dribble');
    mock.timers.tick(2_000);
  });

  test('whose client leaves ends as aborted, and is not looked at any more', async () => {
    const { body, outcome, presence, read } = incoming();
    body.write('half');
    await turn();
    presence.leave();
    await read;
    assert.match(outcome() ?? '', /^499 /);
    mock.timers.tick(120_000);
    assert.match(outcome() ?? '', /^499 /);
  });
});
