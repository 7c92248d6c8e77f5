import type { GroupLag } from "#kit/events/lag.ts";
import type { ProcessName } from "../../topology.ts";
import type { Instance } from "../instance.ts";
import { byLag, byUtilization, highest, type Proposal } from "./desired.ts";
import { type LagMemory, seeLag } from "./lag-seen.ts";
import type { LagMetric, Policy } from "./policy.ts";
import { type Memory, noMemory, remember, steady } from "./steadiness.ts";
import { CpuMeter, memoryUsed } from "./usage.ts";

/** A partition whose event takes its whole time, or whose batch is slow, does move: only not at every look. */
const longestTryMs = 10_000;

/** One decision: what was, what is to be, and why. */
export interface Decision {
  /** ISO 8601. */
  at: string;
  process: ProcessName;
  from: number;
  to: number;
  /** What the metrics asked for, before bounds, windows and rules. */
  wished: number;
  reason: string;
  metrics: readonly Proposal[];
}

/** Where the numbers come from. */
export interface Sources {
  instancesOf(process: ProcessName): readonly Pick<Instance, "name" | "pid" | "status">[];
  lag(groups: readonly string[]): Promise<readonly GroupLag[]>;
  /** How many more processes the machine bears. */
  room(): number;
  now(): number;
}

/** Decides for one process, again and again; what it has seen and done before is its memory. */
export class ProcessScaler {
  readonly policy: Policy;
  readonly #sources: Sources;
  readonly #cpu = new CpuMeter();
  readonly #lags = new Map<LagMetric, LagMemory>();
  #memory: Memory = noMemory;

  constructor(policy: Policy, sources: Sources) {
    this.policy = policy;
    this.#sources = sources;
  }

  /** Looks and decides. What comes of it is told to `done`. */
  async decide(): Promise<Decision> {
    const { process } = this.policy;
    const instances = this.#sources.instancesOf(process);
    const from = instances.length;
    const metrics = await this.#proposals(instances);
    const asks = highest(metrics);
    const now = this.#sources.now();
    // A controller that has just been switched on knows nothing of the past: what runs was wished for.
    if (this.#memory.wishes.length === 0) this.#memory = { wishes: [{ at: now, replicas: from }], changes: [] };
    const step = steady(this.policy, this.#memory, { now, current: from, wished: asks.replicas });
    const most = from + this.#sources.room();
    const to = Math.min(step.replicas, Math.max(from, most));
    const held = to < step.replicas ? "the machine bears no more" : step.held;
    return {
      at: new Date().toISOString(),
      process,
      from,
      to,
      wished: asks.replicas,
      reason: [describe(asks), ...(held ? [`asks for ${asks.replicas}, ${held}`] : [])].join("; "),
      metrics,
    };
  }

  /** Remembers the decision, and by how much the number of replicas really changed. */
  done({ wished }: Decision, by: number): void {
    this.#memory = remember(this.policy, this.#memory, { now: this.#sources.now(), wished, by });
  }

  async #proposals(instances: readonly Pick<Instance, "name" | "pid" | "status">[]): Promise<Proposal[]> {
    const groups = this.policy.metrics.flatMap((metric) => (metric.kind === "lag" ? [metric.group] : []));
    const lags = groups.length > 0 ? await this.#sources.lag([...new Set(groups)]) : [];
    const times = { now: this.#sources.now(), patienceMs: Math.max(this.policy.everyMs, longestTryMs) };
    return Promise.all(
      this.policy.metrics.map(async (metric) => {
        if (metric.kind === "lag") {
          const { seen, memory } = seeLag(metric, lags, this.#lags.get(metric) ?? new Map(), times);
          this.#lags.set(metric, memory);
          return byLag(metric, seen, instances.length);
        }
        return byUtilization(metric, await (metric.kind === "cpu" ? this.#cpu.look(instances) : memoryUsed(instances)));
      }),
    );
  }
}

function describe({ metric, value, target, note }: Proposal): string {
  if (value === undefined) return `${metric}: ${note}`;
  const unit = metric === "cpu" || metric === "memory" ? " %" : "";
  const number = `${Math.round(value)}${unit} of ${target}${unit}`;
  return `${metric} ${number}${unit === "" ? " for each" : ""}${note ? ` (${note})` : ""}`;
}
