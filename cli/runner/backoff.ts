const first = 100;
const most = 5000;
const healthyMs = 60_000;

/** The pause before a dead process is started again: 100 ms, doubled up to 5 s; a minute of health starts over. */
export class Backoff {
  #next = first;

  /** Milliseconds to wait, given how long the process had been ready before it ended. */
  delayAfter(readyMs: number): number {
    if (readyMs >= healthyMs) this.#next = first;
    const delay = this.#next;
    this.#next = Math.min(delay * 2, most);
    return delay;
  }
}
