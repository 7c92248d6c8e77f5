import { join } from "node:path";
import { nodeArguments, type ProcessName, processes } from "../topology.ts";
import { environmentOf, type Surroundings } from "./environment.ts";
import type { Home } from "./home.ts";
import type { ProcessSpec } from "./process-spec.ts";
import { presentVersion, type Version } from "./release/version.ts";
import { httpAnswers } from "./wire-probe.ts";

/** How to run one instance of a process of ours. */
export function specOf(
  name: ProcessName,
  instance: string,
  ports: Readonly<Record<string, number>>,
  {
    home,
    surroundings,
    version = presentVersion,
  }: { home: Home; surroundings: Surroundings; version?: Version | undefined },
): ProcessSpec {
  const row = processes[name];
  const page = row.member ? `http://127.0.0.1:${ports.admin}/ready` : `http://127.0.0.1:${ports.web}/health`;
  return {
    name: instance,
    command: version.node,
    args: nodeArguments(row),
    env: {
      ...environmentOf(name, instance, ports, surroundings),
      ...(row.member && { LOG_ERROR_FILE: join(home.logs, `${instance}.error.log`) }),
      ...version.env,
    },
    cwd: version.folder,
    ...(row.background && { background: true }),
    logFile: join(home.logs, `${instance}.log`),
    stopSignal: "SIGTERM",
    // Notice, draining and closing at their longest; a process without calls under way is gone in a second.
    stopGrace: 25_000,
    startTimeout: 60_000,
    beforeStart: () => surroundings.compiled,
    probe: () => httpAnswers(page),
  };
}
