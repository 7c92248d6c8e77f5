import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "../../../cli/runner/parts/envoy.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { writeEnvoyConfig } from "../../../envoy/config.ts";
import { writeEndpoints } from "../../../envoy/endpoints.ts";
import type { Endpoint, EnvoyOptions, ServiceName } from "../../../envoy/options.ts";
import type { Rpc } from "../../../envoy/rpcs.ts";
import { type GrpcUpstream, startGrpcUpstream, startHttpUpstream, type Upstream } from "./upstream.ts";

export interface TestMesh {
  edge: number;
  mesh: number;
  admin: number;
  gatewayHttp: Upstream;
  gatewayGrpc: GrpcUpstream;
  services: Record<ServiceName, GrpcUpstream>;
  /** The instances behind a cluster, from now on. */
  setEndpoints(cluster: string, upstreams: Placed[]): Promise<void>;
  /** Resolves when Envoy takes so many hosts of a cluster for healthy. */
  untilHealthy(cluster: string, count: number): Promise<void>;
  stat(name: string): Promise<number>;
  /** What Envoy has allocated, in bytes. */
  memory(): Promise<number>;
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** An upstream, and what a release gives it of the calls. */
export type Placed = Pick<Upstream, "port"> & Pick<Endpoint, "weight" | "standby">;

const at = ({ port, weight, standby }: Placed): Endpoint => ({ host: "127.0.0.1", port, weight, standby });

/** A real Envoy with the project's configuration between small upstreams that tell what reached them. */
export async function startMesh(options: Partial<EnvoyOptions> = {}, rpcs?: Rpc[]): Promise<TestMesh> {
  const directory = await mkdtemp(join(tmpdir(), "taskmesh-envoy-"));
  const [gatewayHttp, gatewayGrpc] = [await startHttpUpstream(), await startGrpcUpstream()];
  const services = {
    auth: await startGrpcUpstream(),
    user: await startGrpcUpstream(),
    task: await startGrpcUpstream(),
    notification: await startGrpcUpstream(),
  };
  const [edge = 0, mesh = 0, admin = 0] = await pickPorts(3);
  const { configFile } = await writeEnvoyConfig(
    {
      directory,
      edgePort: edge,
      meshPort: mesh,
      adminPort: admin,
      gatewayHttp: [at(gatewayHttp)],
      gatewayGrpc: [{ ...at(gatewayGrpc), healthPort: gatewayHttp.port }],
      services: {
        auth: [at(services.auth)],
        user: [at(services.user)],
        task: [at(services.task)],
        notification: [at(services.notification)],
      },
      // All requests of a test come from one address.
      rateLimitScale: Number.POSITIVE_INFINITY,
      ...options,
    },
    rpcs,
  );
  const logFile = join(directory, "envoy.log");
  const envoy = await start({ configFile, adminPort: admin, logFile });
  const log = () => readFile(logFile, "utf8");
  const stat = async (name: string) => {
    const response = await fetch(`http://127.0.0.1:${admin}/stats?format=json&filter=^${name}$`);
    const { stats } = (await response.json()) as { stats: Array<{ value?: number }> };
    return stats[0]?.value ?? Number.NaN;
  };
  const untilHealthy = async (cluster: string, count: number) => {
    while ((await stat(`cluster.${cluster}.membership_healthy`)) !== count) await new Promise((r) => setTimeout(r, 20));
  };
  for (const cluster of ["gateway_http", "gateway_grpc", ...Object.keys(services)]) await untilHealthy(cluster, 1);
  return {
    edge,
    mesh,
    admin,
    gatewayHttp,
    gatewayGrpc,
    services,
    setEndpoints: (cluster, upstreams) => writeEndpoints(directory, cluster, upstreams.map(at)),
    untilHealthy,
    stat,
    memory: async () => {
      const response = await fetch(`http://127.0.0.1:${admin}/memory`);
      return Number(((await response.json()) as { allocated: string }).allocated);
    },
    log,
    stop: async () => {
      await envoy.stop();
      for (const upstream of [gatewayHttp, gatewayGrpc, ...Object.values(services)]) await upstream.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
