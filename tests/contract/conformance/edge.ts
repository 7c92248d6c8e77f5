import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { testIdentities, testIssuer } from "#kit/auth/testing.ts";
import { startGrpcServer } from "#kit/grpc/server.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { edgeCertificate } from "../../../cli/runner/certificate.ts";
import { start as startEnvoy } from "../../../cli/runner/parts/envoy.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { envoyConfig, writeEnvoyConfig } from "../../../envoy/config.ts";
import type { EnvoyOptions } from "../../../envoy/options.ts";
import { allRpcs } from "../../../envoy/rpcs.ts";
import { readConfig } from "../../../gateway/config.ts";
import { createContext } from "../../../gateway/context.ts";
import { buildGateway, closeGateway } from "../../../gateway/server.ts";
import { until } from "../../_util/until.ts";
import { conformanceService } from "./descriptors.ts";
import { conformanceEntry } from "./service.ts";

const host = "127.0.0.1";
/** What the suite expects of a server that has a limit. */
const bodyLimit = 200 * 1024;

/** Envoy, gateway and service: where strangers find them. */
export interface ConformanceEdge {
  port: number;
  tlsPort: number;
  /** PEM, of the TLS port. */
  certFile: string;
  stop(): Promise<void>;
}

export async function startConformanceEdge(): Promise<ConformanceEdge> {
  const directory = await mkdtemp(join(tmpdir(), "taskmesh-conformance-"));
  const lifecycle = new Lifecycle();
  const identities = testIdentities(["gateway", "task"]);
  const service = await startGrpcServer({
    host,
    port: 0,
    services: [conformanceEntry()],
    identity: identities.task,
    tokens: testIssuer().verifier(),
    lifecycle,
  });
  const [port = 0, tlsPort = 0, meshPort = 0, adminPort = 0] = await pickPorts(4);
  const gateway = await startGateway(`${host}:${meshPort}`, lifecycle, identities.gateway);
  lifecycle.ready = true;
  const tls = await edgeCertificate(directory);
  if (tls === undefined) throw new Error("there is no openssl to make a certificate with");
  const configFile = await configureEnvoy({
    directory,
    edgePort: port,
    edgeTlsPort: tlsPort,
    tls,
    meshPort,
    adminPort,
    gatewayHttp: [{ host, port: gateway.httpPort }],
    gatewayGrpc: [{ host, port: gateway.grpcPort, healthPort: gateway.httpPort }],
    services: { auth: [], user: [], task: [{ host, port: service.port }], notification: [] },
  });
  const envoy = await startEnvoy({ configFile, adminPort, logFile: join(directory, "envoy.log") });
  for (const cluster of ["gateway_http", "gateway_grpc", "task"]) await untilHealthy(adminPort, cluster);
  return {
    port,
    tlsPort,
    certFile: tls.certFile,
    stop: async () => {
      await envoy.stop();
      await closeGateway(gateway);
      await lifecycle.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

type Identity = ReturnType<typeof testIdentities>[string];

async function startGateway(address: string, lifecycle: Lifecycle, identity: Identity | undefined) {
  if (identity === undefined) throw new Error("the gateway has no identity");
  const config = readConfig({
    MESH_ADDRESS: address,
    // The identity is given below.
    MESH_IDENTITY_KEY_FILE: import.meta.filename,
    MESH_IDENTITY_JWKS_FILE: import.meta.filename,
    RATE_LIMIT_PRESET: "off",
  });
  const openness = { passes: /^x-conformance-/, bareErrors: true };
  const services = [conformanceService()];
  const gateway = buildGateway(await createContext(config, lifecycle, { services, identity, bodyLimit, openness }));
  const urls = [await gateway.http.listen({ host, port: 0 }), await gateway.grpc.listen({ host, port: 0 })];
  const [httpPort = 0, grpcPort = 0] = urls.map((url) => Number(new URL(url).port));
  return { ...gateway, httpPort, grpcPort };
}

/** The project's configuration with the suite's RPCs. */
async function configureEnvoy(given: EnvoyOptions): Promise<string> {
  // Thousands of calls from one address.
  const options = { ...given, rateLimitScale: Number.POSITIVE_INFINITY };
  const { configFile } = await writeEnvoyConfig(options);
  const config = envoyConfig(options, [...allRpcs(), ...allRpcs({ task: conformanceService() })]) as {
    static_resources: { clusters: { outlier_detection?: unknown }[] };
  };
  // Errors are what the only instance of each is asked for.
  for (const cluster of config.static_resources.clusters) delete cluster.outlier_detection;
  await writeFile(configFile, stringify(config, { aliasDuplicateObjects: false, lineWidth: 0 }));
  return configFile;
}

async function untilHealthy(adminPort: number, cluster: string): Promise<void> {
  const name = `cluster.${cluster}.membership_healthy`;
  await until(`a healthy ${cluster}`, async () => {
    const response = await fetch(`http://${host}:${adminPort}/stats?format=json&filter=^${name}$`);
    const { stats } = (await response.json()) as { stats: { value?: number }[] };
    return stats[0]?.value === 1;
  });
}

/** The certificate of the TLS port. */
export function certificateOf({ certFile }: ConformanceEdge): Promise<string> {
  return readFile(certFile, "utf8");
}
