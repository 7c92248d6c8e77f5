import type { ProcessName } from "../../topology.ts";
import { messageOf, UserError } from "../../user-error.ts";
import type { RunningMesh } from "../running-mesh.ts";
import { blueGreen } from "./blue-green.ts";
import type { Budget } from "./budget.ts";
import { canary } from "./canary.ts";
import { isProcess, type Releasable, releasable } from "./releasable.ts";
import type { Release } from "./release.ts";
import { rolling } from "./rolling.ts";
import { type Version, type VersionRequest, versionOf } from "./version.ts";

/** What the operator asks for. Times in milliseconds, steps in percent, the rate of errors from 0 to 1. */
export type ReleaseAsk =
  | ({ kind: "rolling"; services: readonly string[] } & VersionRequest)
  | ({ kind: "blue-green"; service: string; holdMs?: number } & VersionRequest)
  | ({ kind: "canary"; service: string; steps?: readonly number[]; budget?: Partial<Budget> } & VersionRequest)
  | { kind: "status" }
  | { kind: "abort" };

export type ReleaseRequest = { command: "release"; ask: ReleaseAsk };

export interface ReleaseState {
  kind: "rolling" | "blue-green" | "canary";
  services: readonly Releasable[];
  status: "under way" | "done" | "rolled back" | "stopped";
  /** Why it did not end well. */
  fault?: string;
  startedAt: string;
  endedAt?: string;
  /** What it said so far, the last line last. */
  lines: string[];
}

type Ask = Exclude<ReleaseAsk, { kind: "status" } | { kind: "abort" }>;

/** The releases of one mesh: the one that is under way, or what came of the last; gone with the runner. */
export class Releases {
  /** What was released last, by process; new instances are of it. */
  readonly versions = new Map<ProcessName, Version>();
  #state: ReleaseState | undefined;
  #abort = new AbortController();
  #over: Promise<unknown> = Promise.resolve();

  get state(): ReleaseState | undefined {
    return this.#state;
  }

  /** Ends the release that is under way; resolves once the former version is back. */
  async abort(): Promise<ReleaseState> {
    const state = this.#state;
    if (state?.status !== "under way") throw new UserError("No release is under way");
    this.#abort.abort(new UserError("it was aborted"));
    await this.#over.catch(() => {});
    return state;
  }

  /** Runs a release to its end; throws one line when it did not come to a good one. */
  async run(mesh: RunningMesh, ask: Ask, progress: (line: string) => void): Promise<ReleaseState> {
    const services = servicesOf(ask);
    const version = versionOf(ask, services.filter(isProcess));
    const title = `A ${ask.kind} release of ${services.join(", ")}`;
    const over = mesh.inTurn(async () => {
      const state: ReleaseState = {
        kind: ask.kind,
        services,
        status: "under way",
        startedAt: new Date().toISOString(),
        lines: [],
      };
      this.#state = state;
      this.#abort = new AbortController();
      const say = (line: string) => {
        state.lines.push(line);
        mesh.say(`release: ${line}`);
        progress(line);
      };
      const signal = AbortSignal.any([this.#abort.signal, mesh.signal]);
      await this.#perform({ mesh, services, version, signal, say, versions: this.versions }, ask, state);
      return state;
    }, title);
    this.#over = over;
    return over;
  }

  async #perform(release: Release, ask: Ask, state: ReleaseState): Promise<void> {
    try {
      if (ask.kind === "rolling") await rolling(release);
      else if (ask.kind === "blue-green") await blueGreen(release, ask.holdMs);
      else await canary(release, ask.steps, ask.budget);
      state.status = "done";
    } catch (error) {
      state.fault = messageOf(error);
      state.status = release.mesh.signal.aborted ? "stopped" : "rolled back";
      throw new UserError(`The release was ${state.status}: ${state.fault}`);
    } finally {
      state.endedAt = new Date().toISOString();
    }
  }
}

function servicesOf(ask: Ask): Releasable[] {
  const wished = ask.kind === "rolling" ? ask.services : [ask.service];
  const unknown = wished.find((name) => !releasable.includes(name as Releasable));
  if (unknown !== undefined) {
    throw new UserError(`There is no service "${unknown}" to release: take one of ${releasable.join(", ")}`);
  }
  if (ask.kind !== "rolling" && wished.includes("envoy")) {
    throw new UserError("There is one Envoy at a time: release it with `npx mesh release rolling envoy`");
  }
  return releasable.filter((name) => wished.length === 0 || wished.includes(name));
}

/** What the runner does when it is asked for a release, or about one. */
export async function release(
  mesh: RunningMesh,
  { ask }: ReleaseRequest,
  progress: (line: string) => void,
): Promise<ReleaseState | undefined> {
  if (ask.kind === "status") return mesh.releases.state;
  if (ask.kind === "abort") return mesh.releases.abort();
  return mesh.releases.run(mesh, ask, progress);
}
