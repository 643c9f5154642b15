import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyChanges, mergeLogin, mergeRefresh, sameJson, serialize } from '../../src/credentials/merge.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';

const fields = fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.jsonValue()) as fc.Arbitrary<JsonObject>;

describe('a token answer over a file', () => {
  it('never loses or blanks a key, whatever the answer', () => {
    fc.assert(
      fc.property(fields, fields, (file, answer) => {
        const merged = mergeRefresh(file, answer);
        for (const key of Object.keys(file)) assert.ok(Object.hasOwn(merged, key));
        const blanked = { ...answer, ...Object.fromEntries(Object.keys(file).map((key) => [key, ''])) };
        for (const key of Object.keys(file)) assert.ok(sameJson(mergeRefresh(file, blanked)[key], file[key]));
      }),
    );
  });
  it('merges a nested token member by member', () => {
    const merged = mergeRefresh(
      { token: { a: 'old', refresh_token: 'r' } },
      { token: { a: 'new', refresh_token: '' } },
    );
    assert.deepEqual(merged, { token: { a: 'new', refresh_token: 'r' } });
  });
});

describe('changes over an edited file', () => {
  it('are all there when nobody edited, and edits survive when nothing was changed', () => {
    fc.assert(
      fc.property(fields, fields, (before, after) => {
        assert.ok(sameJson(applyChanges(before, before, after), after));
        assert.ok(sameJson(applyChanges(after, before, before), after));
      }),
    );
  });
});

describe('changes over another login', () => {
  it('leave its tokens alone, and still bring the rest', () => {
    const before = { access_token: 'a', refresh_token: 'r', expired: '1' };
    const after = { access_token: 'a2', refresh_token: 'r2', expired: '2', plan: 'plus' };
    const login = { access_token: 'b', refresh_token: 's', expired: '9', note: 'n' };
    assert.deepEqual(applyChanges(login, before, after), { ...login, plan: 'plus' });
    const edited = { ...before, expired: '5', note: 'n' };
    assert.deepEqual(applyChanges(edited, before, after), { ...after, note: 'n' });
  });
});

describe('a new login over a file', () => {
  it('replaces tokens, drops dead ones, keeps settings and organization', () => {
    const old = { type: 'x', id_token: 'old', access_token: 'old', cookie: 'c', note: 'n', organization_uuid: 'o' };
    const merged = mergeLogin(old, { type: 'x', access_token: 'new', note: 'from login', organization_uuid: 'p' });
    assert.deepEqual(merged, { type: 'x', access_token: 'new', note: 'n', organization_uuid: 'p' });
  });
});

describe('the text of a file', () => {
  it('is one line with sorted keys that reads back the same', () => {
    fc.assert(
      fc.property(fields, (given) => {
        const text = serialize(given);
        assert.ok(!text.includes('\n'));
        assert.ok(sameJson(JSON.parse(text), { disabled: false, type: '', ...given }));
        assert.equal(serialize(JSON.parse(text)), text);
      }),
    );
  });
});
