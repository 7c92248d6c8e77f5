import type { AnswerCache } from "./answer-cache.ts";

/** One write with everybody for whom it changes something. */
export class Change {
  readonly #cache: Pick<AnswerCache, "begin" | "end">;
  readonly #tokens = new Map<string, string>();

  constructor(cache: Pick<AnswerCache, "begin" | "end">) {
    this.#cache = cache;
  }

  /** Call it before the write is committed. */
  touches(userIds: readonly string[]): void {
    for (const userId of userIds) {
      if (!this.#tokens.has(userId)) this.#tokens.set(userId, this.#cache.begin(userId));
    }
  }

  /**
   * Call it when the write is committed. One that failed is left alone: it may still commit, and counts as under way
   * until it must be over.
   */
  async committed(): Promise<void> {
    await Promise.all([...this.#tokens].map(([userId, token]) => this.#cache.end(userId, token)));
  }
}
