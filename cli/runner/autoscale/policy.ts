import type { ProcessName } from "../../topology.ts";

/** One limit on how fast replicas change: by so many, or by so many percent, in a span of time. */
export interface Rule {
  type: "Pods" | "Percent";
  value: number;
  periodMs: number;
}

export interface Direction {
  /** A change waits until everything that was asked for within this time agrees. */
  windowMs: number;
  /** Which of the rules holds: the one that allows the most, or the least; Disabled: never in this direction. */
  select: "Max" | "Min" | "Disabled";
  rules: readonly Rule[];
}

export interface ResourceMetric {
  kind: "cpu" | "memory";
  /** Percent of what the containers ask for. */
  target: number;
  /** What one container asks for: cores, or bytes. */
  request: number;
}

export interface LagMetric {
  kind: "lag";
  group: string;
  topic: string;
  /** Events that one replica may have before it. */
  threshold: number;
  /** Never more replicas than partitions that have lag. */
  limitToPartitionsWithLag: boolean;
  /** A partition whose committed offset stands still does not count. */
  excludePersistentLag: boolean;
}

export type Metric = ResourceMetric | LagMetric;

/** When a process gets more or fewer replicas: what one HorizontalPodAutoscaler or ScaledObject says. */
export interface Policy {
  process: ProcessName;
  kind: "HorizontalPodAutoscaler" | "ScaledObject";
  /** Where it stands. */
  file: string;
  min: number;
  max: number;
  /** How often it is looked at. */
  everyMs: number;
  metrics: readonly Metric[];
  up: Direction;
  down: Direction;
}
