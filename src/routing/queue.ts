// Who is next for one model: a ring of candidates that are ready, and a heap of those that cool down.
// Picking is O(1) in the number of credentials: no scan, no array per request. Source: spec/routing.md §4, §20 D1, D2.
import type { Candidate } from './candidate.ts';
import { isSoft, type Window } from './cooldown.ts';

export type Strategy = 'round-robin' | 'fill-first' | 'weighted-round-robin' | 'least-loaded' | 'quota-aware';

/** `false` = not for this request (already tried, at its concurrency limit). */
export type Fit = (candidate: Candidate) => boolean;

export class CandidateQueue {
  /** All members by key, in id order (fill-first needs it). */
  members: Candidate[] = [];
  /** Who is next. The ring turns by moving on: a turn writes to no candidate, of which there may be thousands. */
  #head: Candidate | undefined;
  /** Members in the ring. */
  #ready = 0;
  #cooling: Candidate[] = [];

  get size(): number {
    return this.members.length;
  }

  /** Makes `wanted` the members: those that stay keep their turn, new ones queue at the end, from a random first one. */
  sync(wanted: Candidate[], random: () => number): void {
    const known = new Map(this.members.map((member) => [member.key, member]));
    const fresh: Candidate[] = [];
    const members: Candidate[] = [];
    for (const candidate of wanted) {
      const old = known.get(candidate.key);
      if (old && old.weight === candidate.weight && old.state === candidate.state) {
        old.route = candidate.route;
        members.push(old);
        known.delete(candidate.key);
      } else {
        members.push(candidate);
        fresh.push(candidate);
      }
    }
    for (const gone of known.values()) this.#takeOut(gone);
    this.members = members;
    const first = this.#head === undefined && fresh.length > 0 ? Math.floor(random() * fresh.length) : 0;
    for (let i = 0; i < fresh.length; i++) this.#append(fresh[(first + i) % fresh.length] as Candidate);
  }

  /** The next candidate that is ready and fits, by strategy; undefined when there is none. */
  pick(strategy: Strategy, now: number, fits: Fit): Candidate | undefined {
    this.#wake(now);
    if (strategy === 'round-robin') return this.#pickNext(now, fits);
    return this.#pickBest(strategy, now, fits);
  }

  /** A ready, fitting member by credential id (session affinity). */
  pickCredential(credentialId: string, now: number, fits: Fit): Candidate | undefined {
    for (const member of this.members) {
      if (member.state.id !== credentialId) continue;
      if (member.state.cooldowns.blocking(member.upstreamModel, now) === undefined && fits(member)) return member;
    }
    return undefined;
  }

  /**
   * When nobody is ready: the member whose soft (transient) window ends first. A blip of the upstream must not become
   * an outage made by ourselves (spec/upstreams.md §8 row 15).
   */
  pickSoft(now: number, fits: Fit): Candidate | undefined {
    let best: Candidate | undefined;
    let bestUntil = Number.POSITIVE_INFINITY;
    for (const member of this.members) {
      const window = member.state.cooldowns.blocking(member.upstreamModel, now);
      if (window === undefined || !isSoft(window) || window.until >= bestUntil || !fits(member)) continue;
      best = member;
      bestUntil = window.until;
    }
    return best;
  }

  /** Windows that block members now, for waiting, probing and the answer when nothing is left. */
  *blocked(now: number): Generator<[Candidate, Window]> {
    for (const member of this.members) {
      const window = member.state.cooldowns.blocking(member.upstreamModel, now);
      if (window) yield [member, window];
    }
  }

  /** Windows were cleared early: look at everybody who cools again. */
  recheck(): void {
    for (const candidate of this.#cooling) {
      candidate.place = 'out';
      this.#append(candidate);
    }
    this.#cooling = [];
  }

  #pickNext(now: number, fits: Fit): Candidate | undefined {
    let candidate = this.#head;
    for (let left = this.#ready; candidate !== undefined && left > 0; left--) {
      const following: Candidate = candidate.next;
      const window = candidate.state.cooldowns.blocking(candidate.upstreamModel, now);
      if (window) this.#sleep(candidate, window.until);
      else if (fits(candidate)) {
        this.#toTheEnd(candidate);
        return candidate;
      }
      candidate = following;
    }
    return undefined;
  }

  #pickBest(strategy: Strategy, now: number, fits: Fit): Candidate | undefined {
    let best: Candidate | undefined;
    let total = 0;
    const inOrder = strategy === 'fill-first';
    let candidate = inOrder ? this.members[0] : this.#head;
    const count = inOrder ? this.members.length : this.#ready;
    for (let i = 0; candidate !== undefined && i < count; ) {
      const ready = candidate.state.cooldowns.blocking(candidate.upstreamModel, now) === undefined;
      if (ready && fits(candidate)) {
        if (inOrder) return candidate;
        if (strategy === 'weighted-round-robin') {
          candidate.current += candidate.weight;
          total += candidate.weight;
        }
        if (best === undefined || better(strategy, candidate, best, now)) best = candidate;
      }
      i++;
      candidate = inOrder ? this.members[i] : candidate.next;
    }
    if (best === undefined) return undefined;
    if (strategy === 'weighted-round-robin') best.current -= total;
    // Ties go to whoever waited longest.
    this.#toTheEnd(best);
    return best;
  }

  #toTheEnd(candidate: Candidate): void {
    if (candidate === this.#head) this.#head = candidate.next;
    else {
      this.#unlink(candidate);
      this.#append(candidate);
    }
  }

  #append(candidate: Candidate): void {
    candidate.place = 'ready';
    this.#ready++;
    const head = this.#head;
    if (head === undefined) {
      this.#head = candidate;
      return;
    }
    const last = head.previous;
    last.next = candidate;
    candidate.previous = last;
    candidate.next = head;
    head.previous = candidate;
  }

  #unlink(candidate: Candidate): void {
    this.#ready--;
    if (candidate === this.#head) this.#head = this.#ready === 0 ? undefined : candidate.next;
    candidate.previous.next = candidate.next;
    candidate.next.previous = candidate.previous;
    candidate.next = candidate;
    candidate.previous = candidate;
  }

  #takeOut(candidate: Candidate): void {
    if (candidate.place === 'ready') this.#unlink(candidate);
    else if (candidate.place === 'cooling') this.#cooling = this.#cooling.filter((other) => other !== candidate);
    candidate.place = 'out';
    // `filter` keeps no heap order when an inner node went: restore it.
    this.#cooling.sort((a, b) => a.wakeAt - b.wakeAt);
  }

  #sleep(candidate: Candidate, until: number): void {
    this.#unlink(candidate);
    candidate.place = 'cooling';
    candidate.wakeAt = until;
    heapPush(this.#cooling, candidate);
  }

  #wake(now: number): void {
    for (let first = this.#cooling[0]; first && first.wakeAt <= now; first = this.#cooling[0]) {
      heapPop(this.#cooling);
      const window = first.state.cooldowns.blocking(first.upstreamModel, now);
      if (window) {
        // The window grew meanwhile.
        first.wakeAt = window.until;
        heapPush(this.#cooling, first);
      } else this.#append(first);
    }
  }
}

function better(strategy: Strategy, candidate: Candidate, best: Candidate, now: number): boolean {
  switch (strategy) {
    case 'weighted-round-robin':
      return candidate.current > best.current;
    case 'least-loaded':
      return candidate.state.inFlight < best.state.inFlight;
    case 'quota-aware':
      return candidate.state.quotaLeft(now) > best.state.quotaLeft(now);
    default:
      return false;
  }
}

function heapPush(heap: Candidate[], candidate: Candidate): void {
  heap.push(candidate);
  let i = heap.length - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if ((heap[parent] as Candidate).wakeAt <= candidate.wakeAt) break;
    heap[i] = heap[parent] as Candidate;
    i = parent;
  }
  heap[i] = candidate;
}

function heapPop(heap: Candidate[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] as Candidate).wakeAt < (heap[child] as Candidate).wakeAt) child++;
    if ((heap[child] as Candidate).wakeAt >= last.wakeAt) break;
    heap[i] = heap[child] as Candidate;
    i = child;
  }
  heap[i] = last;
}
