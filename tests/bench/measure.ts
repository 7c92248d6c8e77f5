import type { Effort, Ratio } from "./ratio.ts";
import type { Stage } from "./stage.ts";

export interface Finding {
  ratio: Ratio;
  /** What else the reader must know of this run. */
  notes: string[];
  /** For the file of raw results only. */
  details: Record<string, unknown>;
}

/** One ratio: what it compares, what it should be one day, and how it is taken. */
export interface Measure {
  id: "P1" | "P2" | "P9";
  title: string;
  ours: string;
  peer: string;
  goal: number;
  /** Seconds of each run of a full measurement. */
  seconds: number;
  /** Answers with a reason instead when a part is missing that nothing can stand in for. */
  run(stage: Stage, effort: Effort): Promise<Finding | { skipped: string }>;
}
