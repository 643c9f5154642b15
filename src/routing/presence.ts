// Whether a client still waits for its answer.

/**
 * Made for every request, so it is an object with a list: an `AbortController` is made only for who needs its signal
 * (a refresh, a wait). Its construction and one listener cost more than the choice of the credential.
 */
export class ClientPresence {
  #left = false;
  readonly #listeners: (() => void)[] = [];
  #controller: AbortController | undefined;

  get left(): boolean {
    return this.#left;
  }

  /** The client closed its connection. Later calls do nothing. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    for (const listener of this.#listeners.splice(0)) listener();
    this.#controller?.abort();
  }

  /** Called once, when the client leaves; never when it has left already: ask `left` first. */
  onLeave(listener: () => void): void {
    this.#listeners.push(listener);
  }

  off(listener: () => void): void {
    // Nearly always the one that came last.
    if (this.#listeners.at(-1) === listener) this.#listeners.pop();
    else if (this.#listeners.includes(listener)) this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#left) this.#controller.abort();
    }
    return this.#controller.signal;
  }
}
