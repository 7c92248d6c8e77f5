import { renderFamilies } from "#observability/exposition.ts";
import { parseMetrics } from "../metrics/parse.ts";
import { total } from "../metrics/rates.ts";
import { processFamilies } from "../parts-metrics/machine.ts";
import type { RunningMesh } from "../runner/running-mesh.ts";
import type { InstanceState } from "../runner/state.ts";
import { unitOf } from "../runner/status.ts";
import type { Source, SourceInstance } from "./source.ts";

/** The mesh that this process runs. */
export function runnerSource(mesh: RunningMesh): Source {
  const { settings, plan } = mesh;
  return {
    envoyUrl: `http://127.0.0.1:${settings.publicPorts.envoyAdmin}`,
    brokers: plan.surroundings.kafka.split(","),
    instances: async () => {
      const { instances } = await mesh.status();
      // A program without a page of metrics is looked at from outside, its children with it.
      const usage = parseMetrics(renderFamilies(await processFamilies(instances.filter(isPart)), "text"));
      return instances.map((state) => {
        const own = { groupname: state.name };
        const bytes = total(usage, "namedprocess_namegroup_memory_bytes", own);
        const cpuSeconds = total(usage, "namedprocess_namegroup_cpu_seconds_total", own);
        return describe(state, bytes > 0 ? { memoryBytes: bytes, cpuSeconds } : {});
      });
    },
  };
}

function isPart({ ports }: InstanceState): boolean {
  return ports.admin === undefined;
}

function describe(state: InstanceState, usage: Partial<SourceInstance>): SourceInstance {
  const { name, status, restarts, startedAt, residentBytes, ports, lastFault } = state;
  return {
    ...{ name, unit: unitOf(name), status, restarts, startedAt, memoryBytes: residentBytes },
    fault: restarts > 0 ? lastFault : undefined,
    ...(!isPart(state) && { metricsUrl: `http://127.0.0.1:${ports.admin}/metrics` }),
    ...usage,
  };
}
