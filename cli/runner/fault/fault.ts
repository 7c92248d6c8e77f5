import type { Toxics } from "./toxics.ts";

/** What can be done to a running mesh. */
export type Fault =
  /** SIGKILL; with a time it is not started again before that is over. */
  | { kind: "kill"; target: string }
  /** SIGSTOP, and SIGCONT when it is healed: worse than dead. */
  | { kind: "pause"; target: string }
  /** Its connections are late, narrow, reset or closed late. */
  | { kind: "slow"; target: string; toxics: Omit<Toxics, "cut"> }
  /** Nobody gets a connection to it, or nothing through one. */
  | { kind: "cut"; target: string; how: NonNullable<Toxics["cut"]> }
  /** Envoy aborts or delays a share of the calls of one RPC. */
  | { kind: "rpc"; target: string; grpcStatus?: number; percent: number; delayMs?: number }
  /** A consumer group fails a share of its events, or is late with them. */
  | { kind: "consumer"; target: string; failShare?: number; delayMs?: number };

export type FaultKind = Fault["kind"];

/** What the runner can be asked about faults. `forMs`: after how long it heals by itself. */
export type FaultRequest = { do: "begin"; fault: Fault; forMs?: number } | { do: "list" } | { do: "heal"; id?: number };

/** A fault that is there now. */
export interface ActiveFault {
  id: number;
  fault: Fault;
  /** What it does, for a person. */
  text: string;
  /** ISO 8601. */
  since: string;
  endsInMs: number;
}

export interface FaultList {
  /** Whether the mesh was started for faults that need a front, Envoy's filter or the consumers' file. */
  enabled: boolean;
  active: ActiveFault[];
}

/** No fault lasts longer, whatever becomes of whoever brought it. */
export const longestMs = 600_000;
export const usualMs = 10_000;
