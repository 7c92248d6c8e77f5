import { LRUCache } from "lru-cache";

const maxBytes = 8 * 1024 * 1024;
const maxAnswers = 16;

interface Near {
  version: string;
  answers: Map<string, { answer: Buffer; until: number }>;
}

/**
 * The answers that this process has given lately, by user. They are good only for the version that Redis has just now,
 * so that nobody is told what was; that they go when Redis says so only frees their memory.
 */
export class NearAnswers {
  readonly #users = new LRUCache<string, Near>({ maxSize: maxBytes });

  get(userId: string, field: string): { version: string; answer: Buffer } | undefined {
    const near = this.#users.get(userId);
    const found = near?.answers.get(field);
    if (near === undefined || found === undefined || found.until <= Date.now()) return undefined;
    return { version: near.version, answer: found.answer };
  }

  set(userId: string, { field, version }: { field: string; version: string }, answer: Buffer, until: number): void {
    const known = this.#users.get(userId);
    const isSame = known?.version === version && known.answers.size < maxAnswers;
    const answers = isSame ? known.answers : new Map<string, { answer: Buffer; until: number }>();
    answers.set(field, { answer, until });
    let size = 256;
    for (const each of answers.values()) size += each.answer.length + 128;
    this.#users.set(userId, { version, answers }, { size });
  }

  forget(userId: string): void {
    this.#users.delete(userId);
  }

  clear(): void {
    this.#users.clear();
  }
}
