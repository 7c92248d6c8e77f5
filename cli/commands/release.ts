import { type Command, InvalidArgumentError } from "commander";
import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import type { Budget } from "../runner/release/budget.ts";
import { releasable } from "../runner/release/releasable.ts";
import type { ReleaseAsk, ReleaseState } from "../runner/release/releases.ts";
import { printJson, progressLine } from "./output.ts";
import { milliseconds, percent } from "./quantities.ts";

interface What {
  from?: string;
  env?: Record<string, string>;
  json?: boolean;
}

interface CanaryOptions extends What {
  steps?: number[];
  stepTime?: number;
  maxErrorRate?: number;
  maxP99?: number;
}

/** `mesh release …`: puts new instances in the place of those that run, without a call lost. */
export function addRelease(mesh: Command): void {
  const release = mesh.command("release").description("put a new version in the place of the one that runs");
  const add = (name: string, text: string) =>
    release.command(name).description(text).option("--json", "print JSON for programs");
  const addNew = (name: string, text: string) =>
    add(name, text)
      .option("--from <folder>", "another checkout to run, with its packages; this one unless given")
      .option("-e, --env <KEY=VALUE>", "a variable that the new instances get; may be repeated", variable);
  addNew("rolling [services...]", `one instance after the other: ${releasable.join(", ")}; all unless named`).action(
    (services: string[], what: What) => run({ kind: "rolling", services, ...versionOf(what) }, what),
  );
  addNew("blue-green <service>", "all new ones first, then the whole traffic at once")
    .option("--hold <time>", "how long it can be taken back", milliseconds)
    .action((service: string, what: What & { hold?: number }) =>
      run({ kind: "blue-green", service, holdMs: what.hold, ...versionOf(what) }, what),
    );
  addNew("canary <service>", "a small share of the calls first, more while all is well, else back")
    .option("--steps <percents>", "shares one after the other: 5,25,50,100", steps)
    .option("--step-time <time>", "how long each is watched at least: 10s", milliseconds)
    .option("--max-error-rate <percent>", "calls that may fail: 1%", percent)
    .option("--max-p99 <time>", "what 99 of 100 calls may take: 500ms", milliseconds)
    .action((service: string, what: CanaryOptions) =>
      run({ kind: "canary", service, steps: what.steps, budget: budgetOf(what), ...versionOf(what) }, what),
    );
  add("status", "the release that is under way, or the last one").action(async ({ json }: What) =>
    print(await askMesh<ReleaseState | null>(findHome(), { command: "release", ask: { kind: "status" } }), json),
  );
  add("abort", "end the release that is under way, and bring the former version back").action(
    async ({ json }: What) => {
      const state = await askMesh<ReleaseState>(findHome(), { command: "release", ask: { kind: "abort" } });
      if (json) printJson(state);
      else progressLine(`The ${state.kind} release of ${state.services.join(", ")} was ${state.status}`);
    },
  );
}

async function run(ask: ReleaseAsk, { json }: What): Promise<void> {
  const state = await askMesh<ReleaseState>(findHome(), { command: "release", ask }, progressLine);
  if (json) printJson(state);
  else progressLine(`The ${state.kind} release of ${state.services.join(", ")} is ${state.status}`);
}

function print(state: ReleaseState | null, json?: boolean): void {
  if (json) printJson(state);
  else if (state === null) process.stdout.write("Nothing was released since the start\n");
  else {
    const head = `${state.kind} ${state.services.join(", ")}: ${state.status}${state.fault ? ` (${state.fault})` : ""}`;
    process.stdout.write(`${[head, ...state.lines.map((line) => `  ${line}`)].join("\n")}\n`);
  }
}

function versionOf({ from, env }: What): { from?: string; env?: Record<string, string> } {
  return { ...(from && { from }), ...(env && { env }) };
}

function budgetOf({ stepTime, maxErrorRate, maxP99 }: CanaryOptions): Partial<Budget> {
  return {
    ...(stepTime !== undefined && { stepMs: stepTime }),
    ...(maxErrorRate !== undefined && { maxErrorRate }),
    ...(maxP99 !== undefined && { maxP99Ms: maxP99 }),
  };
}

function variable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Write it as KEY=VALUE.");
  return { ...before, [name]: value };
}

/** Rising shares of 1 to 100; the last one is 100. */
function steps(text: string): number[] {
  const shares = text.split(",").map((part) => (/^\d{1,3}%?$/.test(part.trim()) ? Number.parseInt(part, 10) : 0));
  const rising = shares.every((share, index) => share > (shares[index - 1] ?? 0));
  if (!rising || shares.at(-1) !== 100) {
    throw new InvalidArgumentError("Write rising shares that end with 100: 5,25,50,100.");
  }
  return shares;
}
