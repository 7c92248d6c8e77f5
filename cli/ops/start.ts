import type { PartsMetrics } from "../parts-metrics/parts-metrics.ts";
import { withPort } from "../runner/mesh-plan.ts";
import type { RunningMesh } from "../runner/running-mesh.ts";
import { unitOf } from "../runner/status.ts";
import { partTitles } from "../topology.ts";
import { lazyLag } from "./lazy-lag.ts";
import { runnerSource } from "./runner-source.ts";
import { type OpsServer, startOpsServer } from "./server.ts";
import { ensureOpsToken, opsTokenFile } from "./token.ts";
import { Watch } from "./watch.ts";

/** The pages for operators of a mesh that this process runs. */
export async function startOps(mesh: RunningMesh): Promise<OpsServer> {
  const { home, settings } = mesh;
  let parts: PartsMetrics | undefined;
  const server = await startOpsServer({
    host: "127.0.0.1",
    port: settings.publicPorts.ops,
    token: ensureOpsToken(opsTokenFile(home.keys)),
    watch: new Watch({ source: runnerSource(mesh), openLag: lazyLag }),
    jaegerUrl: process.env.JAEGER_QUERY_URL || `http://127.0.0.1:${settings.publicPorts.jaeger}`,
    prometheusUrl: settings.prometheus ? `http://127.0.0.1:${settings.publicPorts.prometheus}` : undefined,
    partsMetrics: async () => {
      const { openPartsMetrics } = await import("../parts-metrics/parts-metrics.ts");
      parts ??= openPartsMetrics(() => partSources(mesh));
      return parts.read();
    },
  });
  return {
    port: server.port,
    close: async () => {
      await server.close();
      await parts?.close();
    },
  };
}

function partSources({ plan, home, supervisor }: RunningMesh) {
  return {
    postgres: plan.adminUrl,
    replicas: plan.replicas.map(({ name, ports }) => ({ name, url: withPort(plan.adminUrl ?? "", ports.sql) })),
    redis: plan.surroundings.redis,
    kafka: plan.surroundings.kafka,
    dataFolder: home.data,
    processes: supervisor.instances.filter(({ name }) => unitOf(name) in partTitles),
  };
}
