import type { Effort, Middle } from "./ratio.ts";
import type { Mark } from "./seeds/marks.ts";
import type { Stage } from "./stage.ts";

/** What a ratio should be one day. */
export type Goal = { atLeast: number } | { atMost: number };

/** One ratio, ours ÷ peer, over the rounds that count. */
export interface Figure extends Middle {
  /** What is compared. */
  name: string;
  /** What either side came to, in words. */
  ours: string;
  peer: string;
  /** Of each round. */
  ratios: number[];
  goal: Goal;
}

export interface Finding {
  figures: Figure[];
  /** Numbers that are wished for as they are, beside no peer. */
  marks?: readonly Mark[];
  /** What else the reader must know of this run. */
  notes: string[];
  /** For the file of raw results only. */
  details: Record<string, unknown>;
}

/** What is compared with what, and how it is taken. */
export interface Measure {
  id: "P1" | "P2" | "P8" | "P9" | "P11" | "P12" | "SEEDS";
  title: string;
  ours: string;
  peer: string;
  /** Seconds of each run of a full measurement. */
  seconds: number;
  /** Where a full measurement differs from the others. */
  effort?: Partial<Pick<Effort, "rounds" | "warmUp">>;
  /** Answers with a reason instead when a part is missing that nothing can stand in for. */
  run(stage: Stage, effort: Effort): Promise<Finding | { skipped: string }>;
}
