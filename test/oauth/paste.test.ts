import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Pasted, readPasted } from '../../src/oauth/paste.ts';

const state = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const code = { kind: 'code', code: 'ac_4/0Xy-z' } as const;
const encoded = encodeURIComponent(code.code);

const accepted: [what: string, pasted: string][] = [
  ['a full URL', `http://localhost:54545/callback?code=${encoded}&state=${state}`],
  ['an https URL', `https://localhost/callback?code=${encoded}&state=${state}`],
  [
    'a URL with further members',
    `http://localhost:1/x?scope=a+b&authuser=0&code=${encoded}&state=${state}&prompt=consent`,
  ],
  ['the query alone', `?code=${encoded}&state=${state}`],
  ['pairs without a question mark', `code=${encoded}&state=${state}`],
  ['pairs in the other order', `state=${state}&code=${encoded}`],
  ['an address without a scheme', `localhost:11451/oauth2callback?code=${encoded}&state=${state}`],
  ['an IP address without a scheme', `127.0.0.1:11451/oauth2callback?code=${encoded}&state=${state}`],
  ['a fragment with pairs', `http://localhost:1/callback#code=${encoded}&state=${state}`],
  ['CODE#STATE, as Claude shows it', `${code.code}#${state}`],
  ['a URL with CODE#STATE in it', `http://localhost:54545/callback?code=${encoded}#${state}`],
  ['a URL with an encoded CODE#STATE', `http://localhost:54545/callback?code=${encoded}%23${state}`],
  ['a URL in quotes', `"http://localhost:54545/callback?code=${encoded}&state=${state}"`],
  ['a URL in angle brackets', `<http://localhost:54545/callback?code=${encoded}&state=${state}>`],
  ['blanks around', `  ?code=${encoded}&state=${state} \r\n`],
];

for (const [what, pasted] of accepted) {
  test(`${what} is accepted`, () => {
    assert.deepEqual(readPasted(pasted, state), code);
  });
}

test('nothing but Enter means to go on waiting', () => {
  assert.deepEqual(readPasted('  \t', state), { kind: 'empty' });
});

const refused: [what: string, pasted: string, reason: RegExp][] = [
  ['a bare code', 'ac_abc123', /a code alone is not enough/],
  ['words', 'hello world', /not a callback URL/],
  ['another state', `?code=${encoded}&state=other`, /another login/],
  ['no state', `?code=${encoded}`, /no state/],
  ['an empty state', `?code=${encoded}&state=`, /no state/],
  ['no code', `http://localhost:54545/callback?state=${state}`, /no code/],
  ['CODE#STATE of another login', `${code.code}#other`, /another login/],
  ['an error of another login', '?error=access_denied&state=other', /another login/],
  ['an error without state', '?error=access_denied', /no state/],
  ['a broken URL', 'http://[::1', /copy the whole address/],
];

for (const [what, pasted, reason] of refused) {
  test(`${what} is explained, not fatal`, () => {
    const read = readPasted(pasted, state);
    assert.equal(read.kind, 'invalid');
    assert.match(read.kind === 'invalid' ? read.reason : '', reason);
  });
}

test("the provider's error with the right state ends the login", () => {
  const expected: Pasted = { kind: 'denied', error: 'access_denied', description: 'The user said no' };
  assert.deepEqual(
    readPasted(`?error=access_denied&error_description=The+user+said+no&state=${state}`, state),
    expected,
  );
});

test('a description alone counts as the error', () => {
  const read = readPasted(`?error_description=gone&state=${state}`, state);
  assert.equal(read.kind === 'denied' ? read.error : undefined, 'gone');
});

test('no text makes the reader throw, and no text but one with the state gives a code', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const read = readPasted(text, state);
      assert.ok(read.kind !== 'code' || text.includes(state));
    }),
  );
});

test('every code survives the way through a redirect URL', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9/_.~+-]{1,80}$/), (any) => {
      const query = new URLSearchParams({ code: any, state });
      assert.deepEqual(readPasted(`http://localhost:8085/cb?${query}`, state), { kind: 'code', code: any });
    }),
  );
});
