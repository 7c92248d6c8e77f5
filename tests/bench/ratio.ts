import type { Outcome } from "./load.ts";

export interface Round<O extends Outcome = Outcome> {
  ours: O;
  peer: O;
  ratio: number;
}

/** The median of some values, and how far they lie apart. */
export interface Middle {
  median: number;
  /** First and third quartile. */
  spread: [number, number];
}

export interface Ratio<O extends Outcome = Outcome> extends Middle {
  /** The middle run of each side, by what is compared. */
  ours: O;
  peer: O;
  rounds: Round<O>[];
}

/** How much is measured. */
export interface Effort {
  /** Rounds that count. */
  rounds: number;
  /** Of each run. */
  seconds: number;
  /** Before the first round that counts, each side runs until it has given so many answers, or for so many seconds. */
  warmUp: { answers: number; seconds: number };
  /** Only to see that it works, with code that is still cold, on a machine that may be busy: rates and crowds are small. */
  quick?: boolean;
}

type Run<O> = (counted: boolean) => Promise<O>;

export interface Sides<O extends Outcome> {
  /** One run of each side. `counted` is false while both are warming up. */
  ours: Run<O>;
  peer: Run<O>;
  effort: Effort;
  /** What is compared; the rate unless given. */
  of?: (outcome: O) => number;
  /** Called after each round; 0 is the warm-up. */
  onRound: (round: number, result: Round<O>) => void;
}

/**
 * Measures two things in turns, A-B-A-B, so that whatever else the machine does meets both alike. The first round warms
 * both up and is not counted. The ratio is taken within a round, then the median over the rounds.
 */
export async function ratioOf<O extends Outcome>(sides: Sides<O>): Promise<Ratio<O>> {
  const { ours, peer, effort, onRound, of = ({ rate }) => rate } = sides;
  const results: Round<O>[] = [];
  for (let round = 0; round <= effort.rounds; round++) {
    const once = (run: Run<O>) => (round > 0 ? run(true) : warmUp(run, effort.warmUp));
    const pair = { ours: await once(ours), peer: await once(peer) };
    const result = { ...pair, ratio: of(pair.ours) / of(pair.peer) };
    onRound(round, result);
    if (round > 0) results.push(result);
  }
  return {
    ...middleOf(results.map(({ ratio }) => ratio)),
    ours: middleRun(
      results.map((result) => result.ours),
      of,
    ),
    peer: middleRun(
      results.map((result) => result.peer),
      of,
    ),
    rounds: results,
  };
}

export function middleOf(values: number[]): Middle {
  return { median: quantile(values, 0.5), spread: [quantile(values, 0.25), quantile(values, 0.75)] };
}

/** V8 compiles what runs often, so it is the number of answers that makes code fast, not the time. */
async function warmUp<O extends Outcome>(run: Run<O>, enough: Effort["warmUp"]): Promise<O> {
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
export function answersOf({ rounds }: Pick<Ratio, "rounds">, side: "ours" | "peer"): number {
  return rounds.reduce((sum, round) => sum + round[side].answers, 0);
}

function middleRun<O>(outcomes: O[], of: (outcome: O) => number): O {
  const sorted = [...outcomes].sort((one, other) => of(one) - of(other));
  return sorted[Math.floor(sorted.length / 2)] as O;
}

export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const position = (sorted.length - 1) * share;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}
