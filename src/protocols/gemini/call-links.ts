// Ids for tool calls of a protocol that has none: calls are numbered per request, and the n-th result of a name answers
// the n-th open call of that name (protocols.md §2.4).

export class CallLinks {
  readonly #open = new Map<string, string[]>();
  readonly #taken: Set<string>;
  #count = 0;

  /** `taken`: ids that the client did send, so that none of ours equals one. */
  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  call(name: string, given: string | undefined): string {
    const id = given || this.#make();
    const open = this.#open.get(name);
    if (open) open.push(id);
    else this.#open.set(name, [id]);
    return id;
  }

  /** The id of the call that this result answers; a result that answers nothing gets an id of its own. */
  result(name: string, given: string | undefined): string {
    const open = this.#open.get(name) ?? [];
    if (given) {
      const at = open.indexOf(given);
      if (at >= 0) open.splice(at, 1);
      return given;
    }
    return open.shift() ?? this.#make();
  }

  #make(): string {
    let id: string;
    do id = `call_${++this.#count}`;
    while (this.#taken.has(id));
    return id;
  }
}
