import type { Position } from "./position.ts";

const most = 64;

/** How old a replica's data are at most, out of where its primary was at which time. Times are milliseconds of one clock. */
export class ReplicaLag {
  #seen: { time: number; position: Position }[] = [];
  #shownAt = Number.NEGATIVE_INFINITY;

  /** The primary was there at that time. */
  primaryAt(time: number, position: Position): void {
    this.#seen.push({ time, position });
    if (this.#seen.length > most) this.#seen.shift();
  }

  /** The replica has come that far. */
  replayed(position: Position): void {
    const covered = this.#seen.findLastIndex((seen) => seen.position <= position);
    if (covered < 0) return;
    this.#shownAt = Math.max(this.#shownAt, this.#seen[covered]?.time as number);
    this.#seen = this.#seen.slice(covered);
  }

  /** The replica shows everything that was committed this many milliseconds ago; Infinity while nothing is known. */
  at(now: number): number {
    return now - this.#shownAt;
  }
}
