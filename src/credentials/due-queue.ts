// Names with times: the earliest first. A binary heap; an outdated place in it is skipped when it comes up.

interface Place {
  readonly at: number;
  readonly name: string;
}

export class DueQueue {
  readonly #heap: Place[] = [];
  readonly #times = new Map<string, number>();

  set(name: string, at: number): void {
    if (this.#times.get(name) === at) return;
    this.#times.set(name, at);
    this.#heap.push({ at, name });
    this.#up(this.#heap.length - 1);
  }

  delete(name: string): void {
    this.#times.delete(name);
  }

  get(name: string): number | undefined {
    return this.#times.get(name);
  }

  /** The earliest time; undefined when empty. */
  next(): number | undefined {
    this.#dropOutdated();
    return this.#heap[0]?.at;
  }

  /** Takes out all whose time has come. */
  take(now: number): string[] {
    const due: string[] = [];
    for (let at = this.next(); at !== undefined && at <= now; at = this.next()) {
      const { name } = this.#pop() as Place;
      this.#times.delete(name);
      due.push(name);
    }
    return due;
  }

  #dropOutdated(): void {
    while (this.#heap.length > 0) {
      const { name, at } = this.#heap[0] as Place;
      if (this.#times.get(name) === at) return;
      this.#pop();
    }
  }

  #pop(): Place | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down(0);
    }
    return first;
  }

  #up(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #down(start: number): void {
    let index = start;
    for (;;) {
      let first = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.#heap.length && this.#before(child, first)) first = child;
      }
      if (first === index) return;
      this.#swap(index, first);
      index = first;
    }
  }

  #before(left: number, right: number): boolean {
    return (this.#heap[left] as Place).at < (this.#heap[right] as Place).at;
  }

  #swap(left: number, right: number): void {
    [this.#heap[left], this.#heap[right]] = [this.#heap[right] as Place, this.#heap[left] as Place];
  }
}
