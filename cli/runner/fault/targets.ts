import { type ProcessName, partTitles, processes, type UnitName } from "../../topology.ts";
import { UserError } from "../../user-error.ts";
import type { Instance } from "../instance.ts";
import { unitOf } from "../status.ts";
import type { Supervisor } from "../supervisor.ts";

/** The instances that a name means: one (task-1), all of a unit (task, consumers), or a part (redis). */
export function targetsOf(supervisor: Supervisor, name: string): Instance[] {
  const { instances } = supervisor;
  const found = instances.filter((instance) => instance.name === name || unitOf(instance.name) === name);
  if (found.length > 0) return found;
  const known = [...new Set(instances.flatMap((instance) => [unitOf(instance.name), instance.name]))];
  const external = name in partTitles ? " that this mesh runs itself" : "";
  throw new UserError(`There is no "${name}"${external}: take one of ${known.join(", ")}`);
}

/** The ports of a unit that others connect to; these get a front. */
export function frontedPorts(unit: UnitName): readonly string[] {
  if (unit in partTitles) return partFronts[unit as keyof typeof partFronts];
  if (unit === "mail") return ["smtp"];
  return Object.keys(processes[unit as ProcessName].clusters);
}

const partFronts = {
  postgres: ["sql"],
  "postgres-replica": ["sql"],
  redis: ["redis"],
  kafka: ["broker"],
  envoy: ["mesh"],
  jaeger: ["otlp-http", "otlp-grpc"],
  prometheus: [],
} as const;
