import { join } from "node:path";
import { type ProcessName, processes } from "../topology.ts";
import { environmentOf, type Surroundings } from "./environment.ts";
import { type Home, repositoryRoot } from "./home.ts";
import type { ProcessSpec } from "./process-spec.ts";
import { httpAnswers } from "./wire-probe.ts";

/** How to run one instance of a process of ours. */
export function specOf(
  name: ProcessName,
  instance: string,
  ports: Readonly<Record<string, number>>,
  { home, surroundings }: { home: Home; surroundings: Surroundings },
): ProcessSpec {
  const row = processes[name];
  const telemetry = row.member ? ["--import", "./observability/register.ts"] : [];
  const page = row.member ? `http://127.0.0.1:${ports.admin}/ready` : `http://127.0.0.1:${ports.web}/health`;
  return {
    name: instance,
    command: process.execPath,
    args: [`--max-old-space-size=${row.heapMiB}`, ...telemetry, row.entry],
    env: environmentOf(name, instance, ports, surroundings),
    cwd: repositoryRoot,
    logFile: join(home.logs, `${instance}.log`),
    stopSignal: "SIGTERM",
    stopGrace: 15_000,
    startTimeout: 60_000,
    probe: () => httpAnswers(page),
  };
}
