import { parseMetrics, type Sample } from "../../../cli/metrics/parse.ts";
import { total, type Where } from "../../../cli/metrics/rates.ts";
import { askMesh, type ControlRequest } from "../../../cli/runner/control.ts";
import type { ActiveFault, Fault, FaultRequest } from "../../../cli/runner/fault/fault.ts";
import { findHome } from "../../../cli/runner/home.ts";
import { type MeshOptions, TestMesh } from "../../_util/mesh.ts";
import { Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import { Load } from "./load.ts";

/** What a scenario found: the figures to look at, and whatever is not as promised. */
export interface Finding {
  figures: Record<string, string | number>;
  violations: string[];
}

/** How big a scenario is: the same code runs for seconds in a test and for a minute by `npm run chaos`. */
export interface Size {
  /** How long each fault lasts. */
  seconds: number;
  rps: number;
  /** How long to wait for what must come after it, in milliseconds. */
  patienceMs?: number;
}

/** A mesh that was started for faults, and what scenarios ask of it. */
export class Stage {
  readonly mesh: TestMesh;
  readonly home: string;
  readonly #loads: Load[] = [];

  private constructor(mesh: TestMesh) {
    this.mesh = mesh;
    this.home = mesh.environment.MESH_HOME as string;
  }

  static async open({ env, ...options }: MeshOptions = {}): Promise<Stage> {
    return new Stage(await TestMesh.start({ ...options, env: { MESH_FAULTS: "true", ...env } }));
  }

  /** Requests at a steady rate, which go well, until they are ended or the scenario is over. */
  async load(author: Person, options: { rps: number; assigneeIds?: readonly string[] }): Promise<Load> {
    const load = Load.begin(author, options);
    this.#loads.push(load);
    await load.settle();
    return load;
  }

  /** Ends all loads and all faults: the next scenario begins with a mesh that is well. */
  async quieten(): Promise<void> {
    await Promise.all(this.#loads.splice(0).map((load) => load.end()));
    await this.heal();
    for (const { name } of (await this.mesh.status()).instances) await this.untilReady(name);
  }

  /** Somebody new for each name; asked for again while the mesh is still finding its feet. */
  people<const T extends readonly string[]>(...names: T): Promise<{ -readonly [K in keyof T]: Person }> {
    const register = (name: string) => until(`${name} to be registered`, () => Person.register(this.mesh.edge, name));
    return Promise.all(names.map(register)) as Promise<{ -readonly [K in keyof T]: Person }>;
  }

  begin(fault: Fault, forMs?: number): Promise<ActiveFault> {
    return this.#ask<ActiveFault>({ do: "begin", fault, forMs });
  }

  heal(id?: number): Promise<void> {
    return this.#ask({ do: "heal", id });
  }

  /** The sum of a metric over all instances of a unit; an instance that does not answer counts nothing. */
  async metric(unit: string, name: string, where: Where = {}): Promise<number> {
    const { instances } = await this.mesh.status();
    const pages = await Promise.all(
      instances.filter((each) => each.name.startsWith(`${unit}-`)).map(({ ports }) => metricsAt(ports.admin as number)),
    );
    return pages.reduce((sum, samples) => sum + total(samples, name, where), 0);
  }

  /** How often each process of ours has ended by itself so far. */
  async restarts(except: readonly string[] = []): Promise<Record<string, number>> {
    const { instances } = await this.mesh.status();
    const kept = instances.filter(({ name }) => !except.some((unit) => name === unit || name.startsWith(`${unit}-`)));
    return Object.fromEntries(kept.map(({ name, restarts }) => [name, restarts]));
  }

  async untilReady(instance: string): Promise<void> {
    await until(
      `${instance} to be ready`,
      async () => (await this.mesh.status()).instances.find(({ name }) => name === instance)?.status === "ready",
      { timeoutMs: 60_000, everyMs: 50 },
    );
  }

  async close(): Promise<void> {
    await this.mesh.stop();
  }

  #ask<T>(request: FaultRequest): Promise<T> {
    const command: ControlRequest = { command: "fault", request };
    return askMesh<T>(findHome(this.home), command);
  }
}

async function metricsAt(port: number): Promise<Sample[]> {
  const page = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2000) })
    .then((response) => response.text())
    .catch(() => "");
  return parseMetrics(page);
}

/** The instances that have ended by themselves between two looks. */
export function endedBetween(before: Record<string, number>, after: Record<string, number>): string[] {
  return Object.keys(after).filter((name) => (after[name] ?? 0) > (before[name] ?? 0));
}
