import type { EnvoyOptions } from "../../../envoy/options.ts";
import type { GatewayConfig } from "../../../gateway/config.ts";
import { type Arrival, type Edge, startEdge } from "../gateway/edge.ts";
import { startMesh, type TestMesh } from "./mesh.ts";

/** What a stranger meets: Envoy's edge listener, the gateway behind it, and services that note what arrives. */
export interface WholeEdge {
  /** Port of the edge listener. */
  port: number;
  url: string;
  envoy: TestMesh;
  gateway: Edge;
  /** Calls that came to a service, but for the gateway's own for keys and revoked sessions. */
  arrivals(): Arrival[];
  stop(): Promise<void>;
}

/** The gateway runs in the test's own process, which may be busy: that is no sign that it has gone. */
const patience = { interval: 1000, unhealthyInterval: 250, timeout: 10_000, failures: 3, passes: 1 };

const housekeeping = new Set(["auth.v1.AuthService/GetJwks", "auth.v1.AuthService/ListRevokedSessions"]);

export async function startWholeEdge(
  options: Partial<EnvoyOptions> = {},
  settings: Partial<GatewayConfig> = {},
): Promise<WholeEdge> {
  const gateway = await startEdge(settings);
  const [httpPort, grpcPort] = [gateway.url, gateway.grpcUrl].map((url) => Number(new URL(url).port)) as [
    number,
    number,
  ];
  const envoy = await startMesh({
    gatewayHttp: [{ host: "127.0.0.1", port: httpPort }],
    gatewayGrpc: [{ host: "127.0.0.1", port: grpcPort, healthPort: httpPort }],
    health: patience,
    ...options,
  });
  return {
    port: envoy.edge,
    url: `http://127.0.0.1:${envoy.edge}`,
    envoy,
    gateway,
    arrivals: () => gateway.arrivals.filter(({ method }) => !housekeeping.has(method)),
    stop: async () => {
      await envoy.stop();
      await gateway.close();
    },
  };
}
