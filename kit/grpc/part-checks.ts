/** Parts that a server needs, by name: each check throws while its part is away. */
export type PartChecks = Readonly<Record<string, () => Promise<unknown> | unknown>>;

const cacheMs = 250;
/** A part that hangs counts as away. */
const limitMs = 500;

/** Runs checks: each at most once in 250 ms and for half a second, however many ask. */
export class Parts {
  readonly #checks: PartChecks;
  readonly #latest = new Map<string, Promise<boolean>>();

  constructor(checks: PartChecks) {
    this.#checks = checks;
  }

  /** Whether the part is there; undefined when there is no such part. Never throws. */
  async isThere(name: string): Promise<boolean | undefined> {
    if (!Object.hasOwn(this.#checks, name)) return undefined;
    let answer = this.#latest.get(name);
    if (answer === undefined) {
      answer = this.#run(name);
      this.#latest.set(name, answer);
      answer.finally(() => setTimeout(() => this.#latest.delete(name), cacheMs).unref());
    }
    return answer;
  }

  async #run(name: string): Promise<boolean> {
    const limit = Promise.withResolvers<boolean>();
    const timer = setTimeout(limit.resolve, limitMs, false);
    const passed = Promise.try(async () => this.#checks[name]?.()).then(
      () => true,
      () => false,
    );
    return Promise.race([passed, limit.promise]).finally(() => clearTimeout(timer));
  }
}
