import assert from 'node:assert/strict';
import test from 'node:test';
import { createOAuthSessions, type OAuthSessions, sessionTtlMs } from '../../src/oauth/sessions.ts';

/** Sessions on a clock that the test moves. */
function sessionsAt(ttlMs = 600_000) {
  const clock = { now: 1_795_000_000_000, monotonic: 5_000 };
  const sessions = createOAuthSessions({
    now: () => clock.now,
    monotonic: () => clock.monotonic,
    ttlMs,
    purgeEveryMs: 0,
  });
  const pass = (ms: number) => {
    clock.now += ms;
    clock.monotonic += ms;
  };
  return { sessions, pass, clock };
}

function opened(state = 's1', provider = 'iflow', kind: 'callback' | 'device' = 'callback') {
  const at = sessionsAt();
  at.sessions.open({ state, provider, kind });
  return at;
}

const claimRefused: [
  what: string,
  prepare: (sessions: OAuthSessions) => void,
  args: [string, string?],
  refusal: string,
][] = [
  ['a malformed state', () => {}, ['../x'], 'invalid-state'],
  ['an unknown state', () => {}, ['s2'], 'unknown'],
  ["another provider's state", () => {}, ['s1', 'codex'], 'provider-mismatch'],
  ['a second callback', (sessions) => void sessions.claim('s1'), ['s1', 'iflow'], 'not-pending'],
  ['a failed session', (sessions) => sessions.fail('s1', 'denied'), ['s1', 'iflow'], 'not-pending'],
  [
    'a completed session',
    (sessions) => sessions.complete('s1', { file: 'f', path: '/f' }),
    ['s1'],
    'already-completed',
  ],
];
for (const [what, prepare, args, refusal] of claimRefused) {
  test(`a callback is refused for ${what}`, () => {
    const { sessions } = opened();
    prepare(sessions);
    assert.deepEqual(sessions.claim(...args), { refusal });
  });
}

test('a callback is refused for a device flow', () => {
  const { sessions } = opened('s1', 'kimi', 'device');
  assert.deepEqual(sessions.claim('s1', 'kimi'), { refusal: 'device-flow' });
  assert.equal(sessions.get('s1')?.status, 'wait');
});

test('a claim that could not be kept can be taken again', () => {
  const { sessions } = opened();
  sessions.claim('s1');
  sessions.release('s1');
  assert.ok('session' in sessions.claim('s1'));
});

test('a session waits, then expires ten minutes after its start', () => {
  const { sessions, pass } = opened();
  assert.equal(sessions.get('s1')?.status, 'wait');
  pass(599_999);
  assert.equal(sessions.get('s1')?.status, 'wait');
  pass(1);
  assert.equal(sessions.get('s1'), undefined);
  assert.deepEqual(sessions.claim('s1'), { refusal: 'unknown' });
});

test('a completed session can be asked for until its end, and stays completed', () => {
  const { sessions, pass } = opened();
  sessions.complete('s1', { file: 'iflow-a.json', path: '/auth/iflow-a.json' });
  sessions.fail('s1', 'too late');
  pass(599_000);
  assert.deepEqual(
    { status: sessions.get('s1')?.status, file: sessions.get('s1')?.file },
    { status: 'ok', file: 'iflow-a.json' },
  );
  pass(1_000);
  assert.equal(sessions.get('s1'), undefined);
});

test('a failed session never becomes ok', () => {
  const { sessions } = opened();
  sessions.fail('s1', 'access_denied');
  sessions.complete('s1', { file: 'f', path: '/f' });
  assert.deepEqual(
    { status: sessions.get('s1')?.status, error: sessions.get('s1')?.error },
    { status: 'error', error: 'access_denied' },
  );
});

test('two logins of one provider do not disturb each other', () => {
  const { sessions } = opened('s1');
  sessions.open({ state: 's2', provider: 'iflow', kind: 'callback' });
  sessions.complete('s2', { file: 'f', path: '/f' });
  assert.equal(sessions.get('s1')?.status, 'wait');
  assert.deepEqual(
    sessions.list('iflow').map((session) => session.state),
    ['s1', 's2'],
  );
  assert.deepEqual(sessions.list('codex'), []);
});

test('a device code that ends earlier shortens the session, never lengthens it', () => {
  const { sessions, pass, clock } = opened('s1', 'kimi', 'device');
  sessions.limit('s1', clock.now + 900_000);
  assert.equal(sessions.get('s1')?.expiresAt, clock.now + 600_000);
  sessions.limit('s1', clock.now + 60_000);
  pass(60_000);
  assert.equal(sessions.get('s1'), undefined);
});

test('a jump of the wall clock neither ends nor keeps a session', () => {
  const { sessions, clock } = opened();
  clock.now += 86_400_000;
  assert.equal(sessions.get('s1')?.status, 'wait');
  clock.now -= 172_800_000;
  clock.monotonic += 600_000;
  assert.equal(sessions.get('s1'), undefined);
});

test('the work of a session is told when it ends', () => {
  const ends: [string, (sessions: OAuthSessions, pass: (ms: number) => void) => void][] = [
    ['complete', (sessions) => sessions.complete('s1', { file: 'f', path: '/f' })],
    ['fail', (sessions) => sessions.fail('s1', 'x')],
    ['close', (sessions) => sessions.close()],
    [
      'expiry',
      (sessions, pass) => {
        pass(600_000);
        sessions.purge();
      },
    ],
  ];
  for (const [what, end] of ends) {
    const { sessions, pass } = opened();
    const signal = sessions.signal('s1');
    assert.equal(signal.aborted, false, what);
    end(sessions, pass);
    assert.equal(signal.aborted, true, what);
  }
});

const lifetimes: [value: string | undefined, ms: number][] = [
  [undefined, 600_000],
  ['', 600_000],
  ['2', 2_000],
  [' 30 ', 30_000],
  ['0', 600_000],
  ['-5', 600_000],
  ['soon', 600_000],
  ['1e9', 86_400_000],
];
for (const [value, ms] of lifetimes) {
  test(`CLIPROXY_OAUTH_SESSION_TTL=${value} gives ${ms} ms`, () => {
    assert.equal(sessionTtlMs(value === undefined ? {} : { CLIPROXY_OAUTH_SESSION_TTL: value }), ms);
  });
}
