import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config } from '../../src/config/index.ts';
import { formatInstant } from '../../src/credentials/expiry.ts';
import { createRefresher, type Refresher } from '../../src/credentials/refresh.ts';
import type { HttpResponse } from '../../src/net/http.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { type Provider, RefreshError, type RefreshPolicy } from '../../src/providers/provider.ts';
import { FakeClock, fakeProvider, settle } from './fakes.ts';
import { Disk, type MemoryStore, memoryStore } from './memory-store.ts';

const minute = 60_000;
const hour = 60 * minute;

interface Process {
  store: MemoryStore;
  refresher: Refresher;
}

/** A token endpoint with rotating single-use refresh tokens, a disk, and processes on it. */
class World {
  readonly clock = new FakeClock();
  readonly disk = new Disk();
  readonly log: string[] = [];
  readonly calls: { at: number; sent: unknown }[] = [];
  readonly spent = new Set<unknown>();
  reused = 0;
  /** s */
  lifetime = 8 * 3600;
  answer: (fields: JsonObject, n: number) => JsonObject | Promise<JsonObject> = (_fields, n) => this.tokens(n);
  policy: Partial<RefreshPolicy> = {};
  more: Partial<Provider> = {};

  tokens(n: number): JsonObject {
    return {
      access_token: `at-${n}`,
      refresh_token: `rt-${n}`,
      expired: formatInstant(this.clock.now() + this.lifetime * 1000),
      last_refresh: formatInstant(this.clock.now()),
    };
  }

  file(name: string, left: number | undefined, more: JsonObject = {}): void {
    const fields: JsonObject = {
      type: 'claude',
      email: `${name}@x`,
      access_token: 'at-0',
      refresh_token: `rt-0-${name}`,
      last_refresh: formatInstant(this.clock.now() - 8 * hour),
      ...(left === undefined ? {} : { expired: formatInstant(this.clock.now() + left) }),
      ...more,
    };
    this.disk.files.set(name, JSON.stringify(fields));
  }

  start(options: { run?: boolean; headers?: HttpResponse['headers'] } = {}): Process {
    const refresh = async (fields: JsonObject, context: { http: { request(url: string): Promise<HttpResponse> } }) => {
      const sent = fields.refresh_token ?? null;
      this.calls.push({ at: this.clock.now(), sent });
      if (this.spent.has(sent)) this.reused += 1;
      this.spent.add(sent);
      await context.http.request('https://token.test');
      return this.answer(fields, this.calls.length);
    };
    const provider = fakeProvider({ refresh, ...this.policy }, this.more);
    const store = memoryStore(this.disk, [provider], this.clock);
    const refresher = createRefresher({
      store,
      providers: new Map([[provider.id, provider]]),
      http: { request: async () => ({ status: 200, headers: options.headers ?? {}, text: '', json: undefined }) },
      config: () => ({ 'auth-auto-refresh-workers': 16 }) as unknown as Config,
      log: { info: (line) => this.log.push(line), warn: (line) => this.log.push(line) },
      clock: this.clock,
      random: () => 0.5,
    });
    if (options.run !== false) refresher.start();
    return { store, refresher };
  }

  get count(): number {
    return this.calls.length;
  }
}

const credential = (store: MemoryStore, id = 'a.json') => {
  const found = store.get(id);
  assert.ok(found, `${id} is there`);
  return found;
};

describe('renewing ahead of time', () => {
  const due: [string, number, JsonObject, Partial<RefreshPolicy>, number][] = [
    ['the lead of the provider before the end', 10 * hour, {}, {}, 6 * hour],
    ['at half the life of a token that lives shorter than twice the lead', hour, { last_refresh: 0 }, {}, 30 * minute],
    ['at least a minute before', 10 * minute, {}, { leadMs: 1 }, 9 * minute],
    ['by the interval of the file, in seconds', 10 * hour, { refresh_interval_seconds: 7200 }, {}, 2 * hour],
    ['by the interval of the file, as a duration', 10 * hour, { refresh_interval: '9h' }, {}, hour],
    ['by a camel-case interval, counted from the end', 3 * hour, { refreshInterval: '2h', last_refresh: '' }, {}, hour],
  ];
  for (const [name, left, fields, policy, expected] of due) {
    it(`is planned ${name}`, () => {
      const world = new World();
      world.policy = policy;
      const own = { ...fields };
      if (own.last_refresh === 0 || 'refresh_interval_seconds' in own)
        own.last_refresh = formatInstant(world.clock.now());
      world.file('a.json', left, own);
      const { refresher } = world.start();
      assert.equal((refresher.nextRefreshAt('a.json') ?? 0) - world.clock.now(), expected);
    });
  }

  it('counts from the last refresh when the end is unknown, and from now when nothing is', () => {
    const world = new World();
    world.file('a.json', undefined, { last_refresh: formatInstant(world.clock.now() - hour) });
    world.file('b.json', undefined, { last_refresh: '' });
    const { refresher } = world.start();
    assert.equal((refresher.nextRefreshAt('a.json') ?? 0) - world.clock.now(), 3 * hour);
    assert.equal((refresher.nextRefreshAt('b.json') ?? 0) - world.clock.now(), 0);
  });

  it('happens on time, once, and is on disk', async () => {
    const world = new World();
    world.file('a.json', 5 * hour);
    const { store } = world.start();
    await world.clock.advance(hour - 1000);
    assert.equal(world.count, 0);
    await world.clock.advance(2000);
    assert.equal(world.count, 1);
    assert.equal(credential(store).token?.reveal(), 'at-1');
    assert.equal(world.disk.json('a.json').refresh_token, 'rt-1');
    await world.clock.advance(3 * hour);
    assert.equal(world.count, 1);
  });

  it('starts for a file that appears later', async () => {
    const world = new World();
    const { store } = world.start();
    world.file('a.json', -minute);
    store.rescan();
    await world.clock.advance(0);
    assert.equal(world.count, 1);
  });

  it('goes on for disabled credentials and keeps them disabled', async () => {
    const world = new World();
    world.file('a.json', -minute, { disabled: true });
    const { store } = world.start();
    await world.clock.advance(0);
    assert.equal(world.count, 1);
    assert.equal(credential(store).status, 'disabled');
  });

  it('asks only so many at once', async () => {
    const world = new World();
    const open: (() => void)[] = [];
    world.answer = (_fields, n) => new Promise((resolve) => open.push(() => resolve(world.tokens(n))));
    for (let n = 0; n < 40; n++) world.file(`c${n}.json`, -minute);
    world.start();
    await world.clock.advance(0);
    assert.equal(world.count, 16);
    for (const finish of open.splice(0)) finish();
    await settle();
    assert.equal(world.count, 32);
  });

  it('leaves tokens alone that are fetched on request, and API keys', async () => {
    const world = new World();
    world.policy = { leadMs: 0 };
    world.file('a.json', -minute);
    const { refresher } = world.start();
    await world.clock.advance(hour);
    assert.equal(world.count, 0);
    assert.equal(refresher.nextRefreshAt('a.json'), undefined);
  });

  it('notices that the clock was set forward', async () => {
    const world = new World();
    world.file('a.json', 10 * hour);
    world.start();
    world.clock.time += 7 * hour;
    await world.clock.advance(30_000);
    assert.equal(world.count, 1);
  });
});

describe('no hot loop: at most one token call in 30 s', () => {
  const cases: [string, Partial<World>, number][] = [
    ['a token that lives shorter than the lead', { lifetime: 600 }, 20],
    ['a token that is born expired', { lifetime: -10 }, 20],
    ['an answer without an expiry', { answer: () => ({ access_token: 'x' }) }, 20],
    ['an empty answer', { answer: () => ({}) }, 20],
    ['an endpoint that fails', { answer: () => Promise.reject(new Error('boom')) }, 20],
    ['a refusal for good', { answer: () => Promise.reject(permanent()) }, 1],
  ];
  for (const [name, settings, most] of cases) {
    it(`${name}, while requests report 401 again and again`, async () => {
      const world = Object.assign(new World(), settings);
      world.file('a.json', -minute);
      const { store, refresher } = world.start();
      for (let second = 0; second < 600; second++) {
        await world.clock.advance(1000);
        if (second % 10 === 0) refresher.ensureFresh(credential(store), { force: true }).catch(() => {});
      }
      assert.ok(world.count >= 1 && world.count <= most, `${world.count} calls in 10 min`);
      for (const [n, call] of world.calls.entries()) {
        const before = world.calls[n - 1];
        if (before) assert.ok(call.at - before.at >= 30_000, `${call.at - before.at} ms apart`);
      }
    });
  }

  it('a token that lives 10 min is renewed at half its life', async () => {
    const world = Object.assign(new World(), { lifetime: 600 });
    world.file('a.json', -minute);
    world.start();
    await world.clock.advance(21 * minute);
    assert.equal(world.count, 5);
  });

  it('never asks for a file without a refresh token and tells its end', async () => {
    const world = new World();
    world.file('a.json', minute, { refresh_token: '' });
    const { store, refresher } = world.start();
    assert.equal(credential(store).status, 'active');
    await world.clock.advance(2 * minute);
    assert.equal(world.count, 0);
    assert.equal(credential(store).status, 'expired');
    assert.match(credential(store).statusMessage ?? '', /-claude-login/);
    await assert.rejects(refresher.ensureFresh(credential(store)), { name: 'RefreshError', permanent: true });
  });

  it('does not go round on a file that cannot be read any more', async () => {
    const world = new World();
    world.file('a.json', 20 * minute);
    const { store } = world.start();
    world.disk.files.set('a.json', '{"typ');
    store.rescan();
    await world.clock.advance(10 * minute);
    assert.equal(world.count, 0);
    assert.ok(world.log.length < 25, `${world.log.length} lines`);
  });
});

const permanent = () =>
  new RefreshError('Claude: token refresh failed (status 400): invalid_grant', { permanent: true });
const transient = (retryAfterMs?: number) =>
  new RefreshError('busy', { permanent: false, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });

describe('failures', () => {
  it('for good: one attempt, status and log with the command to run, healed by a new file', async () => {
    const world = new World();
    world.answer = () => Promise.reject(permanent());
    world.file('a.json', -minute);
    const { store, refresher } = world.start();
    await world.clock.advance(hour);
    assert.equal(world.count, 1);
    assert.equal(credential(store).status, 'reauth_required');
    assert.match(credential(store).statusMessage ?? '', /invalid_grant; log in again: \.\/cliproxy -claude-login$/);
    assert.ok(world.log.some((line) => line.includes('./cliproxy -claude-login')));
    await assert.rejects(refresher.ensureFresh(credential(store)), { permanent: true });
    await assert.rejects(refresher.ensureFresh(credential(store), { force: true }), { permanent: true });
    assert.equal(world.count, 1);

    world.answer = (_fields, n) => world.tokens(n);
    world.file('a.json', -minute, { refresh_token: 'rt-new-login' });
    store.rescan();
    assert.equal(credential(store).status, 'active');
    await world.clock.advance(minute);
    assert.equal(world.count, 2);
  });

  it('for good, but another process had been faster: its tokens are adopted', async () => {
    const world = new World();
    world.answer = () => {
      world.file('a.json', 8 * hour, { access_token: 'at-other', refresh_token: 'rt-other' });
      return Promise.reject(permanent());
    };
    world.file('a.json', -minute);
    const { store } = world.start();
    await world.clock.advance(3000);
    store.rescan();
    assert.equal(credential(store).status, 'active');
    assert.equal(credential(store).token?.reveal(), 'at-other');
    assert.equal(world.count, 1);
  });

  it('transient: 30 s, doubling to 5 min, then back to normal', async () => {
    const world = new World();
    world.answer = () => Promise.reject(transient());
    world.file('a.json', minute);
    const { store } = world.start();
    await world.clock.advance(20 * minute);
    const gaps = world.calls.slice(1).map((call, n) => (call.at - (world.calls[n]?.at ?? 0)) / 1000);
    assert.deepEqual(gaps.slice(0, 6), [30, 60, 120, 240, 300, 300]);
    assert.equal(credential(store).status, 'active');
    world.answer = (_fields, n) => world.tokens(n);
    await world.clock.advance(5 * minute);
    assert.equal(credential(store).token?.reveal(), `at-${world.count}`);
  });

  for (const [told, expected] of [
    [1_000, 30],
    [90_000, 90],
    [3_600_000, 300],
  ] as const) {
    it(`waits ${expected} s when the provider tells ${told} ms`, async () => {
      const world = new World();
      world.answer = () => Promise.reject(transient(told));
      world.file('a.json', -minute);
      world.start();
      await world.clock.advance(6 * minute);
      assert.equal(((world.calls[1]?.at ?? 0) - (world.calls[0]?.at ?? 0)) / 1000, expected);
    });
  }

  it('keeps a token in use that is still good', async () => {
    const world = new World();
    world.answer = () => Promise.reject(transient());
    world.file('a.json', 50_000);
    const { store, refresher } = world.start();
    await world.clock.advance(0);
    assert.equal((await refresher.ensureFresh(credential(store))).token?.reveal(), 'at-0');
    await world.clock.advance(minute);
    await assert.rejects(refresher.ensureFresh(credential(store)), { permanent: false });
  });

  it('a disk that cannot be written: the new token is used from memory and written later, with one call', async () => {
    const world = new World();
    world.file('a.json', -minute);
    world.disk.failWith = 'ENOSPC';
    const { store, refresher } = world.start();
    await world.clock.advance(0);
    const served = await refresher.ensureFresh(credential(store));
    assert.equal(served.token?.reveal(), 'at-1');
    await world.clock.advance(2 * minute);
    assert.equal((await refresher.ensureFresh(served)).token?.reveal(), 'at-1');
    assert.equal(world.count, 1);
    world.disk.failWith = undefined;
    await world.clock.advance(minute);
    assert.equal(world.disk.json('a.json').refresh_token, 'rt-1');
    assert.equal(world.count, 1);
    assert.equal(world.reused, 0);
  });

  it('a read-only folder: nothing is asked while the token is good, then the new one lives in memory', async () => {
    const world = new World();
    world.file('a.json', 5 * minute);
    world.disk.failLocksWith = 'EROFS';
    const { store, refresher } = world.start();
    await world.clock.advance(4 * minute);
    assert.equal(world.count, 0);
    await world.clock.advance(8 * minute);
    assert.equal(world.count, 1);
    assert.equal((await refresher.ensureFresh(credential(store))).token?.reveal(), 'at-1');
    assert.equal(world.disk.writes, 0);
  });
});

describe('at request time', () => {
  it('50 callers with an expired token share one call', async () => {
    const world = new World();
    world.file('a.json', -minute);
    const { store, refresher } = world.start({ run: false });
    const before = credential(store);
    const all = await Promise.all(Array.from({ length: 50 }, () => refresher.ensureFresh(before)));
    assert.equal(world.count, 1);
    assert.ok(all.every(({ token }) => token?.reveal() === 'at-1'));
  });

  it('50 callers after a 401 share one call, late ones too', async () => {
    const world = new World();
    world.file('a.json', 7 * hour);
    const { store, refresher } = world.start();
    const before = credential(store);
    assert.equal((await refresher.ensureFresh(before)).token?.reveal(), 'at-0');
    const all = await Promise.all(Array.from({ length: 50 }, () => refresher.ensureFresh(before, { force: true })));
    const late = await refresher.ensureFresh(before, { force: true });
    assert.equal(world.count, 1);
    assert.ok([...all, late].every(({ token }) => token?.reveal() === 'at-1'));
  });

  it('a second 401 within 30 s asks nobody', async () => {
    const world = new World();
    world.file('a.json', 7 * hour);
    const { refresher, store } = world.start();
    const renewed = await refresher.ensureFresh(credential(store), { force: true });
    await assert.rejects(refresher.ensureFresh(renewed, { force: true }), { permanent: false });
    await world.clock.advance(31_000);
    assert.equal((await refresher.ensureFresh(renewed, { force: true })).token?.reveal(), 'at-2');
    assert.equal(world.count, 2);
  });

  it('does not wait while enough is left (Antigravity), and waits when little is', async () => {
    const world = new World();
    world.policy = { leadMs: 5 * minute, requestLeadMs: 50 * minute };
    world.file('a.json', 40 * minute);
    const { store, refresher } = world.start();
    assert.equal(refresher.isFresh(credential(store)), false);
    assert.equal((await refresher.ensureFresh(credential(store))).token?.reveal(), 'at-0');
    await settle();
    assert.equal(credential(store).token?.reveal(), 'at-1');

    world.file('b.json', 5_000);
    store.rescan();
    assert.equal((await refresher.ensureFresh(credential(store, 'b.json'))).token?.reveal(), 'at-2');
  });

  it('an abort ends the waiting of one caller, not the call', async () => {
    const world = new World();
    let finish = () => {};
    world.answer = (_fields, n) => new Promise((resolve) => (finish = () => resolve(world.tokens(n))));
    world.file('a.json', -minute);
    const { store, refresher } = world.start({ run: false });
    const gone = new AbortController();
    const first = refresher.ensureFresh(credential(store), { signal: gone.signal });
    const second = refresher.ensureFresh(credential(store));
    await settle();
    gone.abort(new Error('client left'));
    await assert.rejects(first, /client left/);
    finish();
    assert.equal((await second).token?.reveal(), 'at-1');
    assert.equal(world.count, 1);
  });

  it('gives API keys of the config back as they are', async () => {
    const world = new World();
    world.file('a.json', -minute);
    const { store, refresher } = world.start({ run: false });
    const key = { ...credential(store), id: 'claude:apikey:1', source: 'config' as const };
    assert.equal(refresher.isFresh(key), true);
    assert.equal(await refresher.ensureFresh(key, { force: true }), key);
    assert.equal(world.count, 0);
  });
});

describe('what a renewal does to the file', () => {
  it('blanks nothing, keeps foreign keys and an edit made meanwhile', async () => {
    const world = new World();
    world.file('a.json', -minute, { id_token: 'id', account_uuid: 'u', x_custom: { a: [1] } });
    world.answer = () => {
      const edited = { ...world.disk.json('a.json'), note: 'edited', disabled: true, proxy_url: 'direct' };
      world.disk.files.set('a.json', JSON.stringify(edited));
      return { access_token: 'new', refresh_token: '', email: '', id_token: '', expired: '2099-01-01T00:00:00Z' };
    };
    world.start();
    await world.clock.advance(0);
    const { last_refresh, ...rest } = world.disk.json('a.json');
    assert.equal(last_refresh, formatInstant(world.clock.now()));
    assert.deepEqual(rest, {
      access_token: 'new',
      account_uuid: 'u',
      disabled: true,
      email: 'a.json@x',
      expired: '2099-01-01T00:00:00Z',
      id_token: 'id',
      note: 'edited',
      proxy_url: 'direct',
      refresh_token: 'rt-0-a.json',
      type: 'claude',
      x_custom: { a: [1] },
    });
  });

  it('never makes a deleted file again', async () => {
    const world = new World();
    world.file('a.json', -minute);
    world.answer = (_fields, n) => {
      world.disk.files.delete('a.json');
      return world.tokens(n);
    };
    const { store, refresher } = world.start();
    await world.clock.advance(minute);
    store.rescan();
    assert.equal(world.disk.files.size, 0);
    assert.deepEqual(store.list(), []);
    assert.equal(refresher.nextRefreshAt('a.json'), undefined);
  });

  it('renews all projects of a Gemini file with one call', async () => {
    const world = new World();
    world.file('a.json', -minute, { projects: ['p1', 'p2'] });
    const { store, refresher } = world.start({ run: false });
    const both = await Promise.all(store.list().map((one) => refresher.ensureFresh(one)));
    assert.deepEqual(
      both.map(({ id, token }) => `${id} ${token?.reveal()}`),
      ['a.json::p1 at-1', 'a.json::p2 at-1'],
    );
    assert.equal(world.count, 1);
  });

  it('two files of one login send its single-use token once', async () => {
    const world = new World();
    world.file('a.json', -minute, { refresh_token: 'same' });
    world.file('b.json', -minute, { refresh_token: 'same' });
    const { store } = world.start();
    await world.clock.advance(0);
    assert.equal(world.count, 1);
    assert.equal(credential(store, 'a.json').token?.reveal(), 'at-1');
    assert.equal(credential(store, 'b.json').token?.reveal(), 'at-1');
  });
});

describe('several processes on one folder', () => {
  it('ask once for an expired token; the others adopt', async () => {
    const world = new World();
    world.file('a.json', -minute);
    const processes = [world.start(), world.start(), world.start()];
    await world.clock.advance(0);
    assert.equal(world.count, 1);
    for (const { store, refresher } of processes) {
      assert.equal((await refresher.ensureFresh(credential(store))).token?.reveal(), 'at-1');
    }
    await world.clock.advance(minute);
    assert.equal(world.count, 1);
    assert.equal(world.reused, 0);
  });

  it('ask once after a 401 that all of them met', async () => {
    const world = new World();
    world.file('a.json', 7 * hour);
    const processes = [world.start(), world.start()];
    const all = await Promise.all(
      processes.map(({ store, refresher }) => refresher.ensureFresh(credential(store), { force: true })),
    );
    assert.ok(all.every(({ token }) => token?.reveal() === 'at-1'));
    assert.equal(world.count, 1);
  });
});

describe('a clock that is wrong', () => {
  it('is told once; renewals stay on time because ends are counted by our own clock', async () => {
    const world = new World();
    world.file('a.json', -minute);
    world.lifetime = 8 * 3600;
    const date = new Date(world.clock.now() + 2 * hour).toUTCString();
    const { refresher } = world.start({ headers: { date } });
    await world.clock.advance(0);
    assert.equal((refresher.nextRefreshAt('a.json') ?? 0) - world.clock.now(), 4 * hour);
    await world.clock.advance(9 * hour);
    assert.deepEqual(
      world.log.filter((line) => line.includes('clock')),
      ["the clock here is 120 min behind Claude's"],
    );
  });

  it('set back does not stop renewals', async () => {
    const world = new World();
    world.answer = () => Promise.reject(transient());
    world.file('a.json', -minute);
    world.start();
    await world.clock.advance(0);
    world.clock.time -= 5 * hour;
    world.file('a.json', -minute);
    await world.clock.advance(6 * minute);
    assert.ok(world.count <= 6, `${world.count}`);
  });
});

describe('stopping', () => {
  it('waits until a rotated token is on disk', async () => {
    const world = new World();
    let finish = () => {};
    world.answer = (_fields, n) => new Promise((resolve) => (finish = () => resolve(world.tokens(n))));
    world.file('a.json', -minute);
    const { refresher } = world.start();
    await world.clock.advance(0);
    const stopped = refresher.stop();
    finish();
    await stopped;
    assert.equal(world.disk.json('a.json').refresh_token, 'rt-1');
    await world.clock.advance(24 * hour);
    assert.equal(world.count, 1);
  });
});
