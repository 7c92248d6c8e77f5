import { setTimeout as sleep } from "node:timers/promises";
import { type LagReader, openLagReader } from "#kit/events/lag.ts";
import { messageOf } from "../../user-error.ts";
import { capacityFor } from "../capacity.ts";
import type { RunningMesh } from "../running-mesh.ts";
import { changeTo } from "../scaling.ts";
import type { Policy } from "./policy.ts";
import { type Decision, ProcessScaler } from "./process-scaler.ts";

export interface AutoscaleStatus {
  on: boolean;
  /** The file or folder that is followed. */
  path?: string;
  processes: {
    process: string;
    kind: Policy["kind"];
    file: string;
    min: number;
    max: number;
    replicas: number;
    latest?: Decision;
    /** Why the last look came to nothing. */
    fault?: string;
  }[];
  /** Changes, the newest last. */
  changes: Decision[];
}

const keptChanges = 100;

/** Follows what a cluster's files say about the number of replicas, with the processes of this mesh. */
export class Autoscaler {
  readonly #mesh: RunningMesh;
  readonly #path: string;
  readonly #scalers: readonly ProcessScaler[];
  readonly #lag: LagReader;
  readonly #stopped = new AbortController();
  readonly #latest = new Map<ProcessScaler, Decision>();
  readonly #faults = new Map<ProcessScaler, string>();
  readonly #changes: Decision[] = [];
  #running: Promise<unknown> = Promise.resolve();

  constructor(mesh: RunningMesh, path: string, policies: readonly Policy[]) {
    this.#mesh = mesh;
    this.#path = path;
    this.#lag = openLagReader({ brokers: mesh.plan.surroundings.kafka.split(","), clientId: "taskmesh-autoscale" });
    const sources = {
      instancesOf: (name: Policy["process"]) => mesh.supervisor.instancesOf(name),
      lag: (groups: readonly string[]) => this.#lag.read(groups),
      room: () => capacityFor(mesh.supervisor.instances).more,
      now: () => performance.now(),
    };
    this.#scalers = policies.map((policy) => new ProcessScaler(policy, sources));
  }

  start(): void {
    const signal = AbortSignal.any([this.#mesh.signal, this.#stopped.signal]);
    this.#running = Promise.all(this.#scalers.map((scaler) => this.#follow(scaler, signal))).finally(() =>
      this.#lag.close(),
    );
  }

  /** Resolves when nothing is under way any more. What runs stays as it is. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /** Decides once for every process and changes nothing. The CPU is looked at twice, so this takes a moment. */
  async preview(betweenMs = 1000): Promise<Decision[]> {
    const look = () => Promise.all(this.#scalers.map((scaler) => scaler.decide()));
    try {
      await look();
      await sleep(betweenMs);
      return await look();
    } finally {
      await this.#lag.close();
    }
  }

  get status(): AutoscaleStatus {
    return {
      on: true,
      path: this.#path,
      processes: this.#scalers.map((scaler) => {
        const { process, kind, file, min, max } = scaler.policy;
        const replicas = this.#mesh.supervisor.instancesOf(process).length;
        const [latest, fault] = [this.#latest.get(scaler), this.#faults.get(scaler)];
        return { process, kind, file, min, max, replicas, ...(latest && { latest }), ...(fault && { fault }) };
      }),
      changes: [...this.#changes],
    };
  }

  async #follow(scaler: ProcessScaler, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#mesh.inTurn(async () => signal.aborted || this.#act(scaler));
        this.#faults.delete(scaler);
      } catch (error) {
        this.#blame(scaler, messageOf(error));
      }
      await sleep(scaler.policy.everyMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Decides within the turn, so that it is about what runs now, and carries it out. */
  async #act(scaler: ProcessScaler): Promise<void> {
    const decision = await scaler.decide();
    const { process, from, to } = decision;
    this.#tell(scaler, decision);
    let reached = from;
    try {
      if (from !== to) await changeTo(this.#mesh, { name: process, count: to }, () => {});
    } finally {
      reached = this.#mesh.supervisor.instancesOf(process).length;
      scaler.done(decision, reached - from);
    }
    if (from !== to) await this.#mesh.settle();
  }

  /** One line for each change, and for each new reason why there is none though a metric asks for it. */
  #tell(scaler: ProcessScaler, decision: Decision): void {
    const { process, from, to, wished, reason } = decision;
    const before = this.#latest.get(scaler);
    this.#latest.set(scaler, decision);
    if (from !== to) {
      this.#changes.push(decision);
      if (this.#changes.length > keptChanges) this.#changes.shift();
      this.#mesh.say(`autoscale: ${process} ${from} → ${to}: ${reason}`);
    } else if (wished !== from && !(before?.to === to && before.wished === wished)) {
      this.#mesh.say(`autoscale: ${process} stays ${from}: ${reason}`);
    }
  }

  #blame(scaler: ProcessScaler, fault: string): void {
    if (this.#faults.get(scaler) === fault) return;
    this.#faults.set(scaler, fault);
    if (!this.#mesh.signal.aborted) this.#mesh.say(`autoscale: ${scaler.policy.process} is left alone: ${fault}`);
  }
}
