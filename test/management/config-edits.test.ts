import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConfigRejected } from '../../src/server/management/deps.ts';
import { redacted, unmasked } from '../../src/server/management/redact.ts';
import { key, type Lab, openLab } from './lab.ts';

const commented = `# what this is for
host: "127.0.0.1"

remote-management:
  # who may manage
  secret-key: "${key}" # change me
api-keys: # clients
  - client-key-number-1 # laptop
  - client-key-number-2

defaults: &shared   # an anchor nobody knows
  a: 1
unknown-key: *shared

debug: false # quiet
gemini-api-key:
  # the first
  - api-key: AIza-long-secret-key-1 # paid
    colour: green
  - api-key: AIza-long-secret-key-2
`;

const text = (lab: Lab): string => readFileSync(lab.configFile, 'utf8');
const put = (lab: Lab, route: string, body: unknown, headers = {}) =>
  lab.call('PUT', route, { payload: typeof body === 'string' ? body : JSON.stringify(body), headers });

/** Lines of one text that the other does not have. */
function difference(before: string, after: string): { gone: string[]; come: string[] } {
  const [old, fresh] = [before.split('\n'), after.split('\n')];
  return { gone: old.filter((line) => !fresh.includes(line)), come: fresh.filter((line) => !old.includes(line)) };
}

describe('a setting', () => {
  it('changes its own line and nothing else', async () => {
    const lab = await openLab({ config: commented });
    const before = text(lab);
    assert.equal((await put(lab, 'debug', { value: true })).statusCode, 200);
    assert.deepEqual(difference(before, text(lab)), { gone: ['debug: false # quiet'], come: ['debug: true # quiet'] });
    await put(lab, 'debug', { value: false });
    assert.equal(text(lab), before);
    await lab.close();
  });

  it('is in force when the answer comes', async () => {
    const lab = await openLab({ config: commented });
    await put(lab, 'api-keys', ['only-this-one-now']);
    assert.deepEqual(lab.source.current()['api-keys'], ['only-this-one-now']);
    await lab.close();
  });

  it('that cannot be stored is not in force either, and no path is told', async () => {
    const lab = await openLab({ config: commented });
    const port = lab.deps.config;
    port.edit = () => Promise.reject(new ConfigRejected('io', `EROFS ${lab.dir}`));
    const answer = await put(lab, 'debug', { value: true });
    assert.deepEqual([answer.statusCode, answer.json().error], [500, 'failed to save config']);
    assert.ok(!answer.body.includes(lab.dir));
    assert.deepEqual((await lab.call('GET', 'debug')).json(), { debug: false });
    await lab.close();
  });

  it('is not written to a new file when the old one is gone', async () => {
    const lab = await openLab({ config: commented });
    rmSync(lab.configFile);
    assert.equal((await put(lab, 'debug', { value: true })).statusCode, 500);
    assert.equal((await lab.call('GET', 'config.yaml')).statusCode, 404);
    assert.equal((await lab.call('GET', 'debug')).statusCode, 200);
    await lab.close();
  });
});

describe('comments, anchors and unknown keys', () => {
  it('survive 40 random edits: every other line is untouched', async () => {
    const lab = await openLab({ config: commented });
    const edits: fc.Arbitrary<[string, unknown, RegExp]> = fc.oneof(
      fc.boolean().map((value) => ['debug', { value }, /^debug:/] as [string, unknown, RegExp]),
      fc.boolean().map((value) => ['ws-auth', { value }, /^ws-auth:/] as [string, unknown, RegExp]),
      fc.nat(9).map((value) => ['request-retry', { value }, /^request-retry:/] as [string, unknown, RegExp]),
      fc
        .constantFrom('round-robin', 'fill-first')
        .map((value) => ['routing/strategy', { value }, /^(routing:|\s+strategy:)/] as [string, unknown, RegExp]),
      fc
        .uniqueArray(fc.constantFrom('client-key-number-1', 'client-key-number-2', 'client-key-number-3'), {
          minLength: 1,
        })
        .map((keys) => ['api-keys', keys, /^(api-keys:|\s+- "?client-key)/] as [string, unknown, RegExp]),
    );
    const start = text(lab);
    await fc.assert(
      fc.asyncProperty(edits, async ([route, body, own]) => {
        lab.clock.now += 1_000;
        const before = text(lab);
        assert.equal((await put(lab, route, body)).statusCode, 200);
        const { gone, come } = difference(before, text(lab));
        for (const line of [...gone, ...come]) assert.match(line, own);
      }),
      { numRuns: 40 },
    );
    for (const line of start
      .split('\n')
      .filter((each) => /#|anchor|unknown|colour/.test(each) && !/laptop|debug|clients/.test(each))) {
      assert.ok(text(lab).split('\n').includes(line), line);
    }
    await lab.close();
  });

  it('inside a list item survive a change of that item', async () => {
    const lab = await openLab({ config: commented });
    const answer = await lab.call('PATCH', 'gemini-api-key', {
      payload: JSON.stringify({ index: 0, value: { prefix: 'team' } }),
    });
    assert.equal(answer.statusCode, 200);
    assert.match(
      text(lab),
      /# the first\n {2}- api-key: AIza-long-secret-key-1 # paid\n {4}colour: green\n {4}prefix: "?team"?/,
    );
    await lab.close();
  });

  it('stay when what was added is deleted again', async () => {
    const lab = await openLab({ config: commented });
    const before = text(lab);
    await put(lab, 'ampcode/upstream-api-keys', { value: [{ 'upstream-api-key': 'amp-A', 'api-keys': ['k'] }] });
    await lab.call('DELETE', 'ampcode/upstream-api-keys', { payload: '{"value":[]}' });
    await lab.source.reload();
    assert.deepEqual((await lab.call('GET', 'ampcode/upstream-api-keys')).json(), { 'upstream-api-keys': [] });
    const { gone } = difference(before, text(lab));
    assert.deepEqual(gone, []);
    await lab.close();
  });
});

describe('two editors', () => {
  it('the second with an old ETag gets 412 and nothing is changed', async () => {
    const lab = await openLab({ config: commented });
    const etag = String((await lab.call('GET', 'debug')).headers.etag);
    assert.match(etag, /^"[0-9a-f]+"$/);
    assert.equal((await put(lab, 'debug', { value: true }, { 'if-match': etag })).statusCode, 200);
    const before = text(lab);
    const late = await put(lab, 'request-retry', { value: 3 }, { 'if-match': etag });
    assert.equal(late.statusCode, 412);
    assert.notEqual(late.headers.etag, etag);
    assert.equal(text(lab), before);
    assert.equal((await put(lab, 'request-retry', { value: 3 }, { 'if-match': '*' })).statusCode, 200);
    assert.equal((await put(lab, 'request-retry', { value: 4 })).statusCode, 200);
    const fresh = await lab.call('GET', 'config', {
      headers: { 'if-none-match': String((await lab.call('GET', 'config')).headers.etag) },
    });
    assert.equal(fresh.statusCode, 304);
    await lab.close();
  });

  it('at the same time lose nothing', async () => {
    const lab = await openLab({ config: commented });
    const changes = [...Array(20).keys()].map((n) =>
      lab.call('PATCH', 'api-keys', { payload: JSON.stringify({ new: `added-key-${n}` }) }),
    );
    assert.ok((await Promise.all(changes)).every((answer) => answer.statusCode === 200));
    assert.equal(lab.source.current()['api-keys'].length, 22);
    await lab.close();
  });
});

describe('the whole file', () => {
  it('is stored as sent, with the plain key hashed, and is in force', async () => {
    const lab = await openLab({ config: commented });
    const sent = commented.replace('debug: false', 'debug: true').replace(key, 'another-management-key');
    const answer = await put(lab, 'config.yaml', sent, { 'content-type': 'application/yaml' });
    assert.equal(answer.statusCode, 200);
    assert.ok(answer.json().ok);
    assert.ok(answer.json().changed.includes('debug') && answer.json().changed.includes('config'));
    const { gone, come } = difference(sent, text(lab));
    assert.equal(gone.length, 1);
    assert.match(come[0] ?? '', /^ {2}secret-key: "\$2a\$10\$.*" # change me$/);
    assert.equal((await lab.call('GET', 'debug')).statusCode, 401);
    assert.equal(
      (await lab.call('GET', 'debug', { headers: { authorization: 'another-management-key' } })).statusCode,
      200,
    );
    await lab.close();
  });

  it('can be tried without storing it', async () => {
    const lab = await openLab({ config: commented });
    const before = text(lab);
    const sent = before
      .replace('debug: false', 'debug: true')
      .replace('unknown-key', 'routing-typo')
      .concat('port: 9999\n');
    const answer = await put(lab, 'config.yaml?dry_run=true', sent);
    assert.equal(answer.statusCode, 200);
    const { changed, warnings, restart_required } = answer.json();
    assert.ok(changed.includes('debug') && changed.includes('port'));
    assert.ok(restart_required.includes('port'));
    assert.ok(
      warnings.some((warning: { path: string; line: number }) => warning.path === 'routing-typo' && warning.line > 1),
    );
    assert.equal(text(lab), before);
    await lab.close();
  });

  for (const [what, change, status, error] of [
    ['is empty', () => '', 422, 'invalid_config'],
    ['is no YAML', () => 'a: [', 400, 'invalid_yaml'],
    ['is a list', () => '- a\n- b\n', 400, 'invalid_yaml'],
    ['has a wrong type', (now: string) => `${now}port: "abc"\n`, 400, 'invalid_yaml'],
    ['has a key twice', (now: string) => `${now}debug: true\n`, 400, 'invalid_yaml'],
    [
      'has a management key of 80 bytes',
      (now: string) => now.replace(/secret-key: .*/, `secret-key: ${'k'.repeat(80)}`),
      422,
      'invalid_config',
    ],
    ['has no management key', (now: string) => now.replace(/ {2}secret-key: .*/, ''), 409, 'would_lock_out'],
  ] as const) {
    it(`that ${what} is ${status} ${error}, and the old one stays`, async () => {
      const lab = await openLab({ config: commented });
      const before = text(lab);
      const answer = await put(lab, 'config.yaml', change(before));
      assert.deepEqual([answer.statusCode, answer.json().error], [status, error]);
      assert.equal(text(lab), before);
      assert.equal((await lab.call('GET', 'debug')).statusCode, 200);
      await lab.close();
    });
  }

  it('without a management key is stored when that is meant', async () => {
    const lab = await openLab({ config: commented });
    const sent = text(lab).replace(/ {2}secret-key: .*/, '  allow-remote: false');
    assert.equal((await put(lab, 'config.yaml?force=true', sent)).statusCode, 200);
    assert.equal((await lab.call('GET', 'debug')).statusCode, 404);
    await lab.close();
  });

  it('in a folder that cannot be written is refused without its path', async () => {
    const lab = await openLab({ config: commented });
    lab.deps.config.replace = () => Promise.reject(new ConfigRejected('io', lab.dir));
    const answer = await put(lab, 'config.yaml', text(lab).replace('debug: false', 'debug: true'));
    assert.deepEqual([answer.statusCode, answer.json().error], [500, 'write_failed']);
    assert.ok(!answer.body.includes(lab.dir));
    await lab.close();
  });
});

describe('masked values', () => {
  it('sent back keep the stored secrets: the file stays byte for byte', async () => {
    const lab = await openLab({ config: commented });
    const before = text(lab);
    for (const list of ['api-keys', 'gemini-api-key']) {
      const shown = (await lab.call('GET', `${list}?redact=1`)).json()[list];
      assert.ok(!JSON.stringify(shown).includes('secret-key-1') && !JSON.stringify(shown).includes('key-number'));
      assert.equal((await put(lab, list, shown)).statusCode, 200);
      assert.equal(text(lab), before);
    }
    await lab.close();
  });

  it('beside a new one keep theirs', async () => {
    const lab = await openLab({ config: commented });
    const { 'api-keys': keys } = (await lab.call('GET', 'api-keys?redact=true')).json();
    await put(lab, 'api-keys', [...keys, 'a-third-client-key']);
    assert.deepEqual(lab.source.current()['api-keys'], [
      'client-key-number-1',
      'client-key-number-2',
      'a-third-client-key',
    ]);
    await lab.close();
  });

  it('of any configuration come back as they were', () => {
    const secret = fc.string({ minLength: 1, maxLength: 40 });
    const entry = fc.record(
      {
        'api-key': secret,
        'base-url': fc.webUrl(),
        headers: fc.dictionary(fc.constantFrom('Authorization', 'X-Team', 'x-api-key'), secret),
        'proxy-url': fc.constantFrom('', 'direct', 'http://user:pass@proxy.test:1'),
      },
      { requiredKeys: ['api-key'] },
    );
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: (item) => item['api-key'], maxLength: 6 }), (list) => {
        const back = unmasked('gemini-api-key', redacted('gemini-api-key', list), list);
        assert.equal(JSON.stringify(back), JSON.stringify(list));
      }),
    );
  });

  it('hide every secret of the configuration', async () => {
    const lab = await openLab({ config: `${commented}proxy-url: "http://user:hidden-password@proxy.test"\n` });
    const shown = (await lab.call('GET', 'config?redact=1')).body;
    for (const part of ['hidden-password', 'secret-key-1', 'secret-key-2', 'key-number'])
      assert.ok(!shown.includes(part), part);
    const full = (await lab.call('GET', 'config')).body;
    assert.ok(full.includes('AIza-long-secret-key-1'));
    await lab.close();
  });
});

describe('client keys on an open address', () => {
  it('do not all go by accident', async () => {
    const lab = await openLab({ config: commented, deps: { bindHost: () => '0.0.0.0' } });
    for (const [method, route, payload] of [
      ['PUT', 'api-keys', '[]'],
      ['PUT', 'api-keys', 'null'],
    ] as const) {
      const answer = await lab.call(method, route, { payload });
      assert.deepEqual([answer.statusCode, answer.json().code], [409, 'would_open_access']);
    }
    assert.equal(lab.source.current()['api-keys'].length, 2);
    assert.equal((await lab.call('PUT', 'api-keys?force=true', { payload: '[]' })).statusCode, 200);
    await lab.close();
  });
});

it('a configuration in a folder without write permission gives 500 and keeps the old value', {
  skip: process.getuid?.() === 0,
}, async () => {
  const lab = await openLab({ config: commented });
  mkdirSync(path.join(lab.dir, 'x'), { recursive: true });
  writeFileSync(path.join(lab.dir, 'x', 'y'), '');
  chmodSync(lab.dir, 0o500);
  chmodSync(lab.configFile, 0o400);
  assert.equal((await put(lab, 'debug', { value: true })).statusCode, 500);
  assert.deepEqual((await lab.call('GET', 'debug')).json(), { debug: false });
  chmodSync(lab.dir, 0o700);
  await lab.close();
});
