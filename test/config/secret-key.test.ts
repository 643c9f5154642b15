import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashSecretKey, matchesSecretKey, recognizesKey, rememberKey } from '../../src/config/secret-key.ts';

test('a key that was hashed here is told from every other one without bcrypt', async () => {
  const hash = await hashSecretKey('right');
  assert.match(hash, /^\$2a\$10\$/);
  assert.equal(recognizesKey('right', hash), true);
  for (const wrong of ['', 'righ', 'right ', 'RIGHT', hash]) assert.equal(recognizesKey(wrong, hash), false);
  assert.ok(await matchesSecretKey('right', hash));
});

test('of a hash from elsewhere only bcrypt can tell, until its key was seen', () => {
  const hash = '$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy';
  assert.equal(recognizesKey('any', hash), undefined);
  rememberKey('seen', hash);
  assert.deepEqual([recognizesKey('seen', hash), recognizesKey('any', hash)], [true, false]);
});
