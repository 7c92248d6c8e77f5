import type { GroupLag } from "../lag/read-lag.ts";

/** One running program, as whoever runs it knows it. */
export interface SourceInstance {
  name: string;
  unit: string;
  status: string;
  fault?: string | undefined;
  restarts?: number | undefined;
  startedAt?: string | undefined;
  memoryBytes?: number | undefined;
  /** Seconds of CPU since its start. */
  cpuSeconds?: number | undefined;
  /** Its page of metrics; parts have none. */
  metricsUrl?: string;
}

/** Where a picture comes from: a mesh on this machine, or containers. */
export interface Source {
  instances(): Promise<SourceInstance[]>;
  /** Envoy's admin page; undefined where it cannot be reached. */
  readonly envoyUrl: string | undefined;
  /** host:port of each broker. */
  readonly brokers: string[];
}

export interface LagSource {
  /** Rejects when the broker does not answer. */
  read(): Promise<GroupLag[]>;
  close(): Promise<void>;
}
