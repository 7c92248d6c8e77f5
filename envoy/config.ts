import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { type ClusterName, clusters } from "./clusters.ts";
import { edgeListeners } from "./edge.ts";
import { writeEndpoints } from "./endpoints.ts";
import { changeableRuntime } from "./faults.ts";
import { type Json, socketAddress } from "./json.ts";
import { meshListener } from "./mesh.ts";
import { type Endpoint, type EnvoyOptions, serviceNames, withDefaults } from "./options.ts";
import { overloadManager, runtime, statistics } from "./overload.ts";
import { allRpcs, type Rpc } from "./rpcs.ts";
import { statisticsClusters, statisticsListeners } from "./statistics.ts";
import { writeTlsSecret } from "./tls.ts";

export type { Endpoint, EnvoyOptions };
export { writeEndpoints };

/** Envoy's whole configuration (a Bootstrap message in JSON form), out of where everything runs and the descriptors. */
export function envoyConfig(options: EnvoyOptions, rpcs: Rpc[] = allRpcs()): Json {
  const settings = withDefaults(options);
  return {
    node: { id: "envoy", cluster: "taskmesh" },
    // On loopback whatever the listeners are bound to: it can stop Envoy and show everything.
    admin: { address: socketAddress("127.0.0.1", settings.adminPort) },
    static_resources: {
      listeners: [...edgeListeners(settings, rpcs), meshListener(settings, rpcs), ...statisticsListeners(settings)],
      clusters: [...clusters(settings), ...statisticsClusters(settings)],
    },
    overload_manager: overloadManager(settings),
    layered_runtime: settings.faults ? changeableRuntime(runtime) : runtime,
    stats_config: statistics,
    // Histograms are told as of their last flush; by default that is up to five seconds ago.
    stats_flush_interval: "1s",
  };
}

/** The same as YAML, for the files of docker-compose and Kubernetes. */
export function envoyYaml(options: EnvoyOptions, rpcs?: Rpc[]): string {
  return stringify(envoyConfig(options, rpcs), { aliasDuplicateObjects: false, lineWidth: 0 });
}

/**
 * Writes the configuration and the endpoint files into the directory, each in one step.
 * Later changes of instances need only `writeEndpoints`.
 */
export async function writeEnvoyConfig(
  options: EnvoyOptions,
  rpcs: Rpc[] = allRpcs(),
): Promise<{ configFile: string }> {
  await mkdir(options.directory, { recursive: true });
  for (const [name, endpoints] of Object.entries(endpointsOf(options))) {
    await writeEndpoints(options.directory, name, endpoints);
  }
  if (options.tls) await writeTlsSecret(options.directory, options.tls);
  const configFile = join(options.directory, "envoy.yaml");
  const draft = `${configFile}.${process.pid}`;
  await writeFile(draft, envoyYaml(options, rpcs));
  await rename(draft, configFile);
  return { configFile };
}

/** The instances by cluster: what `writeEndpoints` is to be called with when they change. */
export function endpointsOf(
  options: Pick<EnvoyOptions, "gatewayHttp" | "gatewayGrpc" | "services">,
): Record<ClusterName, Endpoint[]> {
  const services = Object.fromEntries(serviceNames.map((name) => [name, options.services[name]]));
  return {
    gateway_http: options.gatewayHttp,
    gateway_grpc: options.gatewayGrpc,
    ...(services as EnvoyOptions["services"]),
  };
}
