import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { askMesh } from "../runner/control.ts";
import { describeFault } from "../runner/fault/describe.ts";
import type { FaultList, FaultRequest } from "../runner/fault/fault.ts";
import { type ScheduledKind, type Step, schedule, scheduledKinds } from "../runner/fault/schedule.ts";
import { findHome } from "../runner/home.ts";
import type { MeshStatus } from "../runner/status.ts";
import { messageOf, UserError } from "../user-error.ts";
import { printJson, progressLine, span } from "./output.ts";

export interface ScheduleCommand {
  seed?: number;
  for?: number;
  every: number;
  only?: ScheduledKind[];
  json?: boolean;
}

const withoutFronts: readonly ScheduledKind[] = ["kill", "pause"];
const longest = 3_600_000;

/** `mesh fault schedule`: plays the faults of a seed on everything that runs. Whatever ends it, all faults end with it. */
export async function runSchedule({
  seed = randomInt(1, 1_000_000),
  for: forMs = 60_000,
  every,
  only,
  json,
}: ScheduleCommand): Promise<void> {
  if (forMs > longest || every < 500)
    throw new UserError("A schedule takes at most 1h, with at least 500ms from one fault to the next");
  const home = findHome();
  const ask = <T>(request: FaultRequest) => askMesh<T>(home, { command: "fault", request });
  const [{ enabled }, { instances }] = [
    await ask<FaultList>({ do: "list" }),
    await askMesh<MeshStatus>(home, { command: "ps" }),
  ];
  const kinds = only ?? (enabled ? scheduledKinds : withoutFronts);
  const steps = schedule({ seed, forMs, everyMs: every, kinds, targets: instances.map(({ name }) => name) });
  const ended = new AbortController();
  const stop = () => ended.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  const played: (Step & { notDone?: string })[] = [];
  try {
    await play(steps, forMs, ended.signal, async (step) => {
      const notDone = await ask({ do: "begin", fault: step.fault, forMs: step.forMs }).then(() => undefined, messageOf);
      played.push({ ...step, ...(notDone !== undefined && { notDone }) });
      progressLine(
        `${(step.atMs / 1000).toFixed(1).padStart(6)} s  ${lineOf(step)}${notDone ? ` (not done: ${notDone})` : ""}`,
      );
    });
  } finally {
    await ask({ do: "heal" }).catch((error) => progressLine(messageOf(error)));
  }
  const again = `npx mesh fault schedule --seed ${seed} --for ${forMs / 1000}s --every ${every / 1000}s --only ${kinds.join(",")}`;
  if (json) printJson({ seed, kinds, forMs, everyMs: every, steps: played, again });
  else
    process.stdout.write(
      `Seed ${seed}: ${played.length} faults, all ended. The same again, with the same instances: ${again}\n`,
    );
}

/** Each step at its time; returns early when it is ended. */
async function play(
  steps: readonly Step[],
  forMs: number,
  ended: AbortSignal,
  act: (step: Step) => Promise<void>,
): Promise<void> {
  const begin = performance.now();
  const until = (ms: number) =>
    sleep(Math.max(0, begin + ms - performance.now()), undefined, { signal: ended }).catch(() => {});
  for (const step of steps) {
    await until(step.atMs);
    if (ended.aborted) return;
    await act(step);
  }
  await until(forMs);
}

function lineOf({ fault, forMs }: Step): string {
  return `${describeFault(fault)}${forMs === undefined ? "" : `, for ${span(forMs)}`}`;
}
