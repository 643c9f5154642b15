// Metrics: what is counted, that labels stay few, and who may read them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credential } from '../../src/credentials/credential.ts';
import { Failure } from '../../src/failure.ts';
import { startLagMeter } from '../../src/observe/event-loop-lag.ts';
import { expose } from '../../src/observe/exposition.ts';
import { readGauges } from '../../src/observe/gauges.ts';
import { boundedLabel, statusClass } from '../../src/observe/metric-labels.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import type { AttemptRecord } from '../../src/routing/dispatch.ts';
import type { RequestSummary } from '../../src/server/client-route.ts';
import { openLab, until } from './lab.ts';

const credential = (id: string, more: Partial<Credential> = {}): Credential =>
  ({ id, providerKey: 'acme', status: 'active', disabled: false, ...more }) as Credential;

const attempt = (more: Partial<AttemptRecord> = {}): AttemptRecord => ({
  credential: credential('one'),
  provider: 'acme',
  upstreamModel: 'big',
  startedAt: 0,
  tookMs: 400,
  firstByteMs: 300,
  status: 200,
  failure: undefined,
  usage: { input: 11, output: 7, cacheRead: 3, reasoning: 2 },
  ...more,
});

const summary = (more: Partial<RequestSummary> = {}): RequestSummary => ({
  id: '00000000',
  protocol: 'openai-chat',
  method: 'POST',
  path: '/v1/chat/completions',
  status: 200,
  tookMs: 600,
  address: '127.0.0.1',
  clientKey: '',
  model: 'big',
  stream: false,
  trace: { attempts: [attempt()], answeredBy: undefined },
  failure: undefined,
  ...more,
});

const quota = new Failure({ kind: 'quota', status: 429, message: 'slow down' });
const lines = async (metrics: ReturnType<typeof createMetrics>): Promise<string[]> =>
  (await expose(metrics, [])).text.split('\n');

test('a request is counted by protocol, provider, model and class of its status', async () => {
  const metrics = createMetrics({ knownModel: (name) => name });
  metrics.request(summary());
  metrics.request(summary({ status: 429 }));
  metrics.request(summary({ status: 499 }));
  const text = await lines(metrics);
  const series = 'cliproxy_requests_total{protocol="openai-chat",provider="acme",model="big",status=';
  for (const status of ['2xx', '4xx', 'aborted']) assert.ok(text.includes(`${series}"${status}"} 1`), status);
});

test('durations are cumulative buckets in seconds', async () => {
  const metrics = createMetrics({ knownModel: (name) => name });
  metrics.request(summary({ tookMs: 600 }));
  metrics.request(summary({ tookMs: 3_000_000 }));
  const text = await lines(metrics);
  const series = 'cliproxy_request_duration_seconds_bucket{protocol="openai-chat",provider="acme",model="big",le=';
  assert.ok(text.includes(`${series}"0.5"} 0`));
  assert.ok(text.includes(`${series}"1"} 1`));
  assert.ok(text.includes(`${series}"+Inf"} 2`));
});

test('tokens, attempts, first bytes and reasons of failure come from the attempts', async () => {
  const metrics = createMetrics({ knownModel: (name) => name });
  metrics.attempt(attempt());
  metrics.attempt(attempt({ status: 429, failure: quota, usage: undefined, firstByteMs: undefined }));
  const text = await lines(metrics);
  for (const [kind, count] of Object.entries({ input: 11, output: 7, cached: 3, reasoning: 2 })) {
    assert.ok(text.includes(`cliproxy_tokens_total{provider="acme",model="big",kind="${kind}"} ${count}`), kind);
  }
  assert.ok(text.includes('cliproxy_upstream_attempts_total{provider="acme",model="big",status="4xx"} 1'));
  assert.ok(text.includes('cliproxy_upstream_failures_total{provider="acme",reason="quota"} 1'));
  assert.ok(text.includes('cliproxy_upstream_first_byte_seconds_count{provider="acme",model="big"} 1'));
});

test('a failover is a change of credential, not a retry with the same one', async () => {
  const metrics = createMetrics({ knownModel: (name) => name });
  const failed = attempt({ failure: quota, status: 429 });
  metrics.request(summary({ trace: { attempts: [failed, failed], answeredBy: undefined } }));
  const next = attempt({ credential: credential('two') });
  metrics.request(summary({ trace: { attempts: [failed, next], answeredBy: 'small' } }));
  const text = await lines(metrics);
  assert.ok(text.includes('cliproxy_failovers_total{provider="acme"} 1'));
  assert.ok(text.includes('cliproxy_fallbacks_total{model="small"} 1'));
});

test('models that nobody serves are counted as other', async () => {
  const metrics = createMetrics({ knownModel: (name) => (name === 'big' ? 'big' : undefined) });
  for (let n = 0; n < 50; n++) metrics.request(summary({ model: `invented-${n}` }));
  metrics.request(summary({ model: 'big' }));
  const text = (await lines(metrics)).join('\n');
  assert.match(text, /model="other",status="2xx"} 50/);
  assert.ok(!text.includes('invented'));
});

test('known models become labels up to the limit, then other', () => {
  const label = boundedLabel({ limit: 200 });
  const seen = new Set<string>();
  for (let n = 0; n < 1_000; n++) seen.add(label(`model-${n}`));
  assert.equal(seen.size, 201);
  assert.equal(label('model-3'), 'model-3');
  assert.equal(label('model-900'), 'other');
});

test('a name that could break the text format is no label', () => {
  const label = boundedLabel({ limit: 9 });
  assert.equal(label('a\u0001b'), 'other');
  assert.equal(label('a\nb'), 'other');
  assert.equal(label('x'.repeat(129)), 'other');
});

test('status classes are a closed list', () => {
  assert.deepEqual([200, 404, 499, 503, 0, 1000].map(statusClass), ['2xx', '4xx', 'aborted', '5xx', 'none', 'none']);
});

test('gauges count credentials by status and open cooldown windows by reason', () => {
  const lag = { read: () => ({ mean: 0.001, p50: 0, p99: 0.02, max: 0.5 }), stop: () => undefined };
  const list = [credential('a'), credential('b', { status: 'reauth_required' }), credential('c', { disabled: true })];
  const gauges = readGauges({
    credentials: () => list,
    view: ({ id }) => ({ openWindows: id === 'a' ? ['quota', 'quota'] : [], inFlight: 2 }),
    requestsInFlight: () => 5,
    lag,
  });
  const values = (name: string) => gauges.find((gauge) => gauge.name === name)?.values;
  assert.deepEqual(values('cliproxy_credentials'), [
    { labels: { provider: 'acme', status: 'active' }, value: 1 },
    { labels: { provider: 'acme', status: 'reauth_required' }, value: 1 },
    { labels: { provider: 'acme', status: 'disabled' }, value: 1 },
  ]);
  assert.deepEqual(values('cliproxy_cooldowns_open'), [{ labels: { provider: 'acme', kind: 'quota' }, value: 2 }]);
  assert.deepEqual(values('cliproxy_upstream_requests_in_flight'), [{ labels: { provider: 'acme' }, value: 6 }]);
  assert.deepEqual(values('cliproxy_requests_in_flight'), [{ labels: {}, value: 5 }]);
  assert.deepEqual(values('nodejs_eventloop_lag_p99_seconds'), [{ labels: {}, value: 0.02 }]);
});

test('the lag of an idle loop is nothing, that of a blocked one is the block', () => {
  const recorded = { mean: 20e6, max: 220e6, percentile: (n: number) => (n === 50 ? 20e6 : 120e6) };
  let resets = 0;
  const meter = startLagMeter({ ...recorded, enable: () => true, disable: () => true, reset: () => resets++ } as never);
  const { mean, p50, p99, max } = meter.read();
  assert.deepEqual([mean, p50], [0, 0]);
  assert.ok(Math.abs(p99 - 0.1) < 1e-9 && Math.abs(max - 0.2) < 1e-9);
  assert.equal(resets, 1);
});

test('a running server tells its figures to who has a client key', async () => {
  const lab = await openLab();
  try {
    await (await lab.chat('m-ok')).text();
    await (await lab.chat('m-limit')).text();
    await (await lab.chat('nobody-has-this-one')).text();
    const text = await lab.metrics();
    assert.match(
      text,
      /cliproxy_requests_total\{protocol="openai-chat",provider="fakeup",model="m-ok",status="2xx"\} 1/,
    );
    assert.match(text, /cliproxy_requests_total\{protocol="openai-chat",provider="",model="other",status="4xx"\} 1/);
    assert.match(text, /cliproxy_tokens_total\{provider="fakeup",model="up-ok",kind="input"\} 11/);
    assert.match(text, /cliproxy_cooldowns_open\{provider="fakeup",kind="quota"\} 1/);
    assert.match(text, /cliproxy_credentials\{provider="fakeup",status="active"\} 1/);
    assert.match(text, /^process_resident_memory_bytes \d+/m);
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
    assert.equal((await fetch(`${lab.url}/metrics`)).status, 401);
  } finally {
    await lab.close();
  }
});

test('an open stream is in flight until its client leaves', async () => {
  const lab = await openLab();
  try {
    const leave = new AbortController();
    const answer = await lab.chat('m-hang', { stream: true }, { signal: leave.signal });
    await answer.body?.getReader().read();
    assert.match(await lab.metrics(), /^cliproxy_requests_in_flight 1$/m);
    leave.abort();
    await until(() => lab.over() === 1, 'the end of the request');
    const text = await lab.metrics();
    assert.match(text, /^cliproxy_requests_in_flight 0$/m);
    assert.match(text, /cliproxy_requests_total\{.*status="aborted"\} 1/);
  } finally {
    await lab.close();
  }
});

test('without client keys the figures are for this machine only, and not for other sites in its browser', async () => {
  const lab = await openLab({ keyless: true });
  try {
    assert.equal((await fetch(`${lab.url}/metrics`)).status, 200);
    assert.equal((await fetch(`${lab.url}/metrics`, { headers: { origin: 'https://evil.example' } })).status, 403);
  } finally {
    await lab.close();
  }
});

test('metrics can be switched off', async () => {
  const lab = await openLab({ config: 'metrics: { enable: false }' });
  try {
    assert.equal((await fetch(`${lab.url}/metrics`)).status, 404);
  } finally {
    await lab.close();
  }
});
