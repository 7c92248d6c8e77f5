import type { EntityManager } from "@mikro-orm/postgresql";

/** A transaction that others join; see `Database.asOne`. */
export class EnclosingTransaction {
  readonly #em: EntityManager;
  #over = false;
  #fault: { error: unknown } | undefined;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  get em(): EntityManager {
    return this.#em;
  }

  /**
   * Runs a part of the whole. There are no savepoints, so once a part has failed nothing of the whole is committed, even
   * if somebody caught the error. Whoever still goes on after the end must not start a transaction of its own.
   */
  async join<T>(part: (em: EntityManager) => Promise<T>): Promise<T> {
    if (this.#over) throw new Error("the transaction that this belongs to is over");
    this.#mustBeSound();
    try {
      return await part(this.#em);
    } catch (error) {
      this.#fault ??= { error };
      throw error;
    }
  }

  /** Runs all of it; fails with the first fault of any part. */
  async run<T>(fn: (em: EntityManager) => Promise<T>): Promise<T> {
    const result = await fn(this.#em);
    this.#mustBeSound();
    return result;
  }

  end(): void {
    this.#over = true;
  }

  #mustBeSound(): void {
    if (this.#fault) throw this.#fault.error;
  }
}
