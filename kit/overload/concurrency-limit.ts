import { performance } from "node:perf_hooks";

const lookMs = 20;
const windowMs = 100;
const longestWindowMs = 1_000;
/** Before anything is known, so many times what is always taken: what comes all at once must not stand in a queue for long. */
export const firstTimes = 8;
/** It falls to half at most at a time: a short stall is no change of what can be done. */
const deepestCut = 0.5;
const slightestCut = 0.9;
/** Fewer answers than this say nothing about all of them. */
const fewAnswers = 10;

export interface ConcurrencyLimitOptions {
  /** It never falls below this. */
  min: number;
  /** Nor rises above this. */
  max: number;
  /** How late the event loop may be all the time, in milliseconds. */
  loopDelayMs: number;
  /** What the time is, in milliseconds, for tests. */
  now?: () => number;
}

/**
 * How many calls a process may have under way, looked at ten times a second. While work stands in a queue it falls to as
 * many as are answered within the time that they may take, at the pace of the last look (Little's law: under way = pace ×
 * time). Else it rises by its square root. Work stands in a queue while the event loop was late at every look, as CoDel
 * (RFC 8289) takes the least delay of a while, so that one long computation does not count; or while most answers were
 * late, for the queue may be further on. Idle processes do not look.
 */
export class ConcurrencyLimit {
  readonly #options: ConcurrencyLimitOptions;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #limit: number;
  #inFlight = 0;
  #lookedAt = 0;
  #windowAt = 0;
  #looks = 0;
  #leastDelay = Number.POSITIVE_INFINITY;
  #peak = 0;
  #answers = 0;
  #lateAnswers = 0;
  #allowedMs = 0;

  constructor(options: ConcurrencyLimitOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#limit = this.#first;
  }

  get #first(): number {
    return Math.min(this.#options.max, this.#options.min * firstTimes);
  }

  get limit(): number {
    return this.#limit;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether one more fits into this share of the limit, 0 to 1. */
  hasRoom(share: number): boolean {
    return this.#inFlight < this.#limit * share;
  }

  /** Counts a call that begins. */
  enter(): void {
    this.#inFlight += 1;
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight;
    if (this.#timer === undefined) this.#watch();
  }

  /** Counts it as ended, after so long where so much would have been in time. One that failed soon says nothing: undefined. */
  leave(tookMs: number | undefined, allowedMs: number): void {
    this.#inFlight -= 1;
    if (tookMs === undefined) return;
    this.#answers += 1;
    this.#allowedMs += allowedMs;
    if (tookMs > allowedMs) this.#lateAnswers += 1;
  }

  /** Looks at the clock; called every 20 ms while there are calls. */
  look(): void {
    const now = this.#now();
    this.#looks += 1;
    this.#leastDelay = Math.min(this.#leastDelay, now - this.#lookedAt - lookMs);
    this.#lookedAt = now;
    if (now - this.#windowAt >= windowMs && this.#looks > 1) this.#judge(now);
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #watch(): void {
    this.#lookedAt = this.#now();
    this.#begin(this.#lookedAt);
    this.#timer = setInterval(() => {
      this.look();
      if (this.#inFlight === 0) this.#rest();
    }, lookMs).unref();
  }

  /** With nothing under way there is no queue: what was learnt of the last one is over. */
  #rest(): void {
    this.close();
    this.#limit = this.#first;
  }

  #begin(now: number): void {
    this.#windowAt = now;
    this.#looks = 0;
    this.#leastDelay = Number.POSITIVE_INFINITY;
    this.#peak = this.#inFlight;
    this.#answers = 0;
    this.#lateAnswers = 0;
    this.#allowedMs = 0;
  }

  #judge(now: number): void {
    const { min, max, loopDelayMs } = this.#options;
    const isLate = this.#leastDelay > loopDelayMs;
    const isEnough = this.#answers >= fewAnswers;
    // Where answers are few, more of them are awaited.
    if (!isLate && !isEnough && now - this.#windowAt < longestWindowMs) return;
    const isSlow = isEnough && this.#lateAnswers * 2 > this.#answers;
    if (isLate || isSlow) this.#limit = Math.max(min, this.#lower(now - this.#windowAt));
    // Where it was not needed, nothing was learnt about more.
    else if (this.#peak * 2 > this.#limit) this.#limit = Math.min(max, this.#limit + Math.ceil(Math.sqrt(this.#limit)));
    this.#begin(now);
  }
  /** What the pace allows; in any case less than there was, or it would never fall while answers are few but not late. */
  #lower(windowMs: number): number {
    const before = Math.min(this.#limit, this.#peak);
    const paced = this.#allowedMs / windowMs;
    return Math.floor(Math.min(before * slightestCut, Math.max(before * deepestCut, paced)));
  }
}
