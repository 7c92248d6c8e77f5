import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Json, socketAddress, typed } from "./json.ts";
import type { Endpoint } from "./options.ts";

/** The file that names the instances of a cluster. */
export function endpointsFile(directory: string, clusterName: string): string {
  return join(directory, `endpoints-${clusterName}.json`);
}

let version = 0;

/**
 * Tells a running Envoy the instances of a cluster. The file is replaced in one step, which is what Envoy watches for:
 * it never reads half of one.
 */
export async function writeEndpoints(directory: string, clusterName: string, endpoints: Endpoint[]): Promise<void> {
  version += 1;
  const response = {
    version_info: `${Date.now()}-${version}`,
    resources: [typed("envoy.config.endpoint.v3.ClusterLoadAssignment", loadAssignment(clusterName, endpoints))],
  };
  await mkdir(directory, { recursive: true });
  const file = endpointsFile(directory, clusterName);
  const draft = `${file}.${process.pid}-${version}`;
  await writeFile(draft, JSON.stringify(response, undefined, 2));
  await rename(draft, file);
}

/** The instances of a cluster, as they stand in the configuration or in an endpoint file. */
export function loadAssignment(name: string, endpoints: Endpoint[]): Json {
  return {
    cluster_name: name,
    endpoints: [
      {
        lb_endpoints: endpoints.map(({ host, port, healthPort, weight, standby }) => ({
          endpoint: {
            address: socketAddress(host, port),
            ...(healthPort === undefined ? {} : { health_check_config: { port_value: healthPort } }),
          },
          ...(weight === undefined ? {} : { load_balancing_weight: weight }),
          ...(standby ? { health_status: "DRAINING" } : {}),
        })),
      },
    ],
  };
}
