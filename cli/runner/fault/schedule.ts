import { unitOf } from "../status.ts";
import type { Fault } from "./fault.ts";
import { randomFrom } from "./random.ts";
import { frontedPorts } from "./targets.ts";

/** The kinds that a schedule draws from; faults of RPCs and consumers are brought on purpose. */
export const scheduledKinds = ["kill", "pause", "slow", "cut"] as const;
export type ScheduledKind = (typeof scheduledKinds)[number];

export interface ScheduleOptions {
  seed: number;
  /** How long the whole of it takes, in milliseconds. */
  forMs: number;
  /** From one fault to the next, in milliseconds. */
  everyMs: number;
  kinds: readonly ScheduledKind[];
  /** The instances that may be hit; their order does not matter. */
  targets: readonly string[];
}

export interface Step {
  /** Milliseconds after the beginning. */
  atMs: number;
  fault: Fault;
  /** How long it lasts, in milliseconds; a kill without one is started again at once. */
  forMs?: number;
}

/** Which fault comes when: it follows from the options alone. The last has ended when the time is over. */
export function schedule({ seed, forMs, everyMs, kinds, targets }: ScheduleOptions): Step[] {
  const random = randomFrom(seed);
  const among = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const between = (least: number, most: number) => Math.round(least + random() * (most - least));
  const sorted = [...targets].sort();
  const connected = sorted.filter((name) => frontedPorts(unitOf(name)).length > 0);
  const steps: Step[] = [];
  for (let atMs = 0; atMs < forMs && connected.length > 0; atMs += everyMs) {
    const kind = among(kinds);
    const target = among(kind === "slow" || kind === "cut" ? connected : sorted);
    const lasts = Math.min(between(everyMs / 3, everyMs), forMs - atMs);
    steps.push({ atMs, ...draw(kind, target, lasts, { random, between }) });
  }
  return steps;
}

interface Draw {
  random: () => number;
  between: (least: number, most: number) => number;
}

function draw(kind: ScheduledKind, target: string, forMs: number, { random, between }: Draw): Omit<Step, "atMs"> {
  switch (kind) {
    case "kill":
      return random() < 0.5 ? { fault: { kind, target } } : { fault: { kind, target }, forMs };
    case "pause":
      return { fault: { kind, target }, forMs };
    case "cut":
      return { fault: { kind, target, how: random() < 0.5 ? "refuse" : "blackhole" }, forMs };
    case "slow": {
      const latencyMs = between(20, 200);
      const toxics = { latencyMs, jitterMs: between(0, latencyMs), ...(random() < 0.3 && { resetShare: 0.05 }) };
      return { fault: { kind, target, toxics }, forMs };
    }
  }
}
