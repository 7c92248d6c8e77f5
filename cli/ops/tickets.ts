import { createHash, randomBytes } from "node:crypto";

const lifeMs = 10 * 60_000;
const most = 16;

/** What the links that `mesh ops` prints carry in place of the token: each is good once, for ten minutes. */
export class Tickets {
  readonly #ends = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  issue(): string {
    for (const [known, end] of this.#ends) if (end < this.#now()) this.#ends.delete(known);
    // The oldest goes: nobody has a use for many.
    const [oldest] = this.#ends.keys();
    if (this.#ends.size >= most && oldest !== undefined) this.#ends.delete(oldest);
    const ticket = randomBytes(32).toString("base64url");
    this.#ends.set(digestOf(ticket), this.#now() + lifeMs);
    return ticket;
  }

  /** Whether it was issued, is not too old and has not been used; it has been now. */
  redeem(ticket: string): boolean {
    const key = digestOf(ticket);
    const end = this.#ends.get(key);
    this.#ends.delete(key);
    return end !== undefined && end >= this.#now();
  }
}

/** Looked up by digest, so that the time it takes tells nothing of the ticket. */
function digestOf(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64");
}
