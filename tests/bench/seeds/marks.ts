import type { Memory } from "../memory.ts";

/** One number that the mesh is held to, and what this machine gave. */
export interface Mark {
  /** Id of the row that asks for it. */
  row: string;
  what: string;
  goal: string;
  here: string;
  isMet: boolean;
}

/** What became of calls that were offered at a rate. */
export interface Offered {
  /** Connected, each by a connection of their own. */
  users: number;
  /** Calls offered a second. */
  rate: number;
  /** Right answers a second. */
  answered: number;
  /** Share of calls that had no right answer. */
  errors: number;
  /** Milliseconds from when a call was due; of right answers. */
  mean: number;
  p95: number;
  p99: number;
}

/** What the mesh took while it answered. */
export interface Taken {
  processes: readonly Memory[];
  /** Connections to PostgreSQL, by the name of the process that holds them. */
  connections: ReadonlyMap<string, number>;
  /** Right answers a second, and CPU seconds for 1,000 of them, when it was kept full. */
  full: { rate: number; cpu: number };
}

export interface Measured {
  /** One instance of each service, 500 calls a second by 1,000 users. */
  one: Offered & Taken;
  /** Three of each, 1,500 calls a second by 10,000 users. */
  three: Offered & Taken;
  /** The same three, 5,000 calls a second. */
  most: Offered & Pick<Taken, "processes" | "connections">;
  /** Reads a second of one client of Redis. */
  redisReads: number;
}

const mebibyte = 2 ** 20;
/** What one service may hold of its database. */
const connectionsOfService = 100;

/** Every number of the rows, with what it came to here. */
export function marksOf({ one, three, most, redisReads }: Measured): Mark[] {
  return [
    ...marksOfRow("001.21", [atLeast("users", 1000, one.users), ...speed(one, { rate: 500, mean: 50, p99: 200 })]),
    ...marksOfRow("001.22", [atLeast("users", 10_000, three.users), ...speed(three, { rate: 1500 })]),
    ...marksOfRow("002.17", [
      ...speed(one, { rate: 500, mean: 100 }),
      atMost("memory of the largest process, MiB", 100, largest(one.processes)),
      atMost("connections of a process to its database", 5, Math.max(...one.connections.values())),
    ]),
    ...marksOfRow("002.18", [
      atMost("CPU of a call with three instances, times that with one", 1.1, three.full.cpu / one.full.cpu),
      atLeast("instances that the connections of a service are enough for", 10, instancesWithin(three.connections)),
      atLeast("reads a second of Redis", 10_000, redisReads),
    ]),
    ...marksOfRow("004.01", [
      atLeast("users", 10_000, most.users),
      ...speed(most, { rate: 5000, p95: 200 }),
      below("calls that failed, %", 0.1, most.errors * 100),
    ]),
    ...marksOfRow("004.22", [
      atLeast("users", 10_000, three.users),
      ...speed(three, { mean: 200 }),
      atMost("memory of the largest process, MiB", 512, largest(three.processes)),
      atMost("connections of a service to its database", connectionsOfService, ofOneService(three.connections)),
    ]),
  ];
}

type Judged = Omit<Mark, "row">;

function marksOfRow(row: string, judged: readonly Judged[]): Mark[] {
  return judged.map((mark) => ({ row, ...mark }));
}

function speed(offered: Offered, goals: { rate?: number; mean?: number; p95?: number; p99?: number }): Judged[] {
  const { rate, ...times } = goals;
  const waits = Object.entries(times) as ["mean" | "p95" | "p99", number][];
  return [
    ...(rate === undefined ? [] : [atLeast("right answers a second", rate, offered.answered)]),
    ...waits.map(([kind, most]) => below(`${kind} of an answer, ms`, most, offered[kind])),
  ];
}

function atLeast(what: string, goal: number, here: number): Judged {
  return { what, goal: `≥ ${goal}`, here: inShort(here), isMet: here >= goal };
}

function atMost(what: string, goal: number, here: number): Judged {
  return { what, goal: `≤ ${goal}`, here: inShort(here), isMet: here <= goal };
}

function below(what: string, goal: number, here: number): Judged {
  return { what, goal: `< ${goal}`, here: inShort(here), isMet: here < goal };
}

function largest(processes: readonly Memory[]): number {
  return Math.max(...processes.map(({ resident }) => resident)) / mebibyte;
}

/** How many such instances as there are the connections of one service would be enough for. */
function instancesWithin(connections: ReadonlyMap<string, number>): number {
  return Math.floor(connectionsOfService / Math.max(...connections.values()));
}

function ofOneService(connections: ReadonlyMap<string, number>): number {
  const services = Map.groupBy(connections, ([name]) => name.replace(/-\d+$/, ""));
  return Math.max(...services.values().map((instances) => instances.reduce((sum, [, count]) => sum + count, 0)));
}

function inShort(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Math.round(value * 100) / 100);
}
