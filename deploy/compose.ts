import { stringify } from "yaml";
import { processes, processNames, profiles, publicPorts } from "../cli/topology.ts";
import type { EnvoyOptions } from "../envoy/options.ts";
import { serviceNames } from "../envoy/options.ts";
import { confined, partResources, supervised } from "./compose/confinement.ts";
import { development } from "./compose/development.ts";
import { ourImage } from "./compose/images.ts";
import { member, rateLimits, replicasVariable } from "./compose/members.ts";
import { observability, observabilityVolumes, observers } from "./compose/observability.ts";
import { parts, partVolumes, publishedTlsEdge, serverNames } from "./compose/parts.ts";
import {
  edgeTlsPort,
  keysFolder,
  members,
  meshPort,
  oneServer,
  ports,
  type Servers,
  serverPerDatabase,
  statisticsPort,
} from "./compose/places.ts";
import { swarmStack } from "./compose/swarm.ts";

const heading = "# Made from cli/topology.ts by `npm run compose`; a test compares them.\n";
const tlsFiles = { certFile: "/tls/edge.crt.pem", keyFile: "/tls/edge.key.pem" };
const mebibyte = 1024 * 1024;

/** The files of the containers' set-up, made from the topology: path from the root of the repository to text. */
export function composeFiles(): Record<string, string> {
  return {
    "docker-compose.yml": yaml(composition(oneServer)),
    "docker-compose.isolated.yml": yaml(composition(serverPerDatabase)),
    "docker-compose.dev.yml": yaml(development()),
    "docker-compose.tls.yml": yaml(tlsOverlay()),
    "docker-compose.swarm.yml": yaml(swarmStack(composition(oneServer))),
    ...Object.fromEntries(profiles.map((profile) => [`deploy/compose/${profile}.env`, replicas(profile)])),
  };
}

function yaml(content: object): string {
  return heading + stringify(content, { aliasDuplicateObjects: false, lineWidth: 0, version: "1.1" });
}

export type Composition = ReturnType<typeof composition>;

function composition(servers: Servers) {
  const secrets = keyVolumes(servers);
  return {
    services: {
      setup: setup(secrets, servers),
      ...parts(servers),
      ...Object.fromEntries(processNames.map((name) => [name, member(name, servers)])),
      ...observability(servers),
    },
    networks: { edge: {}, app: {}, data: { internal: true } },
    volumes: Object.fromEntries(
      [
        ...partVolumes(servers),
        "mail",
        ...observabilityVolumes,
        "keys",
        ...secrets.map((owner) => `keys-${owner}`),
      ].map((name) => [name, {}]),
    ),
  };
}

/** Who has secrets of his own: the members, the operator's pages, and the servers of databases. */
function keyVolumes(servers: Servers): string[] {
  return [...members, ...observers, ...serverNames(servers)];
}

/** Runs once before all others. It alone sees every secret, and nothing can reach it. */
function setup(owners: readonly string[], servers: Servers) {
  return {
    ...ourImage,
    command: ["node", "deploy/setup.ts"],
    environment: { ...rateLimits, DATABASE_SERVERS: servers === oneServer ? "one" : "each" },
    volumes: [
      `keys:${keysFolder}/mesh`,
      ...owners.map((owner) => `keys-${owner}:${keysFolder}/${owner}`),
      "envoy:/envoy",
    ],
    network_mode: "none",
    ...confined(["/tmp"]),
    ...supervised(partResources.setup),
  };
}

/** Laid over docker-compose.yml, it opens the edge by TLS with the certificate that the environment names. */
function tlsOverlay() {
  const required = (variable: string) => `\${${variable}:?the path of a PEM file}`;
  const volumes = [
    `${required("EDGE_TLS_CERT_FILE")}:${tlsFiles.certFile}:ro`,
    `${required("EDGE_TLS_KEY_FILE")}:${tlsFiles.keyFile}:ro`,
  ];
  return {
    services: {
      setup: { environment: { EDGE_TLS: "true" } },
      envoy: { ports: [publishedTlsEdge], volumes },
    },
  };
}

function replicas(profile: (typeof profiles)[number]): string {
  const lines = processNames
    .filter((name) => processes[name].member)
    .map((name) => `${replicasVariable(name)}=${processes[name].replicas[profile]}\n`);
  return heading + lines.join("");
}

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
