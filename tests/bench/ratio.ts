import type { Outcome } from "./load.ts";

export interface Round {
  ours: Outcome;
  peer: Outcome;
  ratio: number;
}

export interface Ratio {
  median: number;
  /** First and third quartile. */
  spread: [number, number];
  /** The run of the median rate of each side. */
  ours: Outcome;
  peer: Outcome;
  rounds: Round[];
}

/** How much is measured. */
export interface Effort {
  /** Rounds that count. */
  rounds: number;
  /** Of each run. */
  seconds: number;
  /** Before the first round that counts, each side runs until it has given so many answers, or for so many seconds. */
  warmUp: { answers: number; seconds: number };
}

type Run = (counted: boolean) => Promise<Outcome>;

export interface Sides {
  /** One run of each side. `counted` is false while both are warming up. */
  ours: Run;
  peer: Run;
  effort: Effort;
  /** Called after each round; 0 is the warm-up. */
  onRound: (round: number, result: Round) => void;
}

/**
 * Measures two things in turns, A-B-A-B, so that whatever else the machine does meets both alike. The first round warms
 * both up and is not counted. The ratio is taken within a round, then the median over the rounds.
 */
export async function ratioOf({ ours, peer, effort, onRound }: Sides): Promise<Ratio> {
  const results: Round[] = [];
  for (let round = 0; round <= effort.rounds; round++) {
    const once = (run: Run) => (round > 0 ? run(true) : warmUp(run, effort.warmUp));
    const pair = { ours: await once(ours), peer: await once(peer) };
    const result = { ...pair, ratio: pair.ours.rate / pair.peer.rate };
    onRound(round, result);
    if (round > 0) results.push(result);
  }
  const ratios = results.map(({ ratio }) => ratio);
  return {
    median: quantile(ratios, 0.5),
    spread: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    ours: middle(results.map((result) => result.ours)),
    peer: middle(results.map((result) => result.peer)),
    rounds: results,
  };
}

/** V8 compiles what runs often, so it is the number of answers that makes code fast, not the time. */
async function warmUp(run: Run, enough: Effort["warmUp"]): Promise<Outcome> {
  let answers = 0;
  let seconds = 0;
  for (;;) {
    const outcome = await run(false);
    answers += outcome.answers;
    seconds += outcome.seconds;
    if (answers >= enough.answers || seconds >= enough.seconds) return outcome;
  }
}

/** The right answers of one side, over all rounds that count. */
export function answersOf({ rounds }: Ratio, side: "ours" | "peer"): number {
  return rounds.reduce((sum, round) => sum + round[side].answers, 0);
}

function middle(outcomes: Outcome[]): Outcome {
  const byRate = [...outcomes].sort((one, other) => one.rate - other.rate);
  return byRate[Math.floor(byRate.length / 2)] as Outcome;
}

export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const position = (sorted.length - 1) * share;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}
