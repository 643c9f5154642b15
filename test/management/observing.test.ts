import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { createEventFeed, ringSize } from '../../src/observe/event-feed.ts';
import { createUsageStore, openUsageStore, type UsageRecord } from '../../src/observe/usage.ts';
import { type Lab, openLab } from './lab.ts';

const at = Date.parse('2026-11-22T12:00:00Z');
const record = (more: Partial<UsageRecord> = {}): UsageRecord => ({
  api: 'client-key-1',
  model: 'up-model',
  alias: 'm',
  at,
  latencyMs: 5,
  source: 'a@b.c',
  authIndex: 'idx',
  tokens: { input_tokens: 3, output_tokens: 2 },
  failed: false,
  ...more,
});

describe('usage statistics', () => {
  it('keep exact totals while details are bounded', () => {
    const store = createUsageStore({ maxDetails: 10, now: () => at });
    for (let n = 0; n < 1_000; n++) store.record(record({ at: at + n, failed: n % 4 === 0 }));
    const { total_requests, failure_count, success_count, total_tokens, apis } = store.snapshot();
    assert.deepEqual([total_requests, failure_count, success_count, total_tokens], [1_000, 250, 750, 5_000]);
    assert.equal(apis['client-key-1']?.models['up-model']?.details.length, 10);
  });

  it('count strange names without growing or breaking', () => {
    const store = createUsageStore({ maxNames: 3 });
    for (const model of ['__proto__', 'constructor', 'a', 'b', 'c']) store.record(record({ model }));
    const models = store.snapshot().apis['client-key-1']?.models ?? {};
    assert.deepEqual(Object.keys(models).sort(), ['__proto__', 'a', 'constructor', 'other']);
    assert.equal(models.other?.total_requests, 2);
  });

  it('survive a restart, and a broken file is set aside', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'usage-'));
    const file = path.join(dir, 'state', 'usage.json');
    const first = await openUsageStore({ file, now: () => at });
    first.record(record());
    await first.flush();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const second = await openUsageStore({ file, now: () => at });
    assert.deepEqual(second.snapshot(), first.snapshot());
    writeFileSync(file, '{');
    assert.equal((await openUsageStore({ file })).snapshot().total_requests, 0);
    assert.equal(readFileSync(`${file}.unreadable`, 'utf8'), '{');
    rmSync(dir, { recursive: true });
  });

  it('forget details after the retention, not the totals', () => {
    const store = createUsageStore({ now: () => at + 10 * 86_400_000, retentionDays: () => 5 });
    store.record(record());
    store.record(record({ at: at + 8 * 86_400_000 }));
    store.prune();
    assert.equal(store.snapshot().apis['client-key-1']?.models['up-model']?.details.length, 1);
    assert.equal(store.snapshot().total_requests, 2);
  });

  it('are summed by key, model, alias, credential, day and hour', async () => {
    const lab = await openLab();
    lab.deps.usage.record(record());
    lab.deps.usage.record(record({ api: 'client-key-2', alias: 'other', failed: true, tokens: {} }));
    const groups = async (by: string) => (await lab.call('GET', `usage?group_by=${by}`)).json().groups;
    assert.deepEqual(Object.keys(await groups('alias')), ['m', 'other']);
    assert.deepEqual(Object.keys(await groups('api')), ['cl...-1', 'cl...-2']);
    assert.deepEqual((await groups('credential')).idx, {
      requests: 2,
      failed: 1,
      input_tokens: 3,
      output_tokens: 2,
      reasoning_tokens: 0,
      cached_tokens: 0,
      total_tokens: 5,
    });
    const later = await lab.call('GET', `usage?group_by=model&from=${at / 1000 + 1}`);
    assert.deepEqual(later.json().groups, {});
    assert.equal((await lab.call('GET', 'usage?group_by=colour')).statusCode, 400);
    await lab.close();
  });

  it('of an export come back the same in an empty store', async () => {
    const [one, two] = [await openLab(), await openLab()];
    for (let n = 0; n < 5; n++) one.deps.usage.record(record({ at: at + n * 3_600_000, failed: n === 2 }));
    const exported = (await one.call('GET', 'usage/export')).body;
    const answer = (await two.call('POST', 'usage/import', { payload: exported })).json();
    assert.deepEqual(answer, { added: 5, skipped: 0, total_requests: 5, failed_requests: 1 });
    assert.deepEqual(two.deps.usage.snapshot(), one.deps.usage.snapshot());
    assert.equal((await two.call('POST', 'usage/import', { payload: exported })).json().skipped, 5);
    await Promise.all([one.close(), two.close()]);
  });
});

describe('the application log', () => {
  const line = (second: number, text: string, id = '--------', level = 'info') =>
    `[2026-11-22 12:00:${String(second).padStart(2, '0')}] [${id}] [${level.padEnd(5)}] [app.ts:1] ${text}\n`;
  const lines = async (lab: Lab, query = '') => (await lab.call('GET', `logs${query}`)).json();

  it('read with the cursor misses and repeats nothing, within one second too', async () => {
    const lab = await openLab();
    const main = path.join(lab.logDir, 'main.log');
    writeFileSync(main, line(1, 'one'));
    const first = await lines(lab);
    appendFileSync(main, line(1, 'two') + line(1, 'three'));
    const second = await lines(lab, `?cursor=${first['next-cursor']}`);
    assert.deepEqual(
      second.lines.map((each: string) => each.split(' ').at(-1)),
      ['two', 'three'],
    );
    assert.equal(second['cursor-reset'], false);
    assert.deepEqual((await lines(lab, `?cursor=${second['next-cursor']}`)).lines, []);
    writeFileSync(main, line(2, 'four'));
    const reset = await lines(lab, `?cursor=${second['next-cursor']}`);
    assert.deepEqual([reset['cursor-reset'], reset.lines.length], [true, 1]);
    await lab.close();
  });

  it('is filtered by level and request id, with continuation lines', async () => {
    const lab = await openLab();
    writeFileSync(
      path.join(lab.logDir, 'main.log'),
      `${line(1, 'a', '0123abcd')}${line(2, 'b', '0123abcd', 'error')}  at somewhere\n${line(3, 'c')}`,
    );
    assert.deepEqual((await lines(lab, '?level=error')).lines.length, 2);
    assert.deepEqual((await lines(lab, '?request_id=0123abcd')).lines.length, 3);
    assert.deepEqual((await lines(lab, '?limit=1')).lines, [line(3, 'c').trimEnd()]);
    await lab.close();
  });

  it('is empty after clearing, and the log files of requests stay', async () => {
    const lab = await openLab();
    writeFileSync(path.join(lab.logDir, 'main.log'), line(1, 'x'));
    writeFileSync(path.join(lab.logDir, 'main.log.1'), line(0, 'y'));
    writeFileSync(path.join(lab.logDir, 'error-v1-a-2026-11-22T120000-0123abcd.log'), 'z');
    assert.equal((await lab.call('DELETE', 'logs')).json().removed, 1);
    appendFileSync(path.join(lab.logDir, 'main.log'), line(2, 'fresh'));
    assert.deepEqual((await lines(lab)).lines, [line(2, 'fresh').trimEnd()]);
    assert.equal((await lab.call('GET', 'request-log-by-id/0123abcd')).body, 'z');
    await lab.close();
  });

  it('never gives other files', async () => {
    const lab = await openLab();
    writeFileSync(path.join(lab.dir, 'error-secret-0123abcd.log'), 'secret');
    symlinkSync(path.join(lab.dir, 'error-secret-0123abcd.log'), path.join(lab.logDir, 'error-link-0123abcd.log'));
    for (const route of [
      'request-log-by-id/0123abcd',
      'request-error-logs/error-link-0123abcd.log',
      'request-error-logs/audit.log',
    ]) {
      assert.equal((await lab.call('GET', route)).statusCode, 404, route);
    }
    await lab.close();
  });
});

describe('the live feed', () => {
  it('resumes within the newest thousand events', () => {
    const feed = createEventFeed(() => at);
    for (let n = 1; n <= ringSize + 5; n++) feed.publish('request', { n });
    assert.equal(feed.since(0).length, ringSize);
    assert.deepEqual(
      feed.since(ringSize + 3).map((event) => event.id),
      [ringSize + 4, ringSize + 5],
    );
    assert.deepEqual(feed.since(feed.lastId), []);
  });

  it('is a stream of events, and resumes after Last-Event-ID', async () => {
    const lab = await openLab();
    const address = await lab.app.listen({ port: 0, host: '127.0.0.1' });
    lab.deps.events.publish('log', { line: 'first' });
    const abort = new AbortController();
    const answer = await fetch(`${address}/v0/management/events`, {
      headers: { authorization: 'management-key-of-the-tests', 'last-event-id': '0' },
      signal: abort.signal,
    });
    assert.match(answer.headers.get('content-type') ?? '', /^text\/event-stream/);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let text = '';
    const more = async (): Promise<void> => {
      text += decoder.decode((await reader.read()).value, { stream: true });
    };
    while (!text.includes('first')) await more();
    lab.deps.events.publish('config', { changed: ['debug'] });
    while (!text.includes('debug')) await more();
    assert.match(text, /id: 1\nevent: log\ndata: \{"at":\d+,"line":"first"\}\n\n/);
    assert.match(text, /id: 2\nevent: config\n/);
    abort.abort();
    await lab.close();
  });
});
