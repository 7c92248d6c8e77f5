import { type LoadResult, openLoop, type Phase } from "../../cli/load/open-loop.ts";
import type { Outcome } from "./load.ts";
import type { Caller, MixedCalls } from "./mixed-calls.ts";
import type { Effort } from "./ratio.ts";

/** Requests a second: what one instance of each service bears on two cores that the whole mesh shares. */
export function offeredRate({ quick }: Pick<Effort, "quick">): number {
  return quick ? 30 : 300;
}
/** How many calls there are at a time when a mesh is kept full. */
export const underWay = 32;
/** For a finding: how its load was made. */
export function openLoad(effort: Pick<Effort, "quick">): string {
  return `open loop, ${offeredRate(effort)} calls a second, nine of ten read`;
}

/** What came of requests that were sent at their time, whether those before were answered or not. */
export interface OpenOutcome extends Outcome {
  p95: number;
  /** Whether 99 of 100 requests were sent within 50 ms of their time. */
  rateKept: boolean;
}

/** Offers the mixed calls at the rate; throws when a single answer is not right. */
export async function offer(caller: Caller, calls: MixedCalls, phase: Phase): Promise<OpenOutcome> {
  const phases = [phase];
  return outcomeOf(await openLoop({ phases, send: (index) => calls.send(caller, index) }));
}

/** Keeps calls under way, each followed by the next at once: what a full system gives. Throws at the first wrong answer. */
export async function keepFull(
  send: (index: number) => Promise<string | undefined>,
  seconds: number,
): Promise<{ answers: number; rate: number }> {
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000;
  let answers = 0;
  const loop = async (index: number) => {
    for (let next = index; elapsed() < seconds; next += underWay) {
      const failure = await send(next);
      if (failure !== undefined) throw new Error(`only right answers count: ${failure}`);
      answers++;
    }
  };
  await Promise.all(Array.from({ length: underWay }, (_, index) => loop(index)));
  return { answers, rate: answers / elapsed() };
}

/** A load's result as one run of a measure; throws unless every answer was right. */
export function outcomeOf({ due, right, failed, failures, rate, seconds, latency, rateKept }: LoadResult): OpenOutcome {
  if (failed > 0 || right === 0) {
    const kinds = Object.entries(failures).map(([kind, count]) => `${count} × ${kind}`);
    throw new Error(`${failed} of ${due} calls failed (${kinds.join(", ")}); only right answers count`);
  }
  const { p50, p95, p99 } = latency;
  return { answers: right, rate, seconds, p50, p95, p99, rateKept };
}

/** A note when the generator could not send in time: then the times beside it are too long. */
export function noteLateness(outcomes: readonly OpenOutcome[]): string[] {
  const late = outcomes.filter(({ rateKept }) => !rateKept).length;
  const runs = `in ${late} of ${outcomes.length} runs, more than one request in a hundred was sent over 50 ms late`;
  return late === 0 ? [] : [`${runs}: the generator had too little of the cores`];
}
