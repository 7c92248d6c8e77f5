import { publicPorts } from "../../cli/topology.ts";
import { type EnvoyOptions, serviceNames } from "../../envoy/options.ts";
import { edgeTlsPort, meshPort, ports, statisticsPort } from "./places.ts";

/** Where Envoy's container finds the certificate of the edge. */
export const tlsFiles = { certFile: "/tls/edge.crt.pem", keyFile: "/tls/edge.key.pem" };
const mebibyte = 1024 * 1024;

/** Where Envoy finds everything inside the containers. */
export function envoyOptions({ tls = false } = {}): EnvoyOptions {
  const endpoint = (host: string, port: keyof typeof ports) => [{ host, port: ports[port] }];
  const services = Object.fromEntries(serviceNames.map((name) => [name, endpoint(name, "grpc")]));
  return {
    directory: "/envoy",
    host: "0.0.0.0",
    discovery: "dns",
    edgePort: publicPorts.edge.port,
    ...(tls ? { edgeTlsPort, tls: tlsFiles } : {}),
    meshPort,
    adminPort: publicPorts.envoyAdmin.port,
    statisticsPort,
    gatewayHttp: endpoint("gateway", "http"),
    gatewayGrpc: endpoint("gateway", "grpc"),
    services: services as EnvoyOptions["services"],
    otlp: { host: "jaeger", port: 4317 },
    // It sheds load before the container's limit is reached.
    maxHeapBytes: 768 * mebibyte,
  };
}
