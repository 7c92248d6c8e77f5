/** What moves on a way through the mesh. Rates are per second, times in seconds. */
export interface Flow {
  rate: number;
  /** Answers that were faults of ours, or effects that failed. */
  errors: number;
  /** Answers that said no for good reason: not found, not allowed, malformed. */
  refused: number;
  /** Undefined where nothing moved, or where nobody measures how long it takes. */
  p50?: number;
  p95?: number;
  p99?: number;
}

export type NodeKind = "clients" | "edge" | "gateway" | "mesh" | "service" | "part" | "group" | "outside";

/** A place of the mesh that something goes to or comes from. */
export interface Place {
  id: string;
  title: string;
  kind: NodeKind;
  /** How many there are, and how many of these are ready; undefined where that is not known. */
  instances?: number;
  ready?: number;
}

export interface Edge extends Flow {
  from: string;
  to: string;
  /** What is counted: "requests", "calls", "queries", "events", "mails", "limits". */
  unit: string;
}

/** One RPC as the services saw it. */
export interface Method extends Flow {
  method: string;
}

export interface InstanceRow {
  name: string;
  /** The process or part that it is one of. */
  unit: string;
  status: string;
  /** Why it ended last, if it did. */
  fault?: string;
  restarts?: number;
  startedAt?: string;
  memoryBytes?: number;
  /** Share of one core. */
  cpu?: number;
  /** 99th percentile of the event loop's delay, in seconds. */
  loopDelay?: number;
  /** Calls, requests and events that it handled; undefined for parts. */
  rate?: number;
  errors?: number;
  /** How many partitions it owns. */
  partitions?: number;
  /** How many streams and sockets are open at it. */
  streams?: number;
}

export interface PartitionRow {
  partition: number;
  /** Undefined while nobody owns it, as in a rebalance. */
  instance?: string;
  lag: number;
  end: number;
}

export interface TopicRow {
  topic: string;
  lag: number;
  partitions: PartitionRow[];
}

export interface GroupRow {
  group: string;
  lag: number;
  /** Events handled per second. */
  rate: number;
  errors: number;
  /** Events that it gave up and that were not sent back. */
  deadLetters: number;
  /** Who owns partitions of it, in order. */
  members: string[];
  /** Topics that nothing has been written to and nobody is behind in are left out. */
  topics: TopicRow[];
}

/** Work that one instance does for all. */
export interface LeaderRow {
  /** "outbox of task", "reminders". */
  work: string;
  /** The instance that does it. */
  leader?: string;
  /** How long the oldest waits: an event that is not sent, a reminder that is due. */
  ageSeconds: number;
  rate: number;
}

/** The running mesh at one moment. */
export interface Picture {
  time: string;
  /** Over how many milliseconds the rates were taken; 0 while there is only one reading. */
  spanMs: number;
  places: Place[];
  edges: Edge[];
  methods: Method[];
  instances: InstanceRow[];
  groups: GroupRow[];
  leaders: LeaderRow[];
  /** Calls refused by each rate limit, per second and since the gateways started. */
  limits: { limit: string; rate: number; total: number }[];
  /** What did not answer: one line each. */
  faults: string[];
}
