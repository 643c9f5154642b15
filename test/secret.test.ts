import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import pino from 'pino';
import { Secret } from '../src/secret.ts';

const plain = 'canary-0123456789abcdef-tail';

test('a secret gives its mask in every way of making text, and its value only when asked for it', () => {
  const secret = new Secret(plain);
  const holder = { deep: [{ secret }], map: new Map([['k', secret]]) };
  const texts = [
    String(secret),
    `${secret}`,
    JSON.stringify(holder),
    inspect(holder, { depth: 9, showHidden: true }),
    format('%s %o %O %j', secret, secret, secret, secret),
    new Error(`no access with ${secret}`, { cause: secret }).stack ?? '',
    inspect(new Error('x', { cause: secret })),
    Object.entries(secret).join(),
    inspect(structuredClone({ ...secret })),
  ];
  for (const text of texts) assert.ok(!text.includes('0123456789'), text);
  assert.equal(secret.reveal(), plain);
});

test('a secret in the fields of a log line is masked', () => {
  const lines: string[] = [];
  pino({}, { write: (line: string) => void lines.push(line) }).info(
    { token: new Secret(plain), nested: { s: new Secret({ plain }) } },
    'x',
  );
  assert.ok(!lines.join().includes('0123456789'), lines.join());
});
