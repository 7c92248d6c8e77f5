import { setTimeout as sleep } from "node:timers/promises";
import type { Lifecycle } from "../lifecycle.ts";
import { ask, lookEveryMs, type Part, type Parts } from "./part.ts";

/** As the admin page shows it. */
export interface ReadinessReport {
  ready: boolean;
  /** Names of what is away: required parts, or "process" before it has started and once it stops. */
  failing: string[];
}

/**
 * Whether the process can do its work: it has started, is not stopping, and every required part is there. Required parts
 * are watched all the time, so that each question has its answer already; the others are asked when somebody wants to know.
 */
export class Readiness {
  readonly #lifecycle: Lifecycle;
  readonly #parts: Parts;
  readonly #watched = new Map<string, boolean>();
  readonly #asked = new Map<string, Promise<boolean>>();
  readonly #listeners = new Set<() => void>();

  private constructor(lifecycle: Lifecycle, parts: Parts) {
    this.#lifecycle = lifecycle;
    this.#parts = parts;
  }

  /** Begins to watch, until the lifecycle is over; answers after the first look. */
  static async start(lifecycle: Lifecycle, parts: Parts): Promise<Readiness> {
    const readiness = new Readiness(lifecycle, parts);
    const over = new AbortController();
    const required = Object.entries(parts).filter(([, { required }]) => required);
    const first = required.map(async ([name, part]) => {
      const known = Promise.withResolvers<void>();
      void readiness.#watch(name, part, over.signal, known.resolve);
      await known.promise;
    });
    lifecycle.use("readiness", over, (opened) => opened.abort());
    await Promise.all(first);
    return readiness;
  }

  get partNames(): string[] {
    return Object.keys(this.#parts);
  }

  /** Whether every required part is there. */
  get complete(): boolean {
    return [...this.#watched.values()].every(Boolean);
  }

  read(): ReadinessReport {
    const failing = [...this.#watched].flatMap(([name, there]) => (there ? [] : [name]));
    if (!this.#lifecycle.ready) failing.unshift("process");
    return { ready: failing.length === 0, failing };
  }

  /** Whether a part is there; undefined when there is no such part. Never throws; takes 0.5 s at most. */
  async isThere(name: string): Promise<boolean | undefined> {
    const part = Object.hasOwn(this.#parts, name) ? this.#parts[name] : undefined;
    if (part === undefined) return undefined;
    return this.#watched.get(name) ?? this.#askOnce(name, part);
  }

  /** Calls `hear` after each change of a required part; answers with how to end that. */
  onChange(hear: () => void): () => void {
    this.#listeners.add(hear);
    return () => this.#listeners.delete(hear);
  }

  /** Many may ask at a time: a part is bothered once in `lookEveryMs`. */
  #askOnce(name: string, part: Part): Promise<boolean> {
    const known = this.#asked.get(name);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#asked.set(name, promise);
    void ask(part, resolve);
    void promise.then(() => setTimeout(() => this.#asked.delete(name), lookEveryMs).unref());
    return promise;
  }

  async #watch(name: string, part: Part, signal: AbortSignal, known: () => void): Promise<void> {
    while (!signal.aborted) {
      await ask(part, (there) => {
        this.#set(name, there);
        known();
      });
      await sleep(lookEveryMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  #set(name: string, there: boolean): void {
    if (this.#watched.get(name) === there) return;
    this.#watched.set(name, there);
    for (const hear of this.#listeners) hear();
  }
}
