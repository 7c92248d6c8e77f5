import type pg from "pg";
import { unavailable } from "#kit/errors.ts";
import { limitedBy } from "#kit/time-limit.ts";
import type { Answers, DatabaseProbe } from "./probe.ts";

/** The part of a call's time that is kept for the answer, which must be there before its caller gives up; at most so many milliseconds. */
const kept = 0.2;
const mostKeptMs = 400;

interface Watched {
  pool: pg.Pool;
  probe: DatabaseProbe;
  answers: Answers;
}

/**
 * Tells a database that cannot be had from work that is slow. A call whose time is nearly over ends as UNAVAILABLE, with
 * the time to come back, while others wait for a connection too or the server has gone silent; else it has its time and
 * then ends as DEADLINE_EXCEEDED.
 */
export class Patience {
  readonly #watched: Watched;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Watches over work that is done for a call, until the returned function is called. */
  watch(signal: AbortSignal | undefined): (() => void) | undefined {
    const call = signal && limitedBy(signal);
    if (call === undefined || !Number.isFinite(call.deadlineMs)) return undefined;
    const leftMs = call.deadlineMs - Date.now();
    const keptMs = Math.min(leftMs * kept, mostKeptMs);
    const halfMs = leftMs / 2;
    let timer = setTimeout(() => {
      const { pool, probe, answers } = this.#watched;
      const [askedAt, wasShort] = [performance.now(), pool.waitingCount > 0];
      probe.ask().catch(() => {});
      const judge = () => {
        if (wasShort || pool.waitingCount > 0) call.abort(unavailable("the database has no connection to spare"));
        else if (!answers.since(askedAt)) call.abort(unavailable("the database does not answer"));
      };
      timer = setTimeout(judge, leftMs - halfMs - keptMs);
    }, halfMs);
    return () => clearTimeout(timer);
  }
}
