import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { bxAuthOf, parseIflowCookie } from '../../../src/providers/iflow/cookie.ts';

const accepted: [pasted: string, text: string, bxAuth: string][] = [
  ['BXAuth=abc123; SessionID=xyz789; Token=token123', 'BXAuth=abc123; SessionID=xyz789; Token=token123;', 'abc123'],
  ['   a=b;    BXAuth=x   ', 'a=b; BXAuth=x;', 'x'],
  ['BXAuth=x;', 'BXAuth=x;', 'x'],
  ['Cookie: BXAuth=x; a=b', 'BXAuth=x; a=b;', 'x'],
  ['cookie:BXAuth=x', 'BXAuth=x;', 'x'],
  ['a=b\nBXAuth=x\r\nc=d', 'a=b; BXAuth=x; c=d;', 'x'],
  ['a=b;\nBXAuth=x;\n', 'a=b; BXAuth=x;', 'x'],
  ['BXAuth=a=b==; c=', 'BXAuth=a=b==; c=;', 'a=b=='],
  ['BXAuth=first; BXAuth=second', 'BXAuth=first; BXAuth=second;', 'first'],
];
for (const [pasted, text, bxAuth] of accepted) {
  test(`${JSON.stringify(pasted)} is accepted`, () => {
    assert.deepEqual(parseIflowCookie(pasted), { ok: true, cookie: { text, bxAuth } });
  });
}

const refused: [pasted: string, reason: RegExp][] = [
  ['', /^cookie cannot be empty$/],
  ['   \n', /^cookie cannot be empty$/],
  ['Cookie:', /^cookie cannot be empty$/],
  ['{"BXAuth":"abc123"}', /^invalid cookie format/],
  ['{"BXAuth":"a=b"}', /^invalid cookie format/],
  ['BXAuth: abc123 SessionID: xyz789', /^invalid cookie format/],
  ['BXAuth: abc123\nSessionID: xyz789', /^invalid cookie format/],
  ['BXAuth=a b', /^invalid cookie format/],
  ['=x; BXAuth=a', /^invalid cookie format/],
  ['SessionID=xyz789; Token=token123', /^cookie missing BXAuth field$/],
  ['XBXAuth=abc123; SessionID=1', /^cookie missing BXAuth field$/],
  ['bxauth=abc123', /^cookie missing BXAuth field$/],
  ['BXAuth=; SessionID=1', /^cookie missing BXAuth field/],
];
for (const [pasted, reason] of refused) {
  test(`${JSON.stringify(pasted)} is refused`, () => {
    const parsed = parseIflowCookie(pasted);
    assert.match(parsed.ok ? '' : parsed.reason, reason);
  });
}

const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/).filter((text) => text !== 'BXAuth');
const value = fc.stringMatching(/^[A-Za-z0-9%=._~+/"-]{1,20}$/);
const blanks = fc.constantFrom('', ' ', '   ', '\t');
const separator = fc.constantFrom(';', '; ', ' ; ', ';\n', '\n', ';;');

test('however cookies are spaced and separated, the normal form is the same', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value)),
      value,
      fc.nat(8),
      blanks,
      separator,
      (others, bxAuth, at, blank, sep) => {
        const pairs = others.map(([n, v]) => `${n}=${v}`);
        pairs.splice(at, 0, `BXAuth=${bxAuth}`);
        const parsed = parseIflowCookie(blank + pairs.join(sep + blank) + blank);
        assert.deepEqual(parsed, { ok: true, cookie: { text: `${pairs.join('; ')};`, bxAuth } });
      },
    ),
  );
});

test('the normal form reads as itself, and nothing pasted makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(value).map((v) => `BXAuth=${v.join('; a=')}`),
      ),
      (pasted) => {
        const parsed = parseIflowCookie(pasted);
        if (!parsed.ok) return;
        assert.deepEqual(parseIflowCookie(parsed.cookie.text), parsed);
        assert.equal(bxAuthOf({ cookie: parsed.cookie.text }), parsed.cookie.bxAuth);
        assert.doesNotMatch(parsed.cookie.text, /[\u0000-\u001f\u007f]/);
      },
    ),
  );
});

test('the identity of a file is its own field, or inside its cookie, whoever wrote it', () => {
  assert.equal(bxAuthOf({ bx_auth: 'x', cookie: 'BXAuth=y;' }), 'x');
  assert.equal(bxAuthOf({ cookie: 'BXAuth=y;' }), 'y');
  assert.equal(bxAuthOf({ cookie: 'XBXAuth=y;' }), undefined);
  assert.equal(bxAuthOf({ cookie: 7 }), undefined);
});
