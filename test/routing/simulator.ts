// A world of accounts with quotas, failures and resets under a virtual clock, driven through the real Router: requests
// begin and end as events in time, so that many are under way at once. Used by simulator.test.ts.
import { type Config, defaultConfig } from '../../src/config/index.ts';
import type { Credential } from '../../src/credentials/credential.ts';
import { Failure } from '../../src/failure.ts';
import { isSoft } from '../../src/routing/cooldown.ts';
import { type Picked, Router } from '../../src/routing/router.ts';
import { Secret } from '../../src/secret.ts';

/** How one simulated account behaves. Times in ms. */
export interface Account {
  priority: number;
  weight: number;
  /** Requests per window before it answers 429; `Infinity` = never. */
  quota: number;
  windowMs: number;
  /** Tells the wait, or leaves it to the ladder. */
  hints: boolean;
  /** 0..1 of the attempts end in a 500. */
  flakiness: number;
  /** From this time on every attempt ends in 401. */
  diesAt: number;
}

export interface Arrival {
  at: number;
  /** How long an attempt takes. */
  tookMs: number;
}

export interface History {
  accounts: Account[];
  arrivals: Arrival[];
  seed: number;
  strategy: Config['routing']['strategy'];
  maxConcurrency: number;
}

export interface Outcome {
  answered: number;
  refused: Failure[];
  /** What must never happen; empty in a sound history. */
  violations: string[];
  /** Attempts by account. */
  attempts: number[];
  probes: number;
}

export function credential(id: string, extra: Partial<Credential> = {}): Credential {
  return {
    id,
    provider: 'openai-compatibility',
    providerKey: 'sim',
    kind: 'api-key',
    source: 'config',
    authIndex: id,
    label: id,
    disabled: false,
    status: 'active',
    priority: 0,
    weight: 1,
    headers: {},
    excludedModels: [],
    models: [{ name: 'm', alias: 'm' }],
    token: new Secret(id),
    fields: new Secret({}),
    ...extra,
  };
}

/** mulberry32: small, seeded, good enough to choose failures. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function simulatedConfig(history: Pick<History, 'strategy' | 'maxConcurrency'>): Config {
  const base = defaultConfig();
  return {
    ...base,
    'max-concurrency': history.maxConcurrency,
    routing: { ...base.routing, strategy: history.strategy },
  };
}

export function simulate(history: History): Outcome {
  const { accounts, arrivals } = history;
  const random = randomFrom(history.seed);
  const credentials = accounts.map((account, i) =>
    credential(`a${String(i).padStart(5, '0')}`, { priority: account.priority, weight: account.weight }),
  );
  const byId = new Map(credentials.map((one) => [one.id, one]));
  const config = simulatedConfig(history);
  let now = 0;
  const router = new Router({
    source: { list: () => credentials, get: (id) => byId.get(id) },
    config: () => config,
    now: () => now,
    random,
  });
  const used = accounts.map(() => 0);
  const windowEnds = accounts.map(() => 0);
  const inFlight = accounts.map(() => 0);
  const outcome: Outcome = { answered: 0, refused: [], violations: [], attempts: accounts.map(() => 0), probes: 0 };
  const violate = (text: string): void => {
    if (outcome.violations.length < 5) outcome.violations.push(`t=${now}: ${text}`);
  };
  const entry = router.entry('m');
  const events = new EventQueue();

  const verdict = (index: number): Failure | undefined => {
    const account = accounts[index] as Account;
    if (now >= account.diesAt) {
      return new Failure({ kind: 'unauthorized', status: 401, message: 'dead', scope: 'credential' });
    }
    if (now >= (windowEnds[index] as number)) {
      windowEnds[index] = now + account.windowMs;
      used[index] = 0;
    }
    used[index] = (used[index] as number) + 1;
    if ((used[index] as number) > account.quota) {
      const retryAfterMs = account.hints ? (windowEnds[index] as number) - now : undefined;
      return new Failure({ kind: 'quota', status: 429, message: 'quota', retryAfterMs });
    }
    if (random() < account.flakiness) return new Failure({ kind: 'transient', status: 500, message: 'flaky' });
    return undefined;
  };

  const watch = (picked: Picked, tried: ReadonlySet<string>): void => {
    const { candidate } = picked;
    const window = candidate.state.cooldowns.blocking('m', now);
    if (window === undefined) return;
    const ready = credentials.some((other) => {
      const state = router.stateOf(other.id);
      const free = config['max-concurrency'] === 0 || state.inFlight < config['max-concurrency'];
      return (
        state.cooldowns.blocking('m', now) === undefined && free && !tried.has(`${other.id}\0m`) && other.weight > 0
      );
    });
    if (ready) violate(`${candidate.state.id} is cooling (${window.kind}) although another one is ready`);
    if (!picked.probe && !isSoft(window)) violate(`${candidate.state.id} is cooling (${window.kind}) and was no probe`);
  };

  const tryNext = (arrival: Arrival, tried: Set<string>, last: Failure | undefined): void => {
    const picked = router.pick(entry, { tried, session: undefined });
    if (picked === undefined) {
      const refused = last ?? router.exhausted(entry, 'm');
      if (refused.status < 400 || refused.message === '') violate('refused without a reason');
      outcome.refused.push(refused);
      return;
    }
    watch(picked, tried);
    tried.add(picked.candidate.key);
    const index = credentials.indexOf(picked.credential);
    if (picked.probe) outcome.probes++;
    outcome.attempts[index] = (outcome.attempts[index] as number) + 1;
    inFlight[index] = (inFlight[index] as number) + 1;
    if (config['max-concurrency'] > 0 && (inFlight[index] as number) > config['max-concurrency'])
      violate('over the limit');
    router.begin(picked);
    const startedAt = now;
    const failure = verdict(index);
    events.add(now + arrival.tookMs, () => {
      inFlight[index] = (inFlight[index] as number) - 1;
      if (failure === undefined) router.succeeded(picked, startedAt);
      else router.failed(entry, picked, failure, startedAt, undefined);
      router.ended(picked);
      if (failure === undefined) outcome.answered++;
      else tryNext(arrival, tried, failure);
    });
  };

  for (const arrival of arrivals) events.add(arrival.at, () => tryNext(arrival, new Set(), undefined));
  for (let event = events.take(); event; event = events.take()) {
    now = event.at;
    event.run();
  }
  if (inFlight.some((count) => count !== 0)) violate('a place was never given back');
  if (credentials.some((one) => router.stateOf(one.id).inFlight !== 0)) violate('the router still counts a request');
  if (outcome.answered + outcome.refused.length !== arrivals.length) violate('a request got no answer at all');
  return outcome;
}

interface TimedEvent {
  at: number;
  order: number;
  run: () => void;
}

/** By time, then by the order of their making. */
class EventQueue {
  readonly #heap: TimedEvent[] = [];
  #made = 0;

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at, order: this.#made++, run };
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent] as TimedEvent)) break;
      heap[i] = heap[parent] as TimedEvent;
      i = parent;
    }
    heap[i] = event;
  }

  take(): TimedEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as TimedEvent, heap[child] as TimedEvent)) child++;
      if (!before(heap[child] as TimedEvent, last)) break;
      heap[i] = heap[child] as TimedEvent;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function before(a: TimedEvent, b: TimedEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
