import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { findHome, repositoryRoot } from "../../cli/runner/home.ts";
import type { Outcome } from "./load.ts";
import type { Machine } from "./machine.ts";
import type { Figure, Finding, Goal, Measure } from "./measure.ts";
import { progress } from "./progress.ts";
import type { Ratio, Round } from "./ratio.ts";
import type { Mark } from "./seeds/marks.ts";

/** A line while the rounds go on. */
export function reportRound<O extends Outcome>(
  { id, ours, peer }: Measure,
  rounds: number,
  round: number,
  { tell = inRate, ...result }: Round<O> & { tell?: (outcome: O) => string },
): void {
  const which = round === 0 ? "warm-up" : `round ${round} of ${rounds}`;
  const sides = `${ours} ${tell(result.ours)}, ${peer} ${tell(result.peer)}`;
  const ratio = Number.isNaN(result.ratio) ? "" : `, ratio ${result.ratio.toFixed(3)}`;
  progress(`${id} ${which}: ${sides}${ratio}`);
}

/** What the closed loops compare: right answers a second. */
export function rateFigure(ratio: Ratio, goal: Goal): Figure {
  const tell = ({ rate, p50, p99 }: Outcome) =>
    `${rate.toFixed(0).padStart(6)}/s   p50 ${inMs(p50)} ms   p99 ${inMs(p99)} ms`;
  return figureOf("rate", ratio, { ours: tell(ratio.ours), peer: tell(ratio.peer), goal });
}

export function figureOf(name: string, ratio: Ratio, rest: Pick<Figure, "ours" | "peer" | "goal">): Figure {
  const { median, spread, rounds } = ratio;
  return { name, median, spread, ratios: rounds.map((round) => round.ratio), ...rest };
}

export function printHeading(machine: Machine, date: Date, quick: boolean): void {
  const { cores, model, memoryGiB, system, node, parts, commit, load } = machine;
  const versions = Object.entries(parts).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `Taskmesh bench, ${date.toISOString()}, commit ${commit}`,
    `${cores} cores (${model}), ${memoryGiB} GiB, ${system}; Node ${node}, ${versions.join(", ")}`,
    "The load generator is on the same cores, so read the ratios.",
    ...(load > 0.5 ? [`Load of the machine when this began: ${load}. Other work takes a share of the cores.`] : []),
    ...(quick ? ["Quick: one short round, to try it out. Not a measurement."] : []),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

export function printFinding(measure: Measure, { figures, marks = [], notes }: Finding): void {
  const lines = [
    "",
    `${measure.id}  ${measure.title}`,
    ...figures.flatMap((figure) => [...linesOf(measure, figure)].map((line) => `    ${line}`)),
    ...marks.map((mark) => `    ${lineOf(mark)}`),
    ...notes.map((note) => `    · ${note}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function lineOf({ row, what, goal, here, isMet }: Mark): string {
  return `${row}  ${what.padEnd(56)} ${goal.padEnd(8)} ${here.padStart(8)}  ${isMet ? "met" : "missed"}`;
}

function linesOf({ ours, peer }: Measure, { name, median, spread, ratios, goal, ...sides }: Figure): string[] {
  const width = Math.max(ours.length, peer.length);
  const [low, high] = spread.map((value) => value.toFixed(3));
  const wished = "atLeast" in goal ? `at least ${goal.atLeast}` : `at most ${goal.atMost}`;
  return [
    `${ours.padEnd(width)}  ${sides.ours}`,
    `${peer.padEnd(width)}  ${sides.peer}`,
    `${name}: ratio ${median.toFixed(3)} (median of ${ratios.length}; quartiles ${low} to ${high}), goal ${wished}`,
  ];
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

function inRate({ rate }: Outcome): string {
  return `${rate.toFixed(0)}/s`;
}

function inMs(value: number): string {
  return String(Math.round(value * 10) / 10);
}
