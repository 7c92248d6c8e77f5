import { randomUUID } from "node:crypto";
import { seal, unseal } from "#kit/auth/sealing.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { subscribe } from "#kit/redis/subscribe.ts";
import { Change } from "./change.ts";
import { NearAnswers } from "./near-answers.ts";
import { PatientRedis } from "./patient-redis.ts";
import { beginWrite, endWrite, keepAnswer, openVersion } from "./scripts.ts";

/** A write of which nobody has said that it ended is over by then: PostgreSQL ends statements and idle transactions sooner. */
const longestWriteMs = 15_000;
const maxAnswers = 16;
const maxBytes = 64 * 1024;
const maxOwed = 10_000;
/** The time until which an answer is good, in milliseconds since the epoch. */
const headBytes = 8;

export interface AnswerCacheOptions {
  redis: Redis;
  /** What keys begin with, "tasks:user:"; the user's id follows. */
  prefix: string;
  /** Where it is published whose answers have changed. */
  channel: string;
  /** 32 bytes. Redis holds no word that a person wrote: answers are encrypted. */
  key: Uint8Array;
}

/** What is known: the answer, or else the version under which a new one may be kept. Neither while somebody writes, or Redis is away. */
export interface Look {
  answer?: Buffer | undefined;
  version?: string | undefined;
}

/** Where an answer is kept. `field` tells the user's requests apart. */
export interface Place {
  field: string;
  version: string;
}

/**
 * Answers of reads, kept in Redis for each user until something changes for that user. Redis is not the truth of
 * anything here: what it does not know is read from the database, and what it may have missed is not believed.
 * An answer that was read before a change is never kept after it, whoever is faster and whoever dies in between.
 */
export class AnswerCache {
  readonly #redis: PatientRedis;
  readonly #options: AnswerCacheOptions;
  readonly #key: Buffer;
  readonly #process = randomUUID().slice(0, 8);
  #near: NearAnswers | undefined;
  #count = 0;
  /** Users for whom Redis did not hear of the end of a write, with its token: their answers are not believed until it has. */
  readonly #owed = new Map<string, string>();
  #isSettling = false;

  constructor(options: AnswerCacheOptions) {
    this.#options = options;
    this.#key = Buffer.from(options.key);
    this.#redis = new PatientRedis(options.redis, () => void this.#settle());
  }

  /** Keeps answers in the memory of this process too, which all that write tell of what has changed. */
  keepNear(lifecycle: Lifecycle): this {
    const near = new NearAnswers();
    const { redis, channel } = this.#options;
    const onSubscribed = () => near.clear();
    subscribe({ redis, channel, lifecycle, onSubscribed, onMessage: (userId) => near.forget(userId) });
    this.#near = near;
    return this;
  }

  /** Never rejects. `keepMs`: how long a version is kept that has no answers yet. */
  async look(userId: string, field: string, keepMs: number): Promise<Look> {
    if (this.#owed.has(userId)) return {};
    const key = this.#options.prefix + userId;
    const near = this.#near?.get(userId, field);
    const fields = near === undefined ? ["v", field] : ["v"];
    const known = await this.#redis.ask((redis) => redis.hmgetBuffer(key, ...fields));
    if (known === undefined) return {};
    const version = known[0]?.toString("latin1");
    if (version !== undefined && Number.parseInt(version, 10) >= this.#redis.trustedSince) {
      if (near?.version === version) return { version, answer: near.answer };
      const entry = near === undefined ? known[1] : await this.#redis.ask((redis) => redis.hgetBuffer(key, field));
      return { version, answer: entry ? this.#open(userId, { field, version }, entry) : undefined };
    }
    const opened = await this.#redis.ask((redis) =>
      redis.eval(openVersion, 1, key, this.#redis.trustedSince, this.#token(), keepMs),
    );
    return typeof opened === "string" ? { version: opened } : {};
  }

  /** Keeps an answer unless something has changed since the version was looked at. Never rejects. */
  async keep(userId: string, place: Place, answer: Buffer, keepMs: number): Promise<void> {
    if (answer.length > maxBytes) return;
    const { field, version } = place;
    const until = Date.now() + keepMs;
    const head = Buffer.allocUnsafe(headBytes);
    head.writeDoubleBE(until);
    const sealed = seal(Buffer.concat([head, answer]), this.#key, contextOf(userId, place));
    const kept = await this.#redis.ask((redis) =>
      redis.eval(keepAnswer, 1, this.#options.prefix + userId, version, field, sealed, Math.ceil(keepMs), maxAnswers),
    );
    if (kept === 1) this.#near?.set(userId, place, answer, until);
  }

  /** A write that may change what others see. */
  change(): Change {
    return new Change(this);
  }

  /** Tells Redis that a write begins; the answer is for `end`. Not waited for: it is on its way before the write is. */
  begin(userId: string): string {
    const token = this.#token();
    const { prefix, channel } = this.#options;
    void this.#redis
      .ask((redis) => redis.eval(beginWrite, 1, prefix + userId, token, longestWriteMs, channel, userId))
      .then((answer) => {
        if (answer === undefined) this.#owe(userId, token);
      });
    return token;
  }

  /** Answers once Redis has forgotten what the write has changed, or is known not to have heard. Never rejects. */
  async end(userId: string, token: string): Promise<void> {
    if (await this.#tellEnd(userId, token)) this.#paid(userId, token);
    else this.#owe(userId, token);
  }

  async #tellEnd(userId: string, token: string): Promise<boolean> {
    const { prefix, channel } = this.#options;
    const told = await this.#redis.ask((redis) => redis.eval(endWrite, 1, prefix + userId, token, channel, userId));
    return told !== undefined;
  }

  #open(userId: string, place: Place, entry: Buffer): Buffer | undefined {
    try {
      const plain = unseal(entry, this.#key, contextOf(userId, place));
      const until = plain.readDoubleBE();
      if (until <= Date.now()) return undefined;
      const answer = plain.subarray(headBytes);
      this.#near?.set(userId, place, answer, until);
      return answer;
    } catch {
      // Of another key, or no answer of ours at all.
      return undefined;
    }
  }

  #token(): string {
    this.#count += 1;
    return `${this.#process}.${this.#count}`;
  }

  #owe(userId: string, token: string): void {
    // Beyond that, age alone ends what may be old.
    if (this.#owed.size < maxOwed) this.#owed.set(userId, token);
  }

  #paid(userId: string, token: string): void {
    if (this.#owed.get(userId) === token) this.#owed.delete(userId);
  }

  async #settle(): Promise<void> {
    if (this.#isSettling) return;
    this.#isSettling = true;
    for (const [userId, token] of this.#owed) {
      if (!(await this.#tellEnd(userId, token))) break;
      this.#paid(userId, token);
    }
    this.#isSettling = false;
  }
}

function contextOf(userId: string, { field, version }: Place): string {
  return `${userId} ${field} ${version}`;
}
