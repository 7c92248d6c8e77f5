import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { findHome, repositoryRoot } from "../../cli/runner/home.ts";
import { connections, type Outcome } from "./load.ts";
import type { Machine } from "./machine.ts";
import type { Finding, Measure } from "./measure.ts";
import { progress } from "./progress.ts";
import type { Round } from "./ratio.ts";

/** A line while the rounds go on. */
export function reportRound({ id, ours, peer }: Measure, rounds: number, round: number, result: Round): void {
  const which = round === 0 ? "warm-up" : `round ${round} of ${rounds}`;
  const rates = `${ours} ${result.ours.rate.toFixed(0)}/s, ${peer} ${result.peer.rate.toFixed(0)}/s`;
  progress(`${id} ${which}: ${rates}, ratio ${result.ratio.toFixed(3)}`);
}

export function printHeading(machine: Machine, date: Date, quick: boolean): void {
  const { cores, model, memoryGiB, system, node, parts, commit, load } = machine;
  const versions = Object.entries(parts).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `Taskmesh bench, ${date.toISOString()}, commit ${commit}`,
    `${cores} cores (${model}), ${memoryGiB} GiB, ${system}; Node ${node}, ${versions.join(", ")}`,
    `${connections} connections, closed loop; the load generator is on the same cores, so read the ratios`,
    ...(load > 0.5 ? [`Load of the machine when this began: ${load}. Other work takes a share of the cores.`] : []),
    ...(quick ? ["Quick: one short round, to try it out. Not a measurement."] : []),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

export function printFinding(measure: Measure, { ratio, notes }: Finding): void {
  const width = Math.max(measure.ours.length, measure.peer.length);
  const [low, high] = ratio.spread.map((value) => value.toFixed(3));
  const lines = [
    "",
    `${measure.id}  ${measure.title}`,
    `    ${row(measure.ours, width, ratio.ours)}`,
    `    ${row(measure.peer, width, ratio.peer)}`,
    `    ratio ${ratio.median.toFixed(3)} (median of ${ratio.rounds.length}; quartiles ${low} to ${high}), goal ${measure.goal}`,
    ...notes.map((note) => `    · ${note}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

export function printSkipped(measure: Measure, reason: string): void {
  process.stdout.write(`\n${measure.id}  ${measure.title}\n    not measured: ${reason}\n`);
}

/** Writes everything that was measured to .mesh/bench/ and answers with the file's name. */
export function writeRaw(date: Date, results: Record<string, unknown>): string {
  const folder = join(findHome(join(repositoryRoot, ".mesh")).folder, "bench");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${date.toISOString().replaceAll(":", "-")}.json`);
  writeFileSync(file, `${JSON.stringify({ date: date.toISOString(), ...results }, undefined, 2)}\n`);
  return relative(process.cwd(), file);
}

function row(name: string, width: number, { rate, p50, p99 }: Outcome): string {
  return `${name.padEnd(width)}  ${rate.toFixed(0).padStart(6)}/s   p50 ${p50} ms   p99 ${p99} ms`;
}
